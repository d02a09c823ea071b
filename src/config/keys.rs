//! The keys of rules.toml by table: those that work, those that are promised but not built yet, and what
//! people write instead.
//!
//! A key of the second kind is refused, never ignored: a rule that silently lost its `unless` would ring for
//! the wrong lines. To build one, move its row from `REFUSED` here to its table in `key`.

use super::key;

/// A table of rules.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Top,
    Telegram,
    Health,
    Digest,
    Fence,
    Chat,
    Log,
    Rule,
    Test,
    AtLeast,
    Button,
    Context,
    Multiline,
    Defaults,
}

impl Table {
    pub(super) const ALL: [Table; 14] = [
        Table::Top,
        Table::Telegram,
        Table::Health,
        Table::Digest,
        Table::Fence,
        Table::Chat,
        Table::Log,
        Table::Rule,
        Table::Test,
        Table::AtLeast,
        Table::Button,
        Table::Context,
        Table::Multiline,
        Table::Defaults,
    ];

    /// How its header is written.
    pub(super) fn title(self) -> &'static str {
        match self {
            Table::Top => "the top level",
            Table::Telegram => "[telegram]",
            Table::Health => "[health]",
            Table::Digest => "[digest]",
            Table::Fence => "[fence]",
            Table::Chat => "[chats.NAME]",
            Table::Log => "[[logs]]",
            Table::Rule => "[[rules]]",
            Table::Test => "`tests`",
            Table::AtLeast => "`at_least`",
            Table::Button => "`buttons`",
            Table::Context => "`context`",
            Table::Multiline => "`multiline`",
            Table::Defaults => "[defaults]",
        }
    }

    /// The names of the keys that work in it.
    pub(super) fn allowed(self) -> Vec<&'static str> {
        key::of(self).map(|key| key.name).collect()
    }

    /// What to do instead of a key that is not supported yet; absent if the key is not one of those.
    pub(super) fn refused(self, key: &str) -> Option<&'static str> {
        let table = if self == Table::Defaults {
            Table::Rule
        } else {
            self
        };
        REFUSED
            .iter()
            .find(|(place, name, _)| *place == table && *name == key)
            .map(|(_, _, instead)| *instead)
    }
}

/// Promised keys that are not built yet, with what to do until they are.
pub(super) const REFUSED: &[(Table, &str, &str)] = &[
    (Table::Top, "hub", "take the table out"),
    (
        Table::Telegram,
        "admins",
        "take the line out: the bot does not listen to anybody yet",
    ),
    (
        Table::Telegram,
        "webhook",
        "take the table out: the bot does not listen to anybody yet",
    ),
    (Table::Chat, "invite", "give the chat's `id` instead"),
];

