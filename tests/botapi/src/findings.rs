//! What Telegram finds in plain text by itself: URLs, e-mail addresses, @mentions, #tags, $tags, /commands.
//!
//! Each of them is clickable and some ping people, so a log line must never produce one. Only pre, code and
//! links shield. Phone and card numbers are not looked for. The trap: names with a dot (`app.sh`) are URLs
//! when their last part is a top-level domain; everything but well-known file endings counts as one here.

use linkify::{LinkFinder, LinkKind};
use serde::{Deserialize, Serialize};

use crate::entities::Entity;

/// Last parts of names that are no top-level domains.
const FILE_ENDINGS: [&str; 24] = [
    "bak", "cfg", "conf", "css", "csv", "db", "err", "gz", "html", "ini", "java", "js", "json", "log", "out",
    "php", "service", "sock", "sql", "toml", "tmp", "txt", "xml", "yaml",
];

/// Something clickable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// `url`, `email`, `mention`, `hashtag`, `cashtag` or `bot_command`.
    pub kind: String,
    /// First UTF-16 unit in the stored text.
    pub offset: usize,
    /// Length in UTF-16 units.
    pub length: usize,
    /// The clickable text.
    pub text: String,
}

/// Everything clickable in a text outside its shields, in order.
pub(crate) fn live(text: &str, entities: &[Entity]) -> Vec<Live> {
    let open = blank_shields(text, entities);
    let mut found = links(&open);
    let chars: Vec<char> = open.chars().collect();
    // A mark inside a link (`https://a.b/#c`) belongs to the link.
    let marks = (0..chars.len()).filter_map(|at| mark(&chars, at));
    let marks = marks
        .filter(|mark| !found.iter().any(|link| overlap(link, mark)))
        .collect::<Vec<_>>();
    found.extend(marks);
    found.extend(
        entities
            .iter()
            .filter(|entity| entity.kind == "text_mention")
            .map(|entity| {
                live_at(
                    "text_mention",
                    entity.offset,
                    units_between(text, entity.offset, entity.end()),
                )
            }),
    );
    found.sort_by_key(|live| live.offset);
    found
}

/// The text with every shielded unit turned into a space of the same length, so that offsets stay.
fn blank_shields(text: &str, entities: &[Entity]) -> String {
    let mut open = String::with_capacity(text.len());
    let mut unit = 0;
    for shown in text.chars() {
        if entities
            .iter()
            .any(|e| e.shields() && (e.offset..e.end()).contains(&unit))
        {
            open.extend(std::iter::repeat_n(' ', shown.len_utf16()));
        } else {
            open.push(shown);
        }
        unit += shown.len_utf16();
    }
    open
}

fn units_between(text: &str, from: usize, to: usize) -> String {
    let units: Vec<u16> = text.encode_utf16().skip(from).take(to - from).collect();
    String::from_utf16_lossy(&units)
}

fn live_at(kind: &str, offset: usize, text: String) -> Live {
    Live {
        kind: kind.to_owned(),
        offset,
        length: text.encode_utf16().count(),
        text,
    }
}

fn overlap(first: &Live, second: &Live) -> bool {
    first.offset < second.offset + second.length && second.offset < first.offset + first.length
}

fn links(text: &str) -> Vec<Live> {
    let mut finder = LinkFinder::new();
    finder.url_must_have_scheme(false);
    let mut found = Vec::new();
    for link in finder.links(text) {
        let kind = if *link.kind() == LinkKind::Email {
            "email"
        } else {
            "url"
        };
        if kind == "email" || opens(link.as_str()) {
            let offset = text[..link.start()].encode_utf16().count();
            found.push(live_at(kind, offset, link.as_str().to_owned()));
        }
    }
    found
}

