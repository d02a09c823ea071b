//! From what updates show to lines for rules.toml: each chat and topic once, under a name of its own.
//!
//! The trap: titles are foreign text, and anybody can write to a bot. A title stands in a comment, on one
//! line, with everything invisible made visible; of it only ASCII letters and digits get into a name.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::message::Clean;
use crate::model::ChatTarget;
use crate::telegram::{Chat, ChatKind, ChatSettings, Page, Sight, Topic};

/// The most chats and topics that are listed.
const MOST: usize = 1_000;

/// Characters of a title that are shown.
const MAX_TITLE: usize = 64;

/// Characters of a name made from a title.
const MAX_NAME: usize = 32;

/// A chat, or a topic of one.
type Place = (i64, Option<i64>);

/// What was listed so far.
pub(super) struct Listing {
    /// The chats of rules.toml.
    known: Vec<ChatSettings>,
    /// Names that are taken, by rules.toml or by what was listed.
    names: BTreeSet<String>,
    /// Names that were listed, in order.
    listed: Vec<String>,
    /// What was listed, or is known.
    seen: BTreeSet<Place>,
    /// Groups of which was told what they became.
    moved: BTreeSet<i64>,
    /// The number of the last update that was looked at.
    last: Option<i64>,
}

/// What a page adds.
#[derive(Default)]
pub(super) struct New {
    /// TOML.
    pub(super) text: String,
    /// How many chats and topics are in it.
    pub(super) chats: usize,
}

impl Listing {
    pub(super) fn new(known: &[ChatSettings]) -> Self {
        Self {
            known: known.to_vec(),
            names: known
                .iter()
                .map(|chat| chat.name.as_str().to_lowercase())
                .collect(),
            listed: Vec::new(),
            seen: BTreeSet::new(),
            moved: BTreeSet::new(),
            last: None,
        }
    }

    /// How many chats and topics were listed.
    pub(super) fn shown(&self) -> usize {
        self.listed.len()
    }

    /// The name of the first chat that was seen.
    pub(super) fn first(&self) -> Option<&str> {
        self.listed.first().map(String::as_str)
    }

    /// Lists what a page shows for the first time. All of the page is looked at before anything is listed:
    /// the bot may have been put out again, and a topic's name may come after its first message.
    pub(super) fn take(&mut self, page: &Page) -> New {
        let mut new = New::default();
        let mut fresh: Vec<(Chat, Option<Topic>)> = Vec::new();
        let sights = page
            .sights
            .iter()
            .filter(|(n, _)| self.last.is_none_or(|last| *n > last));
        let sights: Vec<&Sight> = sights.map(|(_, sight)| sight).collect();
        for sight in sights {
            match sight {
                Sight::Here(chat, topic) => self.note(&mut fresh, chat, topic.as_ref()),
                Sight::Gone(chat) => {
                    let before = fresh.len();
                    fresh.retain(|(other, _)| other.id != chat.id);
                    if before != fresh.len() || self.holds(chat.id) {
                        comment(
                            &mut new,
                            &format!("{}: the bot is no longer in it", line(chat, None)),
                        );
                    }
                }
                Sight::Moved(from, chat) => {
                    fresh.retain(|(other, _)| other.id != *from);
                    self.note(&mut fresh, chat, None);
                    if self.moved.insert(*from) {
                        let told = format!("{}: it had the id {from} when it was a group", line(chat, None));
                        comment(&mut new, &told);
                    }
                }
            }
        }
        self.last = self.last.max(page.last);
        for (chat, topic) in fresh {
            self.list(&mut new, &chat, topic.as_ref());
        }
        new
    }

    /// Puts a place among the fresh ones unless it was seen; what is known better now replaces what was.
    fn note(&self, fresh: &mut Vec<(Chat, Option<Topic>)>, chat: &Chat, topic: Option<&Topic>) {
        let place = |chat: &Chat, topic: Option<&Topic>| (chat.id, topic.map(|topic| topic.id));
        let this = place(chat, topic);
        if self.seen.contains(&this) || self.seen.len() + fresh.len() >= MOST {
            return;
        }
        let noted = fresh
            .iter_mut()
            .find(|(chat, topic)| place(chat, topic.as_ref()) == this);
        let Some(noted) = noted else {
            return fresh.push((chat.clone(), topic.cloned()));
        };
        noted.0 = chat.clone();
        if let Some(topic) = topic.filter(|topic| topic.name.is_some()) {
            noted.1 = Some(topic.clone());
        }
    }

    /// Whether a chat was listed or stands in rules.toml.
    fn holds(&self, id: i64) -> bool {
        let listed = self.seen.range((id, None)..).next();
        listed.is_some_and(|place| place.0 == id)
            || self.known.iter().any(|chat| chat.target == ChatTarget::Id(id))
    }