/// What people write who come from other programs, and the key here.
const SYNONYMS: &[(Table, &str, &str)] = &[
    (Table::Top, "chat", "chats"),
    (Table::Top, "default", "defaults"),
    (Table::Top, "hostname", "host"),
    (Table::Top, "landlock", "fence"),
    (Table::Top, "sandbox", "fence"),
    (Table::Top, "security", "fence"),
    (Table::Telegram, "bot_token", "token_file"),
    (Table::Telegram, "url", "api_url"),
    (Table::Chat, "chat_id", "id"),
    (Table::Chat, "thread", "topic"),
    (Table::Chat, "message_thread_id", "topic"),
    (Table::Chat, "quiet_hours", "silent_hours"),
    (Table::Chat, "quiet", "silent_hours"),
    (Table::Chat, "zone", "timezone"),
    (Table::Chat, "tz", "timezone"),
    (Table::Chat, "severity", "show_level"),
    (Table::Chat, "level", "show_level"),
    (Table::Log, "path", "files"),
    (Table::Log, "paths", "files"),
    (Table::Log, "glob", "files"),
    (Table::Log, "from", "start"),
    (Table::Rule, "pattern", "match"),
    (Table::Rule, "patterns", "match"),
    (Table::Rule, "regex", "match"),
    (Table::Rule, "keyword", "match"),
    (Table::Rule, "ignore", "unless"),
    (Table::Rule, "exclude", "unless"),
    (Table::Rule, "not", "unless"),
    (Table::Rule, "level", "severity"),
    (Table::Rule, "priority", "severity"),
    (Table::Rule, "group_by", "by"),
    (Table::Rule, "cooldown", "every"),
    (Table::Rule, "interval", "every"),
    (Table::Rule, "throttle", "limit"),
    (Table::Rule, "threshold", "at_least"),
    (Table::AtLeast, "window", "within"),
    (Table::AtLeast, "times", "count"),
    (Table::Rule, "missing", "absent"),
    (Table::Rule, "silence", "absent"),
    (Table::Multiline, "begin", "start"),
    (Table::Multiline, "first", "start"),
    (Table::Multiline, "match", "start"),
    (Table::Multiline, "pattern", "start"),
    (Table::Multiline, "continuation", "continue"),
    (Table::Multiline, "next", "continue"),
    (Table::Rule, "repeat_interval", "remind"),
    (Table::Rule, "repeat", "remind"),
    (Table::Rule, "test", "tests"),
    (Table::Rule, "mask", "redact"),
    (Table::Rule, "links", "buttons"),
    (Table::Rule, "format", "template"),
    (Table::Rule, "body", "template"),
    (Table::Rule, "button", "buttons"),
    (Table::Rule, "attachment", "attach"),
    (Table::Rule, "document", "attach"),
    (Table::Rule, "runbook", "buttons"),
    (Table::Button, "link", "url"),
    (Table::Context, "above", "before"),
    (Table::Context, "below", "after"),
    (Table::Button, "href", "url"),
    (Table::Button, "label", "text"),
    (Table::Button, "name", "text"),
    (Table::Button, "title", "text"),
    (Table::Test, "text", "line"),
    (Table::Test, "input", "line"),
    (Table::Test, "expect", "match"),
    (Table::Test, "expected", "match"),
];

/// How similar a name must be to be offered; 1.0 is the same. It values a common beginning, so `severe` is
/// nearer to `severity` than to `every`.
const SIMILAR: f64 = 0.85;

/// How each key is written, for whoever gave it a value of the wrong type.
const EXAMPLES: &[(&str, &str)] = &[
    ("host", "host = \"web-1\""),
    ("include", "include = [\"rules.d/*.toml\"]"),
    ("retention", "retention = \"7d\""),
    ("token_file", "token_file = \"/run/secrets/telegram\""),
    ("token", "token = \"…\""),
    ("api_url", "api_url = \"https://api.telegram.org\""),
    ("proxy", "proxy = \"socks5h://proxy:1080\""),
    ("updates", "updates = \"off\""),
    ("id", "id = -1001234567890, or \"@name\" of a public channel"),
    ("topic", "topic = 42"),
    ("limit", "limit = \"12/h\""),
    ("notices", "notices = true"),
    ("silent_hours", "silent_hours = \"22:00-07:00\""),
    ("timezone", "timezone = \"Asia/Seoul\""),
    ("show_level", "show_level = \"warning\""),
    ("read_within", "read_within = \"30s\""),
    ("deliver_within", "deliver_within = \"5m\""),
    ("heartbeat_url", "heartbeat_url = \"https://hc-ping.com/…\""),
    ("landlock", "landlock = \"auto\""),
    ("read", "read = [\"/var/log/pods\"]"),
    ("name", "name = \"app\""),
    ("files", "files = [\"/var/log/app/*.log\"]"),
    ("exclude", "exclude = [\"*.gz\"]"),
    ("start", "start = \"end\""),
    ("max_line", "max_line = \"64KiB\""),
    ("partial", "partial = \"5s\""),
    ("flush", "flush = \"1s\""),
    ("watch", "watch = \"auto\""),
    ("at", "at = \"08:00\""),
    ("chat", "chat = \"ops\""),
    ("ignore", "ignore = ['healthcheck']"),
    ("format", "format = \"docker\""),
    ("multiline", "multiline = \"auto\""),
    ("encoding", "encoding = \"utf-8\""),
    ("carriage_return", "carriage_return = \"show\""),
    ("logs", "logs = [\"app\"]"),
    ("match", "match = 'panicked at'"),
    ("all", "all = ['payments', 'timeout']"),
    (
        "where",
        "where = { level = \"error\", \"http.status\" = \">=500\" }",
    ),
    ("unless", "unless = ['KeyboardInterrupt']"),
    ("severity", "severity = \"critical\""),
    ("chats", "chats = [\"ops\"]"),
    ("by", "by = [\"host\"]"),
    ("at_least", "at_least = { count = 5, within = \"1m\" }"),
    ("absent", "absent = \"26h\""),
    ("count", "count = 5"),
    ("within", "within = \"1m\""),
    ("wait", "wait = \"2s\""),
    ("every", "every = \"30s\""),
    ("quiet", "quiet = \"10m\""),
    ("remind", "remind = \"4h\""),
    ("ring", "ring = \"new\""),
    ("resolve", "resolve = 'connection restored'"),
    ("redact", "redact = ['account=\\d+']"),
    (
        "template",
        "template = \"<b>{{ rule }}</b>\\n<pre>{{ text }}</pre>\"",
    ),
    (
        "buttons",
        "buttons = [{ text = \"Runbook\", url = \"https://wiki.example.com/{{ rule }}\" }]",
    ),
    ("context", "context = { before = 2, after = 5 }"),
    ("attach", "attach = \"lines\""),
    ("before", "before = 2"),
    ("after", "after = 5"),
    ("text", "text = \"Runbook\""),
    ("url", "url = \"https://wiki.example.com/{{ rule }}\""),
    ("tests", "tests = [{ line = \"ValueError: x\", match = true }]"),
    ("line", "line = \"ValueError: x\""),
    ("continue", "continue = '^\\s'"),
];

