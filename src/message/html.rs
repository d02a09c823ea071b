//! Telegram's HTML subset, read into text and entities: for texts that rules.toml writes.
//!
//! What a template made is read character by character; each stretch knows in which tags it stands. Values from a
//! log come between two marks and cannot hold a tag, because they were escaped; outside `pre` and `code` they become
//! `code`, so that nothing in them is a link or a mention. Entities are made of the stretches at the end, so they
//! can neither cross nor nest in a way that Telegram refuses: inside `pre` and `code` every other style gives way.

use std::sync::Arc;

use super::text::units;
use crate::model::{Entity, EntityKind, Text};

/// Before and behind a value from a log. None of the three is ever a character (Unicode says), so none is text.
pub(super) const OPEN: char = '\u{fdd0}';
pub(super) const CLOSE: char = '\u{fdd1}';
/// Where the state of the incident stands.
pub(super) const STATE: char = '\u{fdd2}';

/// Telegram keeps at most so many entities of the kinds that shield.
const MOST_SHIELDS: usize = 100;

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HtmlError {
    /// The piece of the text that is wrong, as it stands there.
    pub(super) piece: String,
    pub(super) what: String,
    pub(super) help: String,
}

impl HtmlError {
    fn new(piece: &str, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            piece: piece.to_owned(),
            what: what.into(),
            help: help.into(),
        }
    }
}

/// The tags that Telegram knows, by what they do.
const TAGS: &str = "b, i, u, s, tg-spoiler, code, pre, blockquote, a";

/// How a stretch looks. Numbers tell one tag from the next of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the styles are independent of each other"
)]
struct Style {
    bold: bool,
    italic: bool,
    underline: bool,
    strikethrough: bool,
    spoiler: bool,
    link: Option<(usize, Arc<str>)>,
    code: Option<usize>,
    pre: Option<usize>,
    quote: Option<(usize, EntityKind)>,
}

/// Whether a style is on.
type IsOn = fn(&Style) -> bool;

/// A stretch of text in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    text: String,
    style: Style,
}

/// A text that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    runs: Vec<Run>,
    /// Whether the state of the incident stands in it.
    pub(super) has_state: bool,
}

impl Page {
    /// Reads a text; `state` stands where its mark is.
    pub(super) fn read(html: &str, state: &str) -> Result<Self, HtmlError> {
        let mut reader = Reader {
            rest: html,
            state,
            page: Self::default(),
            open: Vec::new(),
            value: None,
            tags: 0,
        };
        while !reader.rest.is_empty() {
            reader.step()?;
        }
        if let Some((tag, _)) = reader.open.pop() {
            return Err(HtmlError::new(
                &format!("<{tag}"),
                format!("<{tag}> is not closed"),
                format!("write </{tag}> where it ends"),
            ));
        }
        let mut page = reader.page;
        page.trim();
        if page.shields() > MOST_SHIELDS {
            return Err(HtmlError::new(
                "",
                "more than 100 values and tags",
                "show fewer of them",
            ));
        }
        Ok(page)
    }

    /// Whether nothing stands in it.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Its length in UTF-16 code units.
    pub(super) fn units(&self) -> usize {
        self.runs.iter().map(|run| units(&run.text)).sum()
    }

    /// The finished text.
    pub(super) fn text(&self) -> Text {
        let mut text = String::new();
        for run in &self.runs {
            text.push_str(&run.text);
        }
        Text {
            text,
            entities: self.entities(),
            ..Text::default()
        }
    }

    /// White space around the whole is seen by nobody, and Telegram takes it away.
    fn trim(&mut self) {
        while let Some(first) = self.runs.first_mut() {
            let shorter = first.text.trim_start().to_owned();
            if !shorter.is_empty() {
                first.text = shorter;
                break;
            }
            self.runs.remove(0);
        }
        while let Some(last) = self.runs.last_mut() {
            last.text.truncate(last.text.trim_end().len());
            if !last.text.is_empty() {
                break;
            }
            self.runs.pop();
        }
    }

    fn shields(&self) -> usize {
        let entities = self.entities();
        let shields = entities.iter().filter(|entity| !is_plain_style(entity.kind));
        shields.count()
    }