    fn list(&mut self, new: &mut New, chat: &Chat, topic: Option<&Topic>) {
        let topic_id = topic.map(|topic| topic.id);
        self.seen.insert((chat.id, topic_id));
        new.chats += 1;
        let about = line(chat, topic);
        let same = |known: &&ChatSettings| known.target == ChatTarget::Id(chat.id) && known.topic == topic_id;
        if let Some(known) = self.known.iter().find(same) {
            comment(new, &format!("{about}: this is [chats.{}]", known.name));
            self.listed.push(known.name.to_string());
            return;
        }
        let name = self.name(chat, topic);
        let topic = topic_id.map(|id| format!("topic = {id}\n"));
        let id = chat.id;
        // Writing into a string cannot fail.
        let _ = write!(
            new.text,
            "\n# {about}\n[chats.{name}]\nid = {id}\n{}",
            topic.unwrap_or_default()
        );
        self.listed.push(name);
    }

    /// A name that no other chat has.
    fn name(&mut self, chat: &Chat, topic: Option<&Topic>) -> String {
        let topic = topic.map(|topic| topic.name.clone().unwrap_or_else(|| topic.id.to_string()));
        let base = slug(&format!("{} {}", chat.title, topic.unwrap_or_default()));
        let numbered = |n: usize| match &base {
            Some(base) if n == 1 => base.clone(),
            Some(base) => format!("{base}-{n}"),
            None => format!("chat{n}"),
        };
        // Of one more name than are taken, one is free.
        let free = (1..=self.names.len() + 1)
            .map(numbered)
            .find(|name| !self.names.contains(name));
        let name = free.unwrap_or_else(|| "chat".to_owned());
        self.names.insert(name.clone());
        name
    }
}

fn comment(new: &mut New, words: &str) {
    let _ = write!(new.text, "\n# {words}\n");
}

/// What a chat or topic is and is called.
fn line(chat: &Chat, topic: Option<&Topic>) -> String {
    let what = format!("{} {}", kind(chat), shown(&chat.title));
    match topic {
        None => what,
        Some(Topic { id, name: None }) => format!("{what}, topic {id}"),
        Some(Topic { name: Some(name), .. }) => format!("{what}, topic {}", shown(name)),
    }
}

/// What a chat is, in words.
pub(super) fn kind(chat: &Chat) -> &'static str {
    match chat.kind {
        ChatKind::Private => "private chat",
        ChatKind::Group => "group",
        ChatKind::Supergroup if chat.forum => "forum group",
        ChatKind::Supergroup => "supergroup",
        ChatKind::Channel => "channel",
    }
}

/// A title in quotes, fit for a comment and a terminal.
pub(super) fn shown(title: &str) -> String {
    let clean = Clean::line(title);
    let mut short: String = clean.as_str().chars().take(MAX_TITLE).collect();
    if short.len() < clean.as_str().len() {
        short.push('…');
    }
    format!("\"{short}\"")
}

