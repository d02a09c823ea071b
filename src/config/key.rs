//! The keys that work, one row each: where it stands, what it holds, what it is for.
//!
//! This is the only list of them. A table accepts the keys that have a row here, and `tailgram schema` tells
//! editors the same rows; so a key cannot work without being told, or be told without working.

use super::keys::Table;

/// One key of one table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What it is for, in a sentence that an editor can show.
    pub(super) about: &'static str,
    /// Whether its table makes no sense without it.
    pub(super) needed: bool,
    /// What holds without it, where that is one value whatever else is written.
    pub(super) default: Option<&'static str>,
    /// Whether it may stand in `[defaults]` too.
    pub(super) shared: bool,
}

/// What a key holds. Strings may hold `${VAR}`, whatever they are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A string, or a list of strings, perhaps none.
    Texts,
    /// A string, or a list of at least one.
    SomeTexts,
    /// The name of a rule.
    Name,
    /// The name of a log, which is not a number.
    LogName,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, or a table.
    ChoiceOr(&'static [&'static str], Table),
    /// The only word that works so far, in small or capital letters.
    Only(&'static str),
    /// A length of time.
    Duration,
    /// A size in bytes.
    Size,
    /// So many per so long.
    Rate,
    /// Where a chat is: a number, perhaps in quotes, or `@name`.
    ChatId,
    /// A minute of the day: `"08:00"`.
    TimeOfDay,
    /// A part of the day: `"22:00-07:00"`.
    Hours,
    /// A whole number in these bounds.
    Number(i64, i64),
    /// `true` or `false`.
    Boolean,
    /// `where`: a table of fields, each with a value or with several.
    Conditions,
    /// A table.
    Table(Table),
    /// A list of tables; whether it must have an entry is up to `needed`.
    Tables(Table),
    /// `[chats]`: a table of names, each with an id or with a table of its own.
    Chats,
}

impl Key {
    const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            about,
            needed: false,
            default: None,
            shared: false,
        }
    }

    const fn needed(self) -> Self {
        Self { needed: true, ..self }
    }

    const fn default(self, value: &'static str) -> Self {
        Self {
            default: Some(value),
            ..self
        }
    }

    const fn shared(self) -> Self {
        Self { shared: true, ..self }
    }
}

/// The keys of a table; those of `[defaults]` are the rules' shared ones.
pub(super) fn of(table: Table) -> impl Iterator<Item = &'static Key> {
    let (rows, all) = match table {
        Table::Top => (TOP, true),
        Table::Telegram => (TELEGRAM, true),
        Table::Health => (HEALTH, true),
        Table::Digest => (DIGEST, true),
        Table::Fence => (FENCE, true),
        Table::Chat => (CHAT, true),
        Table::Log => (LOG, true),
        Table::Rule => (RULE, true),
        Table::Test => (TEST, true),
        Table::AtLeast => (AT_LEAST, true),
        Table::Button => (BUTTON, true),
        Table::Context => (CONTEXT, true),
        Table::Multiline => (MULTILINE, true),
        Table::Defaults => (RULE, false),
    };
    rows.iter().filter(move |key| all || key.shared)
}

const TOP: &[Key] = &[
    Key::new(
        "include",
        Kind::Texts,
        "More files, seen from this one's folder: \"rules.d/*.toml\". All of them together are one rules.toml.",
    ),
    Key::new(
        "host",
        Kind::Text,
        "Stands in every message. Without it: TAILGRAM_HOST, else the machine's name.",
    ),
    Key::new(
        "retention",
        Kind::Duration,
        "What a chat that takes no messages any more is owed is kept for this long, then counted as failed.",
    )
    .default("7d"),
    Key::new(
        "telegram",
        Kind::Table(Table::Telegram),
        "The bot and the way to it. May be left out.",
    ),
    Key::new(
        "chats",
        Kind::Chats,
        "Who is told: NAME = ID, or a table [chats.NAME] each.",
    )
    .needed(),
    Key::new(
        "logs",
        Kind::Tables(Table::Log),
        "What to follow: named sets of files.",
    )
    .needed(),
    Key::new(
        "rules",
        Kind::Tables(Table::Rule),
        "What to look for, and what to do about it. Every rule that finds a line counts it.",
    )
    .needed(),
    Key::new(
        "defaults",
        Kind::Table(Table::Defaults),
        "What rules say that do not say it themselves.",
    ),
    Key::new(
        "digest",
        Kind::Table(Table::Digest),
        "A silent message a day: what happened since the one before. Without it there is none.",
    ),
    Key::new(
        "health",
        Kind::Table(Table::Health),
        "After how long of silence `tailgram health` turns red. May be left out.",
    ),
    Key::new(
        "fence",
        Kind::Table(Table::Fence),
        "What tailgram may open once it runs. May be left out.",
    ),
];