/// Whether Telegram would take this for a URL.
fn opens(link: &str) -> bool {
    if link.contains("://") {
        return true;
    }
    let host = link.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let last = host.rsplit('.').next().unwrap_or_default();
    last.chars().any(char::is_alphabetic) && !FILE_ENDINGS.contains(&last.to_ascii_lowercase().as_str())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The mention, tag or command that begins at this character.
fn mark(chars: &[char], at: usize) -> Option<Live> {
    let before = at.checked_sub(1).map(|at| chars[at]);
    if before.is_some_and(is_word) {
        return None;
    }
    let rest = &chars[at + 1..];
    let (kind, length) = match chars[at] {
        '@' => ("mention", mention(rest)?),
        '#' => ("hashtag", hashtag(rest)?),
        '$' => ("cashtag", cashtag(rest)?),
        '/' if before.is_none_or(|c| !matches!(c, '/' | '<' | '>')) => ("bot_command", command(rest)?),
        _ => return None,
    };
    let offset = chars[..at].iter().map(|c| c.len_utf16()).sum();
    Some(live_at(kind, offset, chars[at..=at + length].iter().collect()))
}

fn run(rest: &[char], takes: impl Fn(char) -> bool) -> usize {
    rest.iter().take_while(|c| takes(**c)).count()
}

fn mention(rest: &[char]) -> Option<usize> {
    let length = run(rest, |c| c.is_ascii_alphanumeric() || c == '_');
    (2..=32).contains(&length).then_some(length)
}

fn hashtag(rest: &[char]) -> Option<usize> {
    let length = run(rest, |c| is_word(c) || c == '\u{b7}');
    let named = rest[..length].iter().any(|c| !c.is_ascii_digit());
    ((1..=256).contains(&length) && named).then_some(length)
}

fn cashtag(rest: &[char]) -> Option<usize> {
    let length = run(rest, |c| c.is_ascii_uppercase());
    let ends = rest.get(length).is_none_or(|c| !is_word(*c));
    ((3..=8).contains(&length) && ends).then_some(length)
}

fn command(rest: &[char]) -> Option<usize> {
    let name = run(rest, |c| c.is_ascii_alphanumeric() || c == '_');
    let ends = rest
        .get(name)
        .is_none_or(|c| !is_word(*c) && !matches!(c, '/' | '<' | '>'));
    ((1..=64).contains(&name) && ends).then_some(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        live(text, &[])
            .into_iter()
            .map(|live| (live.kind, live.text))
            .collect()
    }

    fn pair(kind: &str, text: &str) -> Vec<(String, String)> {
        vec![(kind.to_owned(), text.to_owned())]
    }

    #[test]
    fn each_kind_is_found() {
        assert_eq!(
            found("see https://a.example/x#y now"),
            pair("url", "https://a.example/x#y")
        );
        assert_eq!(found("see example.org now"), pair("url", "example.org"));
        assert_eq!(found("run deploy.sh now"), pair("url", "deploy.sh"));
        assert_eq!(found("to ops@example.org"), pair("email", "ops@example.org"));
        assert_eq!(found("ask @alice, please"), pair("mention", "@alice"));
        assert_eq!(found("see #bug42"), pair("hashtag", "#bug42"));
        assert_eq!(found("buy $TSLA"), pair("cashtag", "$TSLA"));
        assert_eq!(found("press /start"), pair("bot_command", "/start"));
        assert_eq!(found("in (/etc)"), pair("bot_command", "/etc"));
    }

    #[test]
    fn harmless_text_is_left_alone() {
        for text in [
            "/var/log/app.log",
            "a/b",
            "#42",
            "a@b",
            "1.2.3",
            "app.log rules.toml",
            "12:30",
            "x#y",
            "$5",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn code_and_links_shield_and_nothing_else_does() {
        let entity = |kind: &str| Entity {
            kind: kind.to_owned(),
            offset: 2,
            length: 6,
            more: serde_json::Map::new(),
        };
        for kind in ["bold", "blockquote", "expandable_blockquote", "spoiler"] {
            assert_eq!(live("🔥@alice", &[entity(kind)])[0].offset, 2, "{kind}");
        }
        for kind in ["pre", "code", "text_link"] {
            assert!(live("🔥@alice", &[entity(kind)]).is_empty(), "{kind}");
        }
    }
}
