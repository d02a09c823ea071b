//! Link buttons: `{ text = "Runbook", url = "https://wiki.example.com/{{ service }}" }`.
//!
//! Log text can change what follows the host and nothing else: every value is percent-encoded, and none can
//! stand before the end of the host. Telegram refuses a message whose links do not look public, so that is
//! checked here, long before one is sent.

use std::ops::Range;

use super::names::Names;
use crate::model::LinkButton;

/// Characters on a button at most; a phone shows fewer.
const TEXT: usize = 64;
/// Characters of one value at most.
const VALUE: usize = 200;
/// Bytes of a finished link at most: browsers and servers agree on little more.
const URL: usize = 2_048;

/// A link button of a rule, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    text: String,
    parts: Vec<Part>,
}

/// A stretch of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// As it was written.
    Words(String),
    /// The value of this name.
    Name(String),
}

/// What is wrong with a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ButtonError {
    /// Where, in bytes of what was read.
    pub at: Range<usize>,
    /// What, in words for people.
    pub what: String,
    /// What to do about it.
    pub help: &'static str,
}

impl ButtonError {
    fn new(at: Range<usize>, what: impl Into<String>, help: &'static str) -> Self {
        Self {
            at,
            what: what.into(),
            help,
        }
    }
}

/// A name in a link, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// The name.
    pub name: String,
    /// Where the name stands, in bytes of the link.
    pub at: Range<usize>,
}

impl Button {
    /// A button with this on it that opens this link.
    pub fn new(text: &str, link: &Link) -> Self {
        Self {
            text: text.trim().to_owned(),
            parts: link.parts.clone(),
        }
    }

    /// The button as it stands below a message; absent if its link would be too long.
    pub(super) fn fill(&self, names: Names<'_>) -> Option<LinkButton> {
        let mut url = String::new();
        for part in &self.parts {
            match part {
                Part::Words(words) => url.push_str(words),
                Part::Name(name) => encode(&names.get(name).unwrap_or_default(), &mut url),
            }
        }
        (url.len() <= URL).then(|| LinkButton {
            text: self.text.clone(),
            url,
        })
    }
}

/// Checks what stands on a button.
pub fn check_text(text: &str) -> Result<(), ButtonError> {
    let whole = 0..text.len();
    let short = "write a word or two: text = \"Runbook\"";
    if text.trim().is_empty() {
        return Err(ButtonError::new(
            whole,
            "a button with nothing on it is refused by Telegram",
            short,
        ));
    }
    if text.trim().chars().count() > TEXT {
        return Err(ButtonError::new(
            whole,
            format!("the text of a button is longer than {TEXT} characters"),
            short,
        ));
    }
    if let Some(at) = text.find("{{") {
        return Err(ButtonError::new(
            at..text.len(),
            "the text of a button takes no values",
            "what a log says must not name a button; put the value into `url`",
        ));
    }
    if let Some(at) = text.find(char::is_control) {
        return Err(ButtonError::new(
            at..at + 1,
            "the text of a button holds a control character",
            short,
        ));
    }
    Ok(())
}

/// A link with names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    parts: Vec<Part>,
    /// The names in it, in their order.
    pub names: Vec<Placeholder>,
}

impl Link {
    /// Reads a link and checks that it looks public whatever the values are.
    pub fn parse(url: &str) -> Result<Self, ButtonError> {
        let link = Self::split(url)?;
        let host = host(url)?;
        if let Some(first) = link.names.first().filter(|first| first.at.start < host.end) {
            return Err(ButtonError::new(
                first.at.clone(),
                "a value stands where the link says which host it leads to",
                "write the host out and put values behind the slash after it: a log line must not choose where a button leads",
            ));
        }
        public(url, host)?;
        for part in &link.parts {
            if let Part::Words(words) = part
                && let Some(c) = words.chars().find(|c| c.is_whitespace() || c.is_control())
            {
                let at = url.find(c).unwrap_or_default();
                return Err(ButtonError::new(
                    at..at + c.len_utf8(),
                    "a link holds no white space",
                    "write %20 for a blank; values are encoded by themselves",
                ));
            }
        }
        Ok(link)
    }

    fn split(url: &str) -> Result<Self, ButtonError> {
        let mut link = Self {
            parts: Vec::new(),
            names: Vec::new(),
        };
        let mut at = 0;
        while let Some(open) = url[at..].find("{{").map(|found| at + found) {
            link.words(&url[at..open]);
            let end = url[open..].find("}}").map(|found| open + found);
            let end = end.ok_or_else(|| {
                let help = "close it: {{ service }}; to mean the braces themselves, write %7B%7B";
                ButtonError::new(open..url.len(), "`{{` has no `}}`", help)
            })?;
            let name = url[open + 2..end].trim();
            if name.is_empty()
                || !name
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
            {
                return Err(ButtonError::new(
                    open..end + 2,
                    format!("{name:?} is not a name"),
                    "a link takes names alone: {{ service }}",
                ));
            }
            let start = open + 2 + url[open + 2..end].len() - url[open + 2..end].trim_start().len();
            link.names.push(Placeholder {
                name: name.to_owned(),
                at: start..start + name.len(),
            });
            link.parts.push(Part::Name(name.to_owned()));
            at = end + 2;
        }
        link.words(&url[at..]);
        Ok(link)
    }

