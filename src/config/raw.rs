//! rules.toml as it is written: every key of the file in the type it has there, and where it stands.
//!
//! Nothing is judged here but types, unknown keys and keys that must be there; what values mean is `check`'s.
//! Every list may be written as a single string.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Environment;
use super::keys::{self, Table};
use super::outline::Outline;
use super::problem::{Report, Source};
use super::table::{NumberOrText, Reader, Spot, Word, Words, integer};

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct File {
    /// The name shown in every message, where the machine's own says little ("7f3a9c" in a container).
    pub(super) host: Option<Word>,
    /// For chats that may be away for longer than a week and come back.
    pub(super) retention: Option<Word>,
    pub(super) telegram: Telegram,
    pub(super) health: Health,
    pub(super) digest: Option<Digest>,
    pub(super) fence: Fence,
    /// In the order of the file.
    pub(super) chats: Vec<Chat>,
    pub(super) logs: Vec<Log>,
    pub(super) rules: Vec<Rule>,
    /// What rules say that do not say it themselves.
    pub(super) defaults: Shared,
    pub(super) outline: Outline,
    /// Per text.
    pub(super) include: Vec<Option<Words>>,
}

/// `[telegram]`.
#[derive(Debug, Default)]
pub(super) struct Telegram {
    /// For a Docker secret or any file with the right mode.
    pub(super) token_file: Option<Word>,
    /// For a first try; a file that is shown to others should not hold it.
    pub(super) token: Option<Word>,
    /// For those who run their own Bot API server.
    pub(super) api_url: Option<Word>,
    /// For networks where Telegram is reached only through one.
    pub(super) proxy: Option<Word>,
    pub(super) updates: Option<Word>,
}

/// `[health]`.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// For disks that are slow by nature.
    pub(super) read_within: Option<Word>,
    /// For networks that are often away.
    pub(super) deliver_within: Option<Word>,
    /// For those who want to hear of silence.
    pub(super) heartbeat_url: Option<Word>,
}

/// `[digest]`.
#[derive(Debug)]
pub(super) struct Digest {
    pub(super) at: Option<Word>,
    /// For whoever keeps it apart from what rings.
    pub(super) chat: Option<Word>,
}

/// `[fence]`.
#[derive(Debug, Default)]
pub(super) struct Fence {
    /// For those who would rather not start than run without it, and for those who trust their own.
    pub(super) landlock: Option<Word>,
    /// For links that lead somewhere else later.
    pub(super) read: Option<Words>,
}

/// `[chats.NAME]`, or `NAME = ID` in `[chats]`.
#[derive(Debug)]
pub(super) struct Chat {
    pub(super) name: Word,
    pub(super) id: Option<Spot<NumberOrText>>,
    /// For forum groups.
    pub(super) topic: Option<Spot<i64>>,
    /// For the chat of those who look after tailgram itself.
    pub(super) notices: Option<Spot<bool>>,
    /// For chats that several programs write to.
    pub(super) limit: Option<Word>,
    /// For people who sleep.
    pub(super) silent_hours: Option<Word>,
    pub(super) timezone: Option<Word>,
    /// For chats that several rules share and that want the worst only.
    pub(super) show_level: Option<Word>,
}

/// One `[[logs]]` entry.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) name: Option<Word>,
    pub(super) files: Option<Words>,
    /// For rotated copies and noise among the files.
    pub(super) exclude: Option<Words>,
    pub(super) start: Option<Word>,
    /// For programs that write megabytes into one line.
    pub(super) max_line: Option<Word>,
    /// For programs that write a line in pieces, minutes apart.
    pub(super) partial: Option<Word>,
    /// For containers that write a long line in pieces, with pauses.
    pub(super) flush: Option<Word>,
    /// For network file systems, where the kernel tells nothing.
    pub(super) watch: Option<Word>,
    /// For health checks.
    pub(super) ignore: Option<Words>,
    pub(super) format: Option<Word>,
    pub(super) multiline: Option<Multiline>,
    pub(super) encoding: Option<Word>,
    /// For progress bars.
    pub(super) carriage_return: Option<Word>,
}

