//! Keeps tokens and passwords out of everything that is quoted from rules.toml.
//!
//! This is a net below the types, not a redactor of logs: a problem may quote any line of the file, even one
//! that is not TOML, so what looks like a secret is covered by its form alone.

use std::sync::LazyLock;

use regex::Regex;

/// What is covered: group 1 of each pattern.
static SECRETS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = [
        // A literal token, however it is written; `token_file = …` is not one.
        r#"(?i)(?:^|[{,.])\s*["']?token["']?\s*=\s*(\S.*)$"#,
        // Whoever knows this URL can keep a switch quiet that should ring.
        r#"(?i)(?:^|[{,.])\s*["']?heartbeat_url["']?\s*=\s*(\S.*)$"#,
        // A bot token anywhere.
        r"(\d{5,}:[A-Za-z0-9_-]{20,})",
        // What stands before the @ of a URL.
        r"://([^/\s@]+)@",
    ];
    patterns
        .iter()
        .filter_map(|pattern| Regex::new(pattern).ok())
        .collect()
});

/// The text with `*` for every character of a secret, so it has as many characters as before.
pub(super) fn hide(text: impl Into<String>) -> String {
    let mut hidden = text.into();
    for secret in SECRETS.iter() {
        let ranges: Vec<_> = secret
            .captures_iter(&hidden)
            .filter_map(|found| found.get(1).map(|group| group.range()))
            .collect();
        for range in ranges.into_iter().rev() {
            let stars = "*".repeat(hidden[range.clone()].chars().count());
            hidden.replace_range(range, &stars);
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::hide;

    #[test]
    fn a_token_is_covered_wherever_it_stands() {
        for line in [
            "token = \"12345:abc\"",
            "telegram = { token = '1:a' }",
            "'token'=1:a",
            "telegram.token = 1:a",
            "\ttoken = 1:a",
        ] {
            let hidden = hide(line);
            assert!(
                !hidden.contains(":a") && hidden.contains("***"),
                "{line} -> {hidden}"
            );
            assert_eq!(hidden.chars().count(), line.chars().count());
        }
        assert_eq!(
            hide("see 123456789:AAAAAAAAAAAAAAAAAAAAAAAAA."),
            format!("see {}.", "*".repeat(35))
        );
    }

    #[test]
    fn the_url_of_a_heartbeat_is_covered() {
        assert_eq!(
            hide("heartbeat_url = \"https://hc-ping.com/abc\""),
            format!("heartbeat_url = {}", "*".repeat(25))
        );
        assert_eq!(
            hide("health = { heartbeat_url = 7 }"),
            "health = { heartbeat_url = ***"
        );
    }

    #[test]
    fn a_password_in_a_url_is_covered() {
        assert_eq!(
            hide("proxy = \"socks5h://me:pw@proxy\""),
            "proxy = \"socks5h://*****@proxy\""
        );
    }

    #[test]
    fn what_is_not_secret_stays() {
        for line in [
            "token_file = \"/run/secrets/telegram\"",
            "match = 'token = expired'",
            "id = \"@ops\"",
        ] {
            assert_eq!(hide(line), line);
        }
    }
}