    fn words(&mut self, words: &str) {
        if !words.is_empty() {
            self.parts.push(Part::Words(words.to_owned()));
        }
    }
}

/// Where the host stands in a link, its port included.
fn host(url: &str) -> Result<Range<usize>, ButtonError> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let start = scheme.map(str::len).ok_or_else(|| {
        let help = "write the whole address: url = \"https://wiki.example.com/…\"";
        ButtonError::new(
            0..url.len(),
            "a button opens an https:// or http:// address",
            help,
        )
    })?;
    let length = url[start..].find(['/', '?', '#']).unwrap_or(url.len() - start);
    Ok(start..start + length)
}

/// Telegram takes a link only if its host has a name with a dot.
fn public(url: &str, at: Range<usize>) -> Result<(), ButtonError> {
    let host = &url[at.clone()];
    if host.contains('@') {
        return Err(ButtonError::new(
            at,
            "a user name or password stands in the link",
            "take it out: whoever sees the message would see it too",
        ));
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    if name.split('.').count() < 2 || !name.split('.').all(label) {
        return Err(ButtonError::new(
            at,
            format!("Telegram refuses links to {host:?}: the address does not look public"),
            "give the host a full name with a dot, such as grafana.example.com; an IPv4 address will do too",
        ));
    }
    Ok(())
}

/// Percent-encodes a value: nothing but letters and digits of ASCII and `-._~` stays as it is.
fn encode(value: &str, out: &mut String) {
    for c in value.chars().take(VALUE) {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~') {
            out.push(c);
            continue;
        }
        let mut bytes = [0; 4];
        for byte in c.encode_utf8(&mut bytes).bytes() {
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
            out.insert(out.len() - 2, '%');
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::super::tests::{incident, line, settings, shape};
    use super::*;

    fn filled(url: &str, values: &[(&str, &str)]) -> Option<String> {
        let mut incident = incident(vec![shape(1, 3, 1, "02:17:41", "x")], line(3, 1, "x"));
        let pairs = values.iter();
        incident.values = pairs
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        let settings = settings();
        let names = Names {
            settings: &settings,
            incident: &incident,
        };
        let button = Button::new("Runbook", &Link::parse(url).unwrap());
        button.fill(names).map(|button| button.url)
    }

    #[test]
    fn values_are_percent_encoded_and_what_is_missing_is_nothing() {
        let filled = |url: &str| filled(url, &[("what", "a b/ü?&#%"), ("service", "not this")]).unwrap();
        assert_eq!(
            filled("https://wiki.example.com/{{service}}/{{ what }}?r={{ rule }}&n={{ total }}{{ nobody }}"),
            "https://wiki.example.com/payments/a%20b%2F%C3%BC%3F%26%23%25?r=exception&n=3"
        );
    }

    #[test]
    fn a_link_that_would_be_too_long_is_left_out() {
        let long = "한".repeat(1_000);
        assert_eq!(
            filled("https://a.example/{{ what }}", &[("what", &long)]).map(|url| url.len()),
            Some(18 + 200 * 9)
        );
        assert_eq!(
            filled("https://a.example/{{ what }}{{ what }}", &[("what", &long)]),
            None
        );
    }

    #[test]
    fn what_telegram_refuses_is_refused_here() {
        for url in [
            "http://grafana:3000/d",
            "https://localhost/x",
            "https:///x",
            "https://.example.com",
            "https://a..b/",
            "https://[::1]/",
            "https://user:word@a.example/",
            "ftp://a.example/",
            "a.example/x",
            "",
            "https://{{ host }}.example.com/",
            "{{ what }}",
            "https://a.example{{ what }}",
            "https://a.example/a b",
            "https://a.example/{{ what",
            "https://a.example/{{ what | upper }}",
            "https://a.example/{{ }}",
        ] {
            assert!(Link::parse(url).is_err(), "{url}");
        }
        for url in [
            "https://a.example",
            "HTTPS://a.example?x={{ what }}",
            "http://10.0.0.7:3000/d/{{ http.status }}",
            "https://위키.example.com/{{ what }}#{{ rule }}",
        ] {
            assert!(Link::parse(url).is_ok(), "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_value_changes_where_a_link_leads(value in any::<String>()) {
            let url = filled("https://a.example/x/{{ what }}/y", &[("what", &value)]).unwrap();
            let middle = url.strip_prefix("https://a.example/x/").unwrap().strip_suffix("/y").unwrap();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
            prop_assert!(middle.chars().all(plain), "{}", url);
        }

        #[test]
        fn no_link_makes_the_reading_panic(url in "(https://)?[a.{}/ @:한-]{0,30}") {
            let _ = Link::parse(&url);
        }
    }
}