/// One `[[rules]]` entry.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: Option<Word>,
    pub(super) matches: Option<Words>,
    pub(super) all: Option<Words>,
    /// In the order of the file; absent if `where` is absent or no table.
    pub(super) conditions: Option<Vec<Condition>>,
    /// For what must keep appearing.
    pub(super) absent: Option<Word>,
    /// For programs that say when the trouble is over.
    pub(super) resolve: Option<Words>,
    /// For patterns that are hard to get right, and for those that must stay right.
    pub(super) tests: Vec<Test>,
    pub(super) shared: Shared,
    pub(super) at: Range<usize>,
}

/// One field of a rule's `where`.
#[derive(Debug)]
pub(super) struct Condition {
    /// Its name; of tables in tables, with dots.
    pub(super) field: String,
    /// Any of these is enough.
    pub(super) any: Vec<Wanted>,
    /// Where its value stands.
    pub(super) at: Range<usize>,
}

/// What a field must be.
#[derive(Debug)]
pub(super) enum Wanted {
    There(bool),
    /// A value, perhaps with a comparison before it.
    Text(Word),
}

/// `multiline` of a log.
#[derive(Debug)]
pub(super) enum Multiline {
    Word(Word),
    Patterns {
        start: Option<Word>,
        continues: Option<Word>,
        /// How many of the two are there, rightly or wrongly written; a key that does not exist counts if it is alone.
        count: usize,
        at: Range<usize>,
    },
}

/// `at_least` of a rule.
#[derive(Debug)]
pub(super) struct AtLeast {
    pub(super) count: Option<Spot<i64>>,
    pub(super) within: Option<Word>,
    /// Where it stands.
    pub(super) at: Range<usize>,
}

/// `context` of a rule.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) before: Option<Spot<i64>>,
    pub(super) after: Option<Spot<i64>>,
    pub(super) at: Range<usize>,
}

/// One entry of a rule's `buttons`.
#[derive(Debug)]
pub(super) struct Button {
    pub(super) text: Option<Word>,
    pub(super) url: Option<Word>,
}

/// One entry of a rule's `tests`.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) line: Option<Word>,
    /// What is expected.
    pub(super) matches: Option<Spot<bool>>,
}

/// The keys that a rule and `[defaults]` have in common. A rule's value replaces the default's; those of
/// `redact` add up.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) severity: Option<Word>,
    pub(super) chats: Option<Words>,
    pub(super) logs: Option<Words>,
    pub(super) unless: Option<Words>,
    /// For one incident per service, per user, per file.
    pub(super) by: Option<Words>,
    /// For what is a matter only when it repeats.
    pub(super) at_least: Option<AtLeast>,
    pub(super) wait: Option<Word>,
    pub(super) every: Option<Word>,
    pub(super) quiet: Option<Word>,
    /// For what must not be forgotten while it goes on.
    pub(super) remind: Option<Word>,
    pub(super) ring: Option<Word>,
    pub(super) limit: Option<Word>,
    /// For matches that say little alone.
    pub(super) context: Option<Context>,
    /// For those who want all of it.
    pub(super) attach: Option<Word>,
    /// For those who want other words.
    pub(super) template: Option<Word>,
    /// For the way from the phone to the runbook.
    pub(super) buttons: Option<Vec<Button>>,
    /// For secrets of one's own.
    pub(super) redact: Option<Words>,
}

impl File {
    /// Reads the texts, reporting what is not TOML and going on behind it. Together they are one rules.toml.
    pub(super) fn read(source: Source<'_>, env: &Environment, report: &mut Report<'_>) -> Self {
        let mut file = Self::default();
        let mut seen = Seen::default();
        for (at, text) in source.texts() {
            file.add(&behind(at, text), env, &mut seen, report);
        }
        seen.anything(report);
        file.outline.finish();
        file
    }