/// The ASCII letters and digits of a title, in lower case, what stands between them as one dash; none if
/// there is no letter, which every name should have.
fn slug(title: &str) -> Option<String> {
    let mut slug = String::new();
    for c in title.chars() {
        if slug.len() >= MAX_NAME {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !c.is_alphanumeric() && !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_matches('-');
    slug.contains(|c: char| c.is_ascii_alphabetic())
        .then(|| slug.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::config::{self, Environment};
    use crate::model::ChatName;

    fn chat(id: i64, title: &str) -> Chat {
        Chat {
            id,
            kind: ChatKind::Supergroup,
            title: title.to_owned(),
            forum: true,
        }
    }

    fn here(id: i64, title: &str) -> Sight {
        Sight::Here(chat(id, title), None)
    }

    fn in_topic(id: i64, title: &str, topic: i64, name: Option<&str>) -> Sight {
        let name = name.map(str::to_owned);
        Sight::Here(chat(id, title), Some(Topic { id: topic, name }))
    }

    fn page(first: i64, sights: Vec<Sight>) -> Page {
        let sights: Vec<_> = (first..).zip(sights).collect();
        Page {
            updates: sights.len(),
            last: sights.last().map(|(n, _)| *n),
            sights,
        }
    }

    fn listing() -> Listing {
        Listing::new(&[])
    }

    #[test]
    fn each_chat_and_topic_is_listed_once() {
        let mut listing = listing();
        let first = page(
            1,
            vec![
                here(-1, "Ops"),
                in_topic(-1, "Ops", 5, None),
                here(-1, "Ops"),
                in_topic(-1, "Ops", 5, Some("Alerts")),
            ],
        );
        let new = listing.take(&first);
        assert_eq!(
            new.text,
            "\n# forum group \"Ops\"\n[chats.ops]\nid = -1\n\
             \n# forum group \"Ops\", topic \"Alerts\"\n[chats.ops-alerts]\nid = -1\ntopic = 5\n"
        );
        assert_eq!(new.chats, 2);
        assert_eq!(listing.take(&first).text, "");
        assert_eq!(listing.take(&page(9, vec![here(-1, "Ops")])).chats, 0);
    }

    #[test]
    fn a_chat_that_the_bot_left_within_a_page_is_not_offered() {
        let mut listing = listing();
        let new = listing.take(&page(1, vec![here(-1, "Ops"), Sight::Gone(chat(-1, "Ops"))]));
        assert_eq!(new.text, "\n# forum group \"Ops\": the bot is no longer in it\n");
        assert_eq!((new.chats, listing.shown()), (0, 0));
        let back = listing.take(&page(3, vec![here(-1, "Ops")]));
        assert_eq!(back.chats, 1);
        let strange = listing.take(&page(4, vec![Sight::Gone(chat(-2, "Never seen"))]));
        assert_eq!(strange.text, "");
    }

    #[test]
    fn an_upgraded_group_is_listed_under_its_new_id_and_the_old_one_is_named_once() {
        let mut listing = listing();
        let moved = || Sight::Moved(-1, chat(-100, "Ops"));
        let new = listing.take(&page(1, vec![here(-1, "Ops"), moved(), moved()]));
        assert_eq!(
            new.text,
            "\n# forum group \"Ops\": it had the id -1 when it was a group\n\
             \n# forum group \"Ops\"\n[chats.ops]\nid = -100\n"
        );
    }

    #[test]
    fn what_stands_in_rules_toml_is_named_and_its_name_is_not_given_again() {
        let known = ChatSettings {
            name: ChatName::new("ops"),
            target: ChatTarget::Id(-1),
            topic: None,
            limit: None,
        };
        let mut listing = Listing::new(&[known]);
        let new = listing.take(&page(1, vec![here(-1, "Whatever"), here(-2, "Ops")]));
        assert_eq!(
            new.text,
            "\n# forum group \"Whatever\": this is [chats.ops]\n\
             \n# forum group \"Ops\"\n[chats.ops-2]\nid = -2\n"
        );
    }

    #[test]
    fn names_are_made_of_ascii_letters_and_digits() {
        for (title, name) in [
            ("Web Team", Some("web-team")),
            ("  -- ops!! on--call ", Some("ops-on-call")),
            ("Команда ops 2", Some("ops-2")),
            ("Команда", None),
            ("2024", None),
            ("", None),
            ("]\nid = 5 #", Some("id-5")),
        ] {
            assert_eq!(slug(title).as_deref(), name, "{title}");
        }
        assert_eq!(slug(&"a".repeat(99)).unwrap().len(), MAX_NAME);
    }

    #[test]
    fn there_is_a_bound() {
        let mut listing = listing();
        let sights = (0..2_000).map(|id| here(id, "x")).collect();
        assert_eq!(listing.take(&page(1, sights)).chats, MOST);
        assert_eq!(listing.take(&page(9_000, vec![here(-5, "x")])).chats, 0);
    }

    proptest! {
        #[test]
        fn whatever_chats_are_called_the_lines_are_a_rules_toml(
            titles in prop::collection::vec((".*", prop::option::of(".*")), 1..20),
        ) {
            let mut listing = listing();
            let sights: Vec<_> = (1..)
                .zip(&titles)
                .map(|(id, (title, topic))| match topic {
                    None => here(-id, title),
                    Some(topic) => in_topic(-id, title, 7, Some(topic)),
                })
                .collect();
            let new = listing.take(&page(1, sights));
            prop_assert_eq!(new.chats, titles.len());
            let text = format!(
                "{}[[logs]]\nname = \"app\"\nfiles = [\"a\"]\n[[rules]]\nname = \"r\"\nmatch = 'x'\n\
                 chats = [\"{}\"]\n",
                new.text,
                listing.first().unwrap()
            );
            let settings = config::parse("rules.toml".as_ref(), &text, &Environment::default());
            let settings = settings.map_err(|problems| TestCaseError::fail(format!("{problems}\n{text}")))?;
            let ids: Vec<_> = settings.telegram.chats.iter().map(|chat| chat.target.clone()).collect();
            let expected: Vec<_> = (1..).zip(&titles).map(|(id, _)| ChatTarget::Id(-id)).collect();
            prop_assert_eq!(ids, expected);
        }
    }
}