    /// An entity for each stretch of neighbours that share what it stands for; outer before inner.
    fn entities(&self) -> Vec<Entity> {
        let mut entities = Vec::new();
        let flag = |flag: bool| flag.then_some(0);
        self.spans(&mut entities, |style| {
            style.quote.map(|(id, kind)| (id, kind, None))
        });
        self.spans(&mut entities, |style| {
            let link = style.link.as_ref().filter(|_| !style.is_mono())?;
            Some((link.0, EntityKind::TextLink, Some(link.1.clone())))
        });
        let flags: [(EntityKind, IsOn); 5] = [
            (EntityKind::Bold, |style| style.bold),
            (EntityKind::Italic, |style| style.italic),
            (EntityKind::Underline, |style| style.underline),
            (EntityKind::Strikethrough, |style| style.strikethrough),
            (EntityKind::Spoiler, |style| style.spoiler),
        ];
        for (kind, is_on) in flags {
            self.spans(&mut entities, |style| {
                let id = flag(is_on(style) && !style.is_mono())?;
                Some((id, kind, None))
            });
        }
        self.spans(&mut entities, |style| {
            style.pre.map(|id| (id, EntityKind::Pre, None))
        });
        self.spans(&mut entities, |style| {
            let id = style.code.filter(|_| style.pre.is_none())?;
            Some((id, EntityKind::Code, None))
        });
        entities.sort_by_key(|entity| (entity.offset, std::cmp::Reverse(entity.length)));
        entities
    }

    fn spans(
        &self,
        entities: &mut Vec<Entity>,
        of: impl Fn(&Style) -> Option<(usize, EntityKind, Option<Arc<str>>)>,
    ) {
        let mut open: Option<(usize, EntityKind, Option<Arc<str>>)> = None;
        let (mut at, mut begin, mut seen) = (0, 0, false);
        let mut close = |open: Option<(usize, EntityKind, Option<Arc<str>>)>, begin, end, seen| {
            // An entity over nothing that can be seen is refused.
            if let (Some((_, kind, url)), true) = (open, seen) {
                entities.push(Entity {
                    kind,
                    offset: begin,
                    length: end - begin,
                    url,
                });
            }
        };
        for run in &self.runs {
            let now = of(&run.style);
            if now != open {
                close(std::mem::replace(&mut open, now), begin, at, seen);
                (begin, seen) = (at, false);
            }
            seen |= !run.text.trim().is_empty();
            at += units(&run.text);
        }
        close(open, begin, at, seen);
    }
}

impl Style {
    fn is_mono(&self) -> bool {
        self.pre.is_some() || self.code.is_some()
    }
}

/// Whether Telegram does not count entities of this kind.
fn is_plain_style(kind: EntityKind) -> bool {
    matches!(
        kind,
        EntityKind::Bold
            | EntityKind::Italic
            | EntityKind::Underline
            | EntityKind::Strikethrough
            | EntityKind::Spoiler
    )
}

/// Reads one text.
struct Reader<'t> {
    rest: &'t str,
    state: &'t str,
    page: Page,
    /// The open tags, each with the style around it.
    open: Vec<(String, Style)>,
    /// Inside a value: the number that its `code` has.
    value: Option<usize>,
    /// How many tags and values there were.
    tags: usize,
}