    /// Adds what one text says.
    fn add(&mut self, text: &str, env: &Environment, seen: &mut Seen, report: &mut Report<'_>) {
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().unwrap_or(0..0);
            // The parser means single quotes, but says it in a way that only its author reads so.
            let message = error.message().trim_end_matches(", expected literal string");
            report.syntax(
                &at,
                format!("this is not TOML: {message}"),
                syntax_help(text, &at, error.message()),
            );
        }
        let top = Reader::open(document.get_ref(), document.span(), Table::Top, env, report);
        seen.look(&top);
        self.include.push(top.words("include", report));
        if seen.first("host", &top, report) {
            self.host = top.word("host", report);
        }
        if seen.first("retention", &top, report) {
            self.retention = top.word("retention", report);
        }
        if seen.first("telegram", &top, report)
            && let Some(table) = table(&top, "telegram", Table::Telegram, env, report)
        {
            self.telegram = Telegram::read(&table, report);
        }
        if seen.first("health", &top, report)
            && let Some(table) = table(&top, "health", Table::Health, env, report)
        {
            self.health = Health::read(&table, report);
        }
        if seen.first("digest", &top, report)
            && let Some(table) = table(&top, "digest", Table::Digest, env, report)
        {
            self.digest = Some(Digest::read(&table, report));
        }
        if seen.first("fence", &top, report)
            && let Some(table) = table(&top, "fence", Table::Fence, env, report)
        {
            self.fence = Fence::read(&table, report);
        }
        if seen.first("defaults", &top, report)
            && let Some(table) = table(&top, "defaults", Table::Defaults, env, report)
        {
            self.defaults = Shared::read(&table, report);
        }
        self.chats.extend(chats(&top, env, report));
        self.logs
            .extend(entries(&top, "logs", Table::Log, env, report, Log::read));
        self.rules
            .extend(entries(&top, "rules", Table::Rule, env, report, Rule::read));
        self.outline.add(document.get_ref(), env);
    }
}

/// A text behind a comment as long as all that stands before it, so that the places the parser tells are places in all
/// texts together.
fn behind(at: usize, text: &str) -> Cow<'_, str> {
    if at == 0 {
        return Cow::Borrowed(text);
    }
    // A mark of the byte order is one at the start of a file alone.
    let text = text.replacen('\u{feff}', "   ", usize::from(text.starts_with('\u{feff}')));
    let comment = if at > 1 { "#" } else { "" };
    Cow::Owned(format!(
        "{comment}{:-<length$}\n{text}",
        "",
        length = at.saturating_sub(2)
    ))
}

/// What was met in the texts so far.
#[derive(Debug, Default)]
struct Seen {
    /// Where the keys stand that may stand in one file only.
    once: Vec<(&'static str, usize)>,
    /// Which of [`PARTS`] have an entry.
    filled: [bool; 3],
}

/// What a rules.toml needs, and how to write it.
const PARTS: [(&str, &str); 3] = [
    (
        "chats",
        "say who is told: [chats] and below it me = 53395910, your chat's id",
    ),
    (
        "logs",
        "say what to follow: [[logs]] and below it name = \"app\" and files = [\"/var/log/app/*.log\"]",
    ),
    (
        "rules",
        "say what to look for: [[rules]] and below it name = \"panic\" and match = 'panicked at'",
    ),
];

impl Seen {
    /// Whether a key is there for the first time.
    fn first(&mut self, key: &'static str, top: &Reader<'_, '_>, report: &mut Report<'_>) -> bool {
        let Some(value) = top.get(key) else { return false };
        let at = value.span();
        let before = self.once.iter().find(|(known, _)| *known == key);
        if let Some((_, before)) = before {
            let what = format!("`{key}` stands in {} already", report.called(*before, at.start));
            report.problem(
                &at,
                what,
                "all files together are one rules.toml: keep one of them",
            );
            return false;
        }
        self.once.push((key, at.start));
        true
    }

    fn look(&mut self, top: &Reader<'_, '_>) {
        for ((part, _), filled) in PARTS.iter().zip(&mut self.filled) {
            *filled |= top.get(part).is_some_and(|value| match value.get_ref() {
                DeValue::Array(items) => !items.is_empty(),
                DeValue::Table(entries) => !entries.is_empty(),
                _ => true,
            });
        }
    }

