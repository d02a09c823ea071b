//! URLs, as far as they can be judged before anybody goes there.

/// The parts of a URL that are judged here. What can be reached is only known when it is tried.
pub(super) struct Url<'a> {
    pub(super) scheme: &'a str,
    user: Option<&'a str>,
    pub(super) host: &'a str,
    /// From the first slash on.
    path: &'a str,
}

impl<'a> Url<'a> {
    pub(super) fn read(text: &'a str, schemes: &[&str]) -> Result<Self, String> {
        if text.is_empty() {
            return Err("is empty".into());
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("holds white space".into());
        }
        let (scheme, rest) = text.split_once("://").ok_or("does not begin with a scheme")?;
        if !schemes.contains(&scheme) {
            return Err(format!("has the scheme {scheme:?}"));
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, host_port) = authority
            .rsplit_once('@')
            .map_or((None, authority), |(user, host)| (Some(user), host));
        let (host, port) = split_port(host_port);
        if host.is_empty() {
            return Err("names no host".into());
        }
        if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
            return Err("has a port that is no port".into());
        }
        Ok(Self {
            scheme,
            user,
            host,
            path,
        })
    }

    pub(super) fn refuse_more_than_a_base(&self) -> Result<(), String> {
        if self.user.is_some() {
            return Err("holds a user name or password".into());
        }
        if self.path.contains(['?', '#']) {
            return Err("holds more than a path behind the host".into());
        }
        let to_method = self
            .path
            .split('/')
            .any(|part| part.strip_prefix("bot").is_some_and(|rest| rest.contains(':')));
        if to_method {
            Err("holds the bot's token".into())
        } else {
            Ok(())
        }
    }

    pub(super) fn is_loopback(&self) -> bool {
        let ip = self
            .host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>();
        self.host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    }
}

/// Host and port; an IPv6 address keeps its brackets and the colons in them.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}