/// How a key is written. The name of a chat is a key too; it takes an id.
pub(super) fn example(key: &str) -> String {
    let found = EXAMPLES.iter().find(|(name, _)| *name == key);
    found.map_or_else(
        || format!("{key} = 53395910"),
        |(_, example)| (*example).to_owned(),
    )
}

/// What to say about a key that does not exist in this table.
pub(super) fn unknown(table: Table, key: &str) -> String {
    let allowed = table.allowed();
    let synonym = SYNONYMS
        .iter()
        .find(|(place, other, _)| *place == table && *other == key)
        .map(|(_, _, ours)| *ours);
    if let Some(like) = synonym.or_else(|| nearest(key, allowed.iter().copied())) {
        return format!("did you mean `{like}`?");
    }
    match Table::ALL.iter().find(|other| other.allowed().contains(&key)) {
        Some(Table::Rule) if table == Table::Defaults => {
            format!("`{key}` is for each [[rules]] entry by itself; move it there")
        }
        Some(other) => format!("`{key}` belongs into {}", other.title()),
        None => format!("allowed in {}: {}", table.title(), allowed.join(", ")),
    }
}

/// The name that was probably meant: the most similar one, if it is similar enough to be worth offering.
pub(super) fn nearest<'a>(name: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let small = name.to_lowercase();
    let scored = among.map(|other| (strsim::jaro_winkler(&small, &other.to_lowercase()), other));
    let best = scored
        .filter(|(score, _)| *score >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_both_allowed_and_refused() {
        for (table, key, _) in REFUSED {
            assert!(!table.allowed().contains(key), "{key}");
        }
        for table in Table::ALL {
            let mut keys = table.allowed();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), table.allowed().len());
        }
    }

    #[test]
    fn every_synonym_leads_to_a_key_that_works() {
        for (table, other, ours) in SYNONYMS {
            assert!(
                table.allowed().contains(ours) && !table.allowed().contains(other),
                "{other}"
            );
        }
    }

    #[test]
    fn a_near_name_is_offered_and_a_far_one_is_not() {
        let names = ["severity", "every", "by", "ops"];
        assert_eq!(nearest("sevrity", names.into_iter()), Some("severity"));
        assert_eq!(nearest("EVERY", names.into_iter()), Some("every"));
        assert_eq!(nearest("op", names.into_iter()), Some("ops"));
        assert_eq!(nearest("severe", names.into_iter()), Some("severity"));
        assert_eq!(nearest("zebra", names.into_iter()), None);
        assert_eq!(nearest("x", names.into_iter()), None);
    }

    #[test]
    fn every_key_that_takes_a_value_has_an_example_of_it() {
        let tables = Table::ALL.iter().filter(|table| **table != Table::Top);
        for key in tables.flat_map(|table| table.allowed()).chain(["host"]) {
            assert!(
                EXAMPLES
                    .iter()
                    .any(|(name, example)| *name == key && example.starts_with(&format!("{key} = "))),
                "{key}"
            );
        }
    }
}