    /// A file without chats, logs or rules does nothing.
    fn anything(&self, report: &mut Report<'_>) {
        let end = report.first_text().trim_end().len();
        for ((part, help), filled) in PARTS.iter().zip(self.filled) {
            if !filled {
                report.missing(&(end..end), format!("there are no {part} in this file"), *help);
            }
        }
    }
}

impl Health {
    fn read(table: &Reader<'_, '_>, report: &mut Report<'_>) -> Self {
        Self {
            read_within: table.word("read_within", report),
            deliver_within: table.word("deliver_within", report),
            heartbeat_url: table.word("heartbeat_url", report),
        }
    }
}

impl Digest {
    fn read(table: &Reader<'_, '_>, report: &mut Report<'_>) -> Self {
        table.require("at", "say when: at = \"08:00\"", report);
        Self {
            at: table.word("at", report),
            chat: table.word("chat", report),
        }
    }
}

impl Fence {
    fn read(table: &Reader<'_, '_>, report: &mut Report<'_>) -> Self {
        Self {
            landlock: table.word("landlock", report),
            read: table.words("read", report),
        }
    }
}

impl Telegram {
    fn read(table: &Reader<'_, '_>, report: &mut Report<'_>) -> Self {
        Self {
            token_file: table.word("token_file", report),
            token: table.word("token", report),
            api_url: table.word("api_url", report),
            proxy: table.word("proxy", report),
            updates: table.word("updates", report),
        }
    }
}

impl Log {
    fn read(table: &Reader<'_, '_>, report: &mut Report<'_>) -> Self {
        table.require("name", "give the log a name: name = \"app\"", report);
        table.require(
            "files",
            "say which files to follow: files = [\"/var/log/app/*.log\"]",
            report,
        );
        Self {
            name: table.word("name", report),
            files: table.some_words("files", report),
            exclude: table.words("exclude", report),
            start: table.word("start", report),
            max_line: table.word("max_line", report),
            partial: table.word("partial", report),
            flush: table.word("flush", report),
            watch: table.word("watch", report),
            ignore: table.words("ignore", report),
            format: table.word("format", report),
            multiline: Multiline::read(table, report),
            encoding: table.word("encoding", report),
            carriage_return: table.word("carriage_return", report),
        }
    }
}

impl Rule {
    fn read(table: &Reader<'_, '_>, report: &mut Report<'_>) -> Self {
        table.require("name", "give the rule a name: name = \"panic\"", report);
        let matches = table.some_words("match", report);
        let all = table.words("all", report);
        let conditions = conditions(table, report);
        let empty = !table.has("match") && !table.has("where");
        if empty && all.as_ref().map_or(!table.has("all"), |all| all.value.is_empty()) {
            report.missing(
                &table.at,
                "this rule looks for nothing".into(),
                "say what to look for: match = 'panicked at'",
            );
        }
        Self {
            name: table.word("name", report),
            matches,
            all,
            conditions,
            absent: table.word("absent", report),
            resolve: table.words("resolve", report),
            tests: entries(table, "tests", Table::Test, table.env, report, Test::read),
            shared: Shared::read(table, report),
            at: table.at.clone(),
        }
    }
}

impl Multiline {
    fn read(log: &Reader<'_, '_>, report: &mut Report<'_>) -> Option<Self> {
        let value = log.get("multiline")?;
        let Some(entries) = value.get_ref().as_table() else {
            let wanted = "a string in quotes or a table";
            return log.string(value, "multiline", wanted, report).map(Self::Word);
        };
        let table = Reader::open(entries, value.span(), Table::Multiline, log.env, report);
        Some(Self::Patterns {
            start: table.word("start", report),
            continues: table.word("continue", report),
            count: ["start", "continue"]
                .iter()
                .filter(|key| table.has(key))
                .count()
                .max(usize::from(!entries.is_empty())),
            at: table.at.clone(),
        })
    }
}

impl AtLeast {
    fn read(table: &Reader<'_, '_>, report: &mut Report<'_>) -> Self {
        table.require("count", "say how many: count = 5", report);
        table.require("within", "say within how long: within = \"1m\"", report);
        Self {
            count: table.number("count", report),
            within: table.word("within", report),
            at: table.at.clone(),
        }
    }
}

impl Context {
    fn read(table: &Reader<'_, '_>, report: &mut Report<'_>) -> Self {
        Self {
            before: table.number("before", report),
            after: table.number("after", report),
            at: table.at.clone(),
        }
    }
}

impl Button {
    fn read(table: &Reader<'_, '_>, report: &mut Report<'_>) -> Self {
        for key in ["text", "url"] {
            table.require(key, &format!("write {}", keys::example(key)), report);
        }
        Self {
            text: table.word("text", report),
            url: table.word("url", report),
        }
    }
}

impl Test {
    fn read(table: &Reader<'_, '_>, report: &mut Report<'_>) -> Self {
        let line = format!("write the line to try: {}", keys::example("line"));
        table.require("line", &line, report);
        table.require(
            "match",
            "say what you expect: match = true, or match = false",
            report,
        );
        Self {
            line: table.word("line", report),
            matches: table.boolean("match", report),
        }
    }
}

impl Shared {
    fn read(table: &Reader<'_, '_>, report: &mut Report<'_>) -> Self {
        Self {
            severity: table.word("severity", report),
            chats: table.some_words("chats", report),
            logs: table.some_words("logs", report),
            unless: table.words("unless", report),
            by: table.words("by", report),
            at_least: self::table(table, "at_least", Table::AtLeast, table.env, report)
                .map(|table| AtLeast::read(&table, report)),
            wait: table.word("wait", report),
            every: table.word("every", report),
            quiet: table.word("quiet", report),
            remind: table.word("remind", report),
            ring: table.word("ring", report),
            limit: table.word("limit", report),
            context: self::table(table, "context", Table::Context, table.env, report)
                .map(|table| Context::read(&table, report)),
            attach: table.word("attach", report),
            template: table.word("template", report),
            buttons: table
                .has("buttons")
                .then(|| entries(table, "buttons", Table::Button, table.env, report, Button::read)),
            redact: table.words("redact", report),
        }
    }
}

/// `where`: a table of fields. Tables in it are fields of fields.
fn conditions(rule: &Reader<'_, '_>, report: &mut Report<'_>) -> Option<Vec<Condition>> {
    let value = rule.get("where")?;
    let help = format!(
        "write the fields and what they must be: {}",
        keys::example("where")
    );
    let Some(entries) = value.get_ref().as_table() else {
        report.problem(&value.span(), "`where` must be a table".into(), help);
        return None;
    };
    if entries.is_empty() {
        report.problem(&value.span(), "`where` is an empty table".into(), help);
    }
    let mut conditions = Vec::new();
    fields(rule, entries, "", &mut conditions, report);
    // The parser sorts keys by name.
    conditions.sort_by_key(|condition| condition.at.start);
    Some(conditions)
}

fn fields(
    rule: &Reader<'_, '_>,
    entries: &DeTable<'_>,
    above: &str,
    conditions: &mut Vec<Condition>,
    report: &mut Report<'_>,
) {
    for (name, value) in entries {
        let name: &str = name.get_ref();
        let field = format!("{above}{name}");
        match value.get_ref() {
            DeValue::Table(inner) => fields(rule, inner, &format!("{field}."), conditions, report),
            DeValue::Array(items) if items.is_empty() => report.problem(
                &value.span(),
                format!("{field:?} must be one of nothing"),
                "name at least one value, or take the field out",
            ),
            DeValue::Array(items) => {
                let any = items
                    .iter()
                    .filter_map(|item| wanted(rule, item, report))
                    .collect();
                conditions.push(Condition {
                    field,
                    any,
                    at: value.span(),
                });
            }
            _ => {
                let any = wanted(rule, value, report).into_iter().collect();
                conditions.push(Condition {
                    field,
                    any,
                    at: value.span(),
                });
            }
        }
    }
}

fn wanted(rule: &Reader<'_, '_>, value: &Spanned<DeValue<'_>>, report: &mut Report<'_>) -> Option<Wanted> {
    let number = match value.get_ref() {
        DeValue::Boolean(there) => return Some(Wanted::There(*there)),
        DeValue::Integer(_) => integer(value.get_ref()).map(|number| number.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    };
    let number = number.map(|value_| Word {
        value: value_,
        at: value.span(),
    });
    let wanted = "a string, a number, true, false, or a list of them";
    number
        .or_else(|| rule.string(value, "where", wanted, report))
        .map(Wanted::Text)
}

/// A table such as `[telegram]`.
fn table<'a, 'i>(
    top: &Reader<'a, 'i>,
    key: &str,
    kind: Table,
    env: &'a Environment,
    report: &mut Report<'_>,
) -> Option<Reader<'a, 'i>> {
    let value = top.get(key)?;
    let Some(entries) = value.get_ref().as_table() else {
        let help = match kind {
            Table::AtLeast | Table::Context => format!("write {}", keys::example(key)),
            _ => format!("write its keys below a line [{key}]"),
        };
        report.problem(&value.span(), format!("`{key}` must be a table"), help);
        return None;
    };
    Some(Reader::open(entries, value.span(), kind, env, report))
}

/// A list of tables such as `[[logs]]`, or `tests` of a rule.
fn entries<'a, 'i, T>(
    top: &Reader<'a, 'i>,
    key: &str,
    kind: Table,
    env: &'a Environment,
    report: &mut Report<'_>,
    read: impl Fn(&Reader<'a, 'i>, &mut Report<'_>) -> T,
) -> Vec<T> {
    let Some(value) = top.get(key) else {
        return Vec::new();
    };
    let help = match kind {
        Table::Test | Table::Button => format!("write {}", keys::example(key)),
        _ => format!("write each entry below a line [[{key}]], with two brackets"),
    };
    let Some(items) = value.get_ref().as_array() else {
        report.problem(&value.span(), format!("`{key}` must be a list of tables"), help);
        return Vec::new();
    };
    let mut list = Vec::new();
    for item in items {
        match item.get_ref().as_table() {
            Some(entry) => list.push(read(&Reader::open(entry, item.span(), kind, env, report), report)),
            None => report.problem(
                &item.span(),
                format!("`{key}` must be a list of tables"),
                help.clone(),
            ),
        }
    }
    list
}

/// `[chats]` with its short forms and its tables, in the order of the file.
fn chats(top: &Reader<'_, '_>, env: &Environment, report: &mut Report<'_>) -> Vec<Chat> {
    let Some(value) = top.get("chats") else {
        return Vec::new();
    };
    let Some(entries) = value.get_ref().as_table() else {
        let help = "write [chats] and below it a line per chat: me = 53395910; or a table [chats.NAME]";
        report.problem(&value.span(), "`chats` must be a table".into(), help);
        return Vec::new();
    };
    let mut chats: Vec<_> = entries
        .iter()
        .map(|(name, value)| chat(top, name, value, env, report))
        .collect();
    // The parser sorts keys by name.
    chats.sort_by_key(|chat| chat.name.at.start);
    chats
}

fn chat<N: AsRef<str>>(
    top: &Reader<'_, '_>,
    name: &Spanned<N>,
    value: &Spanned<DeValue<'_>>,
    env: &Environment,
    report: &mut Report<'_>,
) -> Chat {
    let text = name.get_ref().as_ref();
    let name = Spot {
        value: text.to_owned(),
        at: name.span(),
    };
    let Some(entries) = value.get_ref().as_table() else {
        return Chat {
            id: top.number_or_text(value, text, report),
            name,
            topic: None,
            notices: None,
            limit: None,
            silent_hours: None,
            timezone: None,
            show_level: None,
        };
    };
    let table = Reader::open(entries, value.span(), Table::Chat, env, report);
    // `invite` stands in place of an id; that it is not supported was said already.
    if !table.has("invite") {
        table.require(
            "id",
            "give the chat's id: id = -1001234567890, or \"@name\" of a public channel",
            report,
        );
    }
    Chat {
        name,
        id: table
            .get("id")
            .and_then(|id| table.number_or_text(id, "id", report)),
        topic: table.number("topic", report),
        notices: table.boolean("notices", report),
        limit: table.word("limit", report),
        silent_hours: table.word("silent_hours", report),
        timezone: table.word("timezone", report),
        show_level: table.word("show_level", report),
    }
}

/// The cure of a syntax error, by what usually causes it.
fn syntax_help(text: &str, at: &Range<usize>, message: &str) -> &'static str {
    let before = text.get(..at.start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    if message.contains("escape") {
        "write a pattern between single quotes, where a backslash stands for itself: match = '\\d+'"
    } else if message.contains("duplicate key") {
        "this key stood in this table before; keep one of them, or write a list: match = ['a', 'b']"
    } else if message.contains("quoted") || line.trim_end().ends_with('=') {
        "put the value into quotes: key = \"value\"; a pattern into single quotes: match = 'a\\d+'"
    } else if message.contains("string") || message.contains("quote") {
        "a string ends on its own line, with the quote it began with; a ' inside needs \"…\" or '''…'''"
    } else {
        "a line is [table], [[table]], key = value or # comment"
    }
}