impl Reader<'_> {
    fn step(&mut self) -> Result<(), HtmlError> {
        let Some(c) = self.rest.chars().next() else {
            return Ok(());
        };
        match c {
            '<' => return self.tag(),
            '&' => {
                self.reference();
                return Ok(());
            }
            OPEN => {
                self.tags += 1;
                self.value = Some(self.tags);
            }
            CLOSE => self.value = None,
            STATE => {
                self.page.has_state = true;
                let state = self.state.to_owned();
                self.push(&state);
            }
            _ => {
                let end = self
                    .rest
                    .find(['<', '&', OPEN, CLOSE, STATE])
                    .unwrap_or(self.rest.len());
                let (words, rest) = self.rest.split_at(end);
                self.rest = rest;
                self.push(words);
                return Ok(());
            }
        }
        self.rest = &self.rest[c.len_utf8()..];
        Ok(())
    }

    fn push(&mut self, words: &str) {
        let mut style = self.style();
        if let Some(id) = self.value.filter(|_| !style.is_mono()) {
            style.code = Some(id);
        }
        match self.page.runs.last_mut() {
            Some(last) if last.style == style => last.text.push_str(words),
            _ => self.page.runs.push(Run {
                text: words.to_owned(),
                style,
            }),
        }
    }

    fn style(&self) -> Style {
        self.open
            .last()
            .map(|(_, style)| style.clone())
            .unwrap_or_default()
    }

    /// `&lt;`, `&gt;`, `&amp;`, `&quot;` and numbers; anything else is an ampersand as it stands.
    fn reference(&mut self) {
        let end = self.rest.find(';').filter(|end| *end <= 10);
        let decoded = end.and_then(|end| decode(&self.rest[1..end]));
        let (length, c) = match (end, decoded) {
            (Some(end), Some(c)) => (end + 1, c),
            _ => (1, '&'),
        };
        self.rest = &self.rest[length..];
        let mut bytes = [0; 4];
        let words: &str = c.encode_utf8(&mut bytes);
        let words = words.to_owned();
        self.push(&words);
    }

    fn tag(&mut self) -> Result<(), HtmlError> {
        let end = self.rest.find('>').ok_or_else(|| {
            HtmlError::new(
                "<",
                "`<` begins a tag that has no `>`",
                "to mean the character itself, write &lt;",
            )
        })?;
        let written = &self.rest[1..end];
        self.rest = &self.rest[end + 1..];
        if written.contains([OPEN, CLOSE, STATE]) {
            let piece = format!(
                "<{}",
                written.split([OPEN, CLOSE, STATE]).next().unwrap_or_default()
            );
            return Err(HtmlError::new(
                &piece,
                "a value stands inside a tag",
                "put links with values into `buttons`; what a log says must not choose where a link leads",
            ));
        }
        match written.strip_prefix('/') {
            Some(name) => self.end(name.trim()),
            None => self.begin(written),
        }
    }

    fn end(&mut self, name: &str) -> Result<(), HtmlError> {
        let name = name.to_ascii_lowercase();
        let piece = format!("</{name}");
        match self.open.pop() {
            Some((open, _)) if open == name => Ok(()),
            Some((open, _)) => Err(HtmlError::new(
                &piece,
                format!("</{name}> stands where <{open}> is still open"),
                format!("close <{open}> first"),
            )),
            None => Err(HtmlError::new(
                &piece,
                format!("</{name}> closes nothing"),
                format!("take it out, or write <{name}> where it begins"),
            )),
        }
    }

    fn begin(&mut self, written: &str) -> Result<(), HtmlError> {
        let name = written.split([' ', '\n', '\t', '/']).next().unwrap_or_default();
        let attributes = written[name.len()..].trim();
        let tag = name.to_ascii_lowercase();
        let piece = format!("<{name}");
        let mut style = self.style();
        self.tags += 1;
        let id = self.tags;
        match tag.as_str() {
            "b" | "strong" => style.bold = true,
            "i" | "em" => style.italic = true,
            "u" | "ins" => style.underline = true,
            "s" | "strike" | "del" => style.strikethrough = true,
            "tg-spoiler" => style.spoiler = true,
            "span" if attribute(attributes, "class") == Some("tg-spoiler") => style.spoiler = true,
            "code" => style.code = Some(id),
            "pre" => style.pre = Some(id),
            "blockquote" if style.quote.is_some() => {
                return Err(HtmlError::new(
                    &piece,
                    "quotes do not nest",
                    "close the outer quote first",
                ));
            }
            "blockquote" => {
                let expandable = attributes.starts_with("expandable");
                let kind = if expandable {
                    EntityKind::ExpandableBlockquote
                } else {
                    EntityKind::Blockquote
                };
                style.quote = Some((id, kind));
            }
            "a" => style.link = Some((id, link(attributes, &piece)?)),
            _ => {
                return Err(HtmlError::new(
                    &piece,
                    format!("Telegram knows no tag <{name}>"),
                    format!(
                        "the tags are {TAGS}; a line break is a line break; to mean the character `<`, write &lt;"
                    ),
                ));
            }
        }
        self.open.push((tag, style));
        Ok(())
    }
}

/// Where a link leads.
fn link(attributes: &str, piece: &str) -> Result<Arc<str>, HtmlError> {
    let help = "write <a href=\"https://wiki.example.com/runbook\">Runbook</a>";
    let url =
        attribute(attributes, "href").ok_or_else(|| HtmlError::new(piece, "a link without `href`", help))?;
    match super::buttons::Link::parse(url) {
        Ok(_) => Ok(url.into()),
        Err(error) => Err(HtmlError::new(piece, error.what, error.help)),
    }
}

/// The value of an attribute in quotes.
fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let rest = attributes
        .split_once(name)?
        .1
        .trim_start()
        .strip_prefix('=')?
        .trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split(quote).next()
}

fn decode(reference: &str) -> Option<char> {
    match reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        _ => {
            let number = reference.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            let c = char::from_u32(code)?;
            (!c.is_control() && !matches!(c, OPEN..=STATE)).then_some(c)
        }
    }
}