const TELEGRAM: &[Key] = &[
    Key::new(
        "token_file",
        Kind::Text,
        "File with the bot's token. TELEGRAM_BOT_TOKEN_FILE and TELEGRAM_BOT_TOKEN come first.",
    ),
    Key::new(
        "token",
        Kind::Text,
        "The token itself, for a first try; warned about. Better: token_file, or the environment.",
    ),
    Key::new(
        "api_url",
        Kind::Text,
        "Your own Bot API server. Without it: TELEGRAM_API_URL, else Telegram's own.",
    )
    .default("https://api.telegram.org"),
    Key::new(
        "proxy",
        Kind::Text,
        "URL of the proxy, with http, https, socks5 or socks5h. Without it: HTTPS_PROXY, ALL_PROXY.",
    ),
    Key::new(
        "updates",
        Kind::Only("off"),
        "Whether the bot listens. It only sends: \"off\".",
    )
    .default("off"),
];

const CHAT: &[Key] = &[
    Key::new(
        "id",
        Kind::ChatId,
        "A number (a person's is positive, a group's negative), or \"@name\" of a public channel.",
    )
    .needed(),
    Key::new(
        "topic",
        Kind::Number(1, i32::MAX as i64),
        "Topic of a forum group: the number after the group's in a link to the topic.",
    ),
    Key::new(
        "limit",
        Kind::Rate,
        "Messages and edits to this chat. Without it: \"45/min\" for people, \"18/min\" for groups and channels.",
    ),
    Key::new(
        "notices",
        Kind::Boolean,
        "Whether it gets what tailgram says about itself. Where no chat says anything, the first one does.",
    ),
    Key::new(
        "silent_hours",
        Kind::Hours,
        "Messages make no sound then, in the chat's timezone; those of critical rules always do.",
    ),
    Key::new(
        "timezone",
        Kind::Text,
        "Of silent_hours, such as \"Asia/Seoul\". Without it: TZ, else the machine's.",
    ),
    Key::new(
        "show_level",
        Kind::Choice(&["info", "warning", "error", "critical"]),
        "The least severity of rules that this chat gets.",
    )
    .default("info"),
];

const HEALTH: &[Key] = &[
    Key::new(
        "read_within",
        Kind::Duration,
        "The logs were not looked at, or nothing could be stored, for this long.",
    )
    .default("30s"),
    Key::new(
        "deliver_within",
        Kind::Duration,
        "Something is owed and Telegram took nothing for this long.",
    )
    .default("5m"),
    Key::new(
        "heartbeat_url",
        Kind::Text,
        "The URL of a dead man's switch: asked once a minute, only while reading and delivering work. A secret.",
    ),
];

const DIGEST: &[Key] = &[
    Key::new(
        "at",
        Kind::TimeOfDay,
        "When: \"08:00\", in the chat's timezone, else in that of TZ.",
    )
    .needed(),
    Key::new(
        "chat",
        Kind::Text,
        "Who is told. Without it: the first chat of rules.toml.",
    ),
];

const FENCE: &[Key] = &[
    Key::new(
        "landlock",
        Kind::Choice(&["auto", "require", "off"]),
        "Whether the kernel holds the fence: where it can, always (or nothing starts), never.",
    )
    .default("auto"),
    Key::new(
        "read",
        Kind::Texts,
        "Folders that may be read beside those of the logs: where links will lead that are made later.",
    ),
];