/// A text that is one: no tag, no reference, none of our marks.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            OPEN..=STATE => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn kinds(html: &str) -> Vec<(EntityKind, usize, usize)> {
        let text = Page::read(html, "3 matches").unwrap().text();
        let entities = text.entities.iter();
        entities
            .map(|entity| (entity.kind, entity.offset, entity.length))
            .collect()
    }

    #[test]
    fn tags_become_entities_in_utf_16_units() {
        let text = Page::read(
            "<b>🔴 a</b> <i>x</i>&lt;&amp;&#33;&nope;<pre>p</pre><pre>q</pre>",
            "",
        )
        .unwrap()
        .text();
        assert_eq!(text.text, "🔴 a x<&!&nope;pq");
        assert_eq!(
            kinds("<b>🔴 a</b> <i>x</i>&lt;&amp;&#33;&nope;<pre>p</pre><pre>q</pre>"),
            [
                (EntityKind::Bold, 0, 4),
                (EntityKind::Italic, 5, 1),
                (EntityKind::Pre, 15, 1),
                (EntityKind::Pre, 16, 1),
            ]
        );
    }

    #[test]
    fn a_value_outside_pre_and_code_is_code_and_parts_the_style_around_it() {
        let html = format!(
            "<b>a {OPEN}@x{CLOSE} b</b><pre>{OPEN}y{CLOSE}</pre><blockquote expandable>{OPEN}z{CLOSE}</blockquote>"
        );
        assert_eq!(
            kinds(&html),
            [
                (EntityKind::Bold, 0, 2),
                (EntityKind::Code, 2, 2),
                (EntityKind::Bold, 4, 2),
                (EntityKind::Pre, 6, 1),
                (EntityKind::ExpandableBlockquote, 7, 1),
                (EntityKind::Code, 7, 1),
            ]
        );
    }

    #[test]
    fn the_state_stands_where_its_mark_is() {
        let page = Page::read(&format!(" <b>{STATE}</b>\n"), "3 matches").unwrap();
        assert!(page.has_state);
        assert_eq!(page.text().text, "3 matches");
    }

    #[test]
    fn what_telegram_does_not_know_is_an_error() {
        for html in [
            "<br>",
            "a < b",
            "<b>x",
            "x</b>",
            "<b><i>x</b></i>",
            "<blockquote><blockquote>x</blockquote></blockquote>",
            "<a>x</a>",
            "<a href=\"http://grafana:3000\">x</a>",
            "<span class=\"red\">x</span>",
            &format!("<a href=\"https://a.example/{OPEN}x{CLOSE}\">x</a>"),
        ] {
            assert!(Page::read(html, "").is_err(), "{html}");
        }
        assert!(Page::read("<a href='https://a.example/x?y=1'>x</a>", "").is_ok());
    }

    proptest! {
        #[test]
        fn a_value_can_be_no_markup(value in any::<String>(), markup in "[<>/&;ab#x0-9 \u{fdd0}\u{fdd1}\u{fdd2}]{0,30}") {
            for value in [value, markup] {
                let page = Page::read(&format!("a{OPEN}{}{CLOSE}b", escape(&value)), "state").unwrap();
                prop_assert!(!page.has_state);
                let text = page.text();
                let seen: String = value.chars().map(|c| if matches!(c, OPEN..=STATE) { '\u{fffd}' } else { c }).collect();
                prop_assert_eq!(&text.text, &format!("a{seen}b"));
                for entity in &text.entities {
                    prop_assert_eq!((entity.kind, entity.offset, entity.length), (EntityKind::Code, 1, units(&seen)));
                }
                prop_assert_eq!(text.entities.is_empty(), seen.trim().is_empty());
            }
        }

        #[test]
        fn no_text_makes_the_reading_panic(html in "[<>/&;abiu=\"' #x0-9é\u{fdd0}\u{fdd1}\u{fdd2}]{0,60}") {
            let _ = Page::read(&html, "state");
        }

        #[test]
        fn entities_lie_inside_the_text_and_never_cross(
            parts in prop::collection::vec("(<b>|</b>|<i>|</i>|<code>|</code>|<pre>|</pre>|<blockquote>|</blockquote>|\u{fdd0}v\u{fdd1}|🔴| |x)", 0..14)
        ) {
            if let Ok(page) = Page::read(&parts.concat(), "") {
                let text = page.text();
                let all = units(&text.text);
                for (at, a) in text.entities.iter().enumerate() {
                    prop_assert!(a.length > 0 && a.offset + a.length <= all);
                    for b in &text.entities[at + 1..] {
                        let apart = a.offset + a.length <= b.offset;
                        let inside = b.offset + b.length <= a.offset + a.length;
                        prop_assert!(apart || inside, "{:?}", text);
                        let mono = |kind| matches!(kind, EntityKind::Code | EntityKind::Pre);
                        let quote = a.kind == EntityKind::Blockquote;
                        prop_assert!(apart || !mono(a.kind), "{:?}", text);
                        prop_assert!(apart || !mono(b.kind) || quote, "{:?}", text);
                    }
                }
            }
        }
    }
}