const LOG: &[Key] = &[
    Key::new("name", Kind::LogName, "What rules call it. Not a number.").needed(),
    Key::new(
        "files",
        Kind::SomeTexts,
        "Globs of the files to follow; * stops at a slash, ** does not. New files are found while it runs. \"-\" is stdin, \
         and a FIFO that is named without a wildcard is read too.",
    )
    .needed(),
    Key::new(
        "exclude",
        Kind::Texts,
        "Globs of files to leave alone; compressed files always are.",
    ),
    Key::new(
        "start",
        Kind::Choice(&["end", "beginning"]),
        "Where to begin in files that are there when this log is first read. Later ones are read from their beginning.",
    )
    .default("end"),
    Key::new(
        "max_line",
        Kind::Size,
        "More of a line than this is not looked at; the cut is marked.",
    )
    .default("64KiB"),
    Key::new(
        "partial",
        Kind::Duration,
        "How long a last line without its newline waits before it counts as a line.",
    )
    .default("5s"),
    Key::new(
        "watch",
        Kind::Choice(&["auto", "events", "poll"]),
        "How changes are noticed: \"poll\" for file systems that tell nothing.",
    )
    .default("auto"),
    Key::new("ignore", Kind::Texts, "Patterns of lines that no rule ever sees."),
    Key::new(
        "flush",
        Kind::Duration,
        "How long an event that goes on in a later line waits for it before it counts as it stands.",
    )
    .default("1s"),
    Key::new(
        "format",
        Kind::Choice(&["auto", "plain", "docker", "cri", "json", "logfmt"]),
        "What a line is: the text itself, with fields or without, or a line of a container's log that wraps it. \"auto\": each file's first lines and its path tell.",
    )
    .default("auto"),
    Key::new(
        "multiline",
        Kind::ChoiceOr(
            &[
                "auto", "off", "python", "java", "go", "rust", "node", "ruby", "php", "dotnet",
            ],
            Table::Multiline,
        ),
        "How lines form events: learned from each file, every line one, the stack traces of a language, or { start = '^\\d{4}-' }, { continue = '^\\s' }.",
    )
    .default("auto"),
    Key::new(
        "encoding",
        Kind::Text,
        "How letters are written: \"euc-kr\", \"gbk\", \"shift_jis\", \"utf-16le\" and all other names that browsers know. A byte order mark of UTF-16 is heeded.",
    )
    .default("utf-8"),
    Key::new(
        "carriage_return",
        Kind::Choice(&["show", "overwrite"]),
        "What a carriage return within a line does: it is shown as a character, or what stands before it is left out, as a terminal shows a progress bar.",
    )
    .default("show"),
];

const RULE: &[Key] = &[
    Key::new("name", Kind::Name, "A rule is its name.").needed(),
    Key::new("logs", Kind::SomeTexts, "The logs it looks at. Without it: all.").shared(),
    Key::new(
        "match",
        Kind::SomeTexts,
        "Pattern, or list of patterns of which any must match. Write them in single quotes.",
    ),
    Key::new("all", Kind::Texts, "Patterns that must all match too."),
    Key::new(
        "where",
        Kind::Conditions,
        "What fields must be: { level = [\"error\", \"fatal\"], \"http.status\" = \">=500\", user = \"!=root\", path = \"~^/api\", trace = true }.",
    ),
    Key::new("unless", Kind::Texts, "Patterns of which none may match.").shared(),
    Key::new(
        "severity",
        Kind::Choice(&["info", "warning", "error", "critical"]),
        "\"info\" and \"warning\" make no sound; \"critical\" goes first.",
    )
    .default("error")
    .shared(),
    Key::new(
        "chats",
        Kind::SomeTexts,
        "Who is told. Without it: the only chat there is.",
    )
    .shared(),
    Key::new(
        "by",
        Kind::Texts,
        "Names whose values tell incidents apart: captures (?P<name>…), fields, \"file\", \"host\", \"log\".",
    )
    .shared(),
    Key::new(
        "at_least",
        Kind::Table(Table::AtLeast),
        "Opens only when so much was found within so long: { count = 5, within = \"1m\" }.",
    )
    .shared(),
    Key::new(
        "absent",
        Kind::Duration,
        "Its matches must keep appearing: opens when nothing was found for this long; the next find ends it.",
    ),
    Key::new("wait", Kind::Duration, "Gathers the first burst, then rings.")
        .default("2s")
        .shared(),
    Key::new(
        "every",
        Kind::Duration,
        "Least time between two messages or edits for one incident in one chat.",
    )
    .default("30s")
    .shared(),
    Key::new("quiet", Kind::Duration, "Over after this long without a match.")
        .default("10m")
        .shared(),
    Key::new(
        "remind",
        Kind::Duration,
        "Rings again, as a reply, each time it has gone on for this long. Without it: never.",
    )
    .shared(),
    Key::new(
        "ring",
        Kind::Choice(&["new", "first", "all"]),
        "\"new\": shapes not yet seen in this incident ring; \"first\": only the opening; \"all\": every line is forwarded.",
    )
    .default("new")
    .shared(),
    Key::new("resolve", Kind::Texts, "Patterns that end the rule's incidents."),
    Key::new(
        "limit",
        Kind::Rate,
        "Rings per chat; past it matches are only counted. With ring = \"all\" there is none by default.",
    )
    .default("12/h")
    .shared(),
    Key::new(
        "context",
        Kind::Table(Table::Context),
        "The lines around the newest match that are shown with it: { before = 2, after = 5 }.",
    )
    .shared(),
    Key::new(
        "attach",
        Kind::Choice(&["lines", "off"]),
        "\"lines\": when it is over, all its kept lines follow as a document, unless its message shows them all.",
    )
    .default("off")
    .shared(),
    Key::new(
        "template",
        Kind::Text,
        "An incident's message in your own words: Telegram's HTML with {{ names }} of values, {% if %} and {% for %}. `tailgram explain --fields` lists what there is.",
    )
    .shared(),
    Key::new(
        "buttons",
        Kind::Tables(Table::Button),
        "Links below an incident's message: [{ text = \"Runbook\", url = \"https://wiki.example.com/{{ service }}\" }].",
    )
    .shared(),
    Key::new(
        "redact",
        Kind::Texts,
        "Patterns of what to hide, on top of what always is; those of [defaults] and of the rule add up.",
    )
    .shared(),
    Key::new(
        "tests",
        Kind::Tables(Table::Test),
        "Lines to try at every start: [{ line = \"ValueError: x\", match = true }].",
    ),
];

const AT_LEAST: &[Key] = &[
    Key::new(
        "count",
        Kind::Number(2, 200),
        "How many, for the same values of `by`.",
    )
    .needed(),
    Key::new("within", Kind::Duration, "The length of the window that slides.").needed(),
];

const CONTEXT: &[Key] = &[
    Key::new("before", Kind::Number(0, 50), "How many lines before it."),
    Key::new(
        "after",
        Kind::Number(0, 50),
        "How many lines behind it; those that are written later come with an edit.",
    ),
];

const BUTTON: &[Key] = &[
    Key::new("text", Kind::Text, "What stands on it.").needed(),
    Key::new(
        "url",
        Kind::Text,
        "Where it leads: a public-looking address, with {{ names }} of values behind the host. Values are percent-encoded.",
    )
    .needed(),
];

const MULTILINE: &[Key] = &[
    Key::new("start", Kind::Text, "Pattern of the lines that begin events."),
    Key::new(
        "continue",
        Kind::Text,
        "Pattern of the lines that go on with the event above.",
    ),
];

const TEST: &[Key] = &[
    Key::new("line", Kind::Text, "The line to try.").needed(),
    Key::new("match", Kind::Boolean, "Whether the rule is meant to match it.").needed(),
];
