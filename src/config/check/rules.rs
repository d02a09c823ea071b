//! `[[rules]]` and `[defaults]`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::chats::Chat;
use super::names::Known;
use super::{buttons, conditions, logs, rule_tests, template, word};
use crate::config::pattern::{self, Role};
use crate::config::problem::Report;
use crate::config::raw::{self, Shared};
use crate::config::table::{Spot, Word, Words};
use crate::event::Format;
use crate::incident::{self, Absent, Around, AtLeast, Ring};
use crate::message::{self, Button, Link, Template};
use crate::model::{ChatName, LogName, Rate, RuleName, Severity};
use crate::scan::{self, Pattern};

const WAIT: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(10);
const EVERY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(24);
const QUIET: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(30 * 24);

const REMIND: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(30 * 24);

/// Up to more than a year, for what comes once a year.
const ABSENT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(400 * 24);

/// As many as an incident keeps lines: all that wait belong to the opening.
const COUNT: RangeInclusive<i64> = 2..=200;
const WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(7 * 24);

/// Names in `by` that are no captures.
const BUILT_IN: [&str; 3] = ["file", "host", "log"];

/// How many lines `context` takes on either side.
const MOST_AROUND: usize = 50;

/// How many names `by` takes: each is a line of every message.
const MAX_BY: usize = 8;

/// One rule, for each room that deals with it.
pub(super) struct Rule {
    pub(super) incident: incident::RuleSettings,
    pub(super) scan: scan::RuleSettings,
    pub(super) message: message::RuleSettings,
    /// The logs it looks at; absent: all.
    logs: Option<Vec<LogName>>,
    /// How many of its tests were run.
    pub(super) tests: usize,
}

impl Rule {
    pub(super) fn looks_at(&self, log: &LogName) -> bool {
        self.logs.as_ref().is_none_or(|logs| logs.contains(log))
    }
}

/// Checks all of them.
pub(super) fn check(file: &raw::File, chats: &[Chat], report: &mut Report<'_>) -> Vec<Rule> {
    word::unique(
        "rule",
        file.rules.iter().filter_map(|rule| rule.name.as_ref()),
        report,
    );
    let defaults = Values::read(&file.defaults, file, report);
    file.rules
        .iter()
        .map(|rule| check_one(rule, &defaults, file, chats, report))
        .collect()
}

/// The keys that rules and `[defaults]` share, checked; absent where the table is silent.
#[derive(Default)]
struct Values {
    severity: Option<Severity>,
    chats: Option<Vec<ChatName>>,
    logs: Option<Vec<LogName>>,
    unless: Option<Vec<Pattern>>,
    /// Checked against the captures of each rule later.
    by: Option<Words>,
    at_least: Option<AtLeast>,
    wait: Option<Duration>,
    every: Option<Duration>,
    quiet: Option<Duration>,
    remind: Option<Duration>,
    ring: Option<Ring>,
    limit: Option<Rate>,
    around: Option<Around>,
    attach: Option<bool>,
    /// Their names are checked against the captures of each rule later.
    buttons: Option<Vec<(Button, Word, Link)>>,
    /// The same.
    template: Option<(Option<Template>, Word)>,
    redact: Vec<Pattern>,
}

impl Values {
    fn read(shared: &Shared, file: &raw::File, report: &mut Report<'_>) -> Self {
        Self {
            severity: word::severity(shared.severity.as_ref(), "severity", report),
            chats: shared.chats.as_ref().map(|words| chats(words, file, report)),
            logs: shared.logs.as_ref().map(|words| log_names(words, file, report)),
            unless: shared
                .unless
                .as_ref()
                .map(|words| pattern::compile(Some(words), Role::Unless, report)),
            by: shared.by.clone(),
            at_least: shared.at_least.as_ref().and_then(|raw| at_least(raw, report)),
            wait: word::duration(shared.wait.as_ref(), "wait", &WAIT, report),
            every: word::duration(shared.every.as_ref(), "every", &EVERY, report),
            quiet: word::duration(shared.quiet.as_ref(), "quiet", &QUIET, report),
            remind: word::duration(shared.remind.as_ref(), "remind", &REMIND, report),
            ring: ring(shared.ring.as_ref(), report),
            limit: word::rate(shared.limit.as_ref(), report),
            buttons: shared.buttons.as_ref().map(|raw| buttons::check(raw, report)),
            around: shared.context.as_ref().and_then(|raw| around(raw, report)),
            attach: attach(shared.attach.as_ref(), report),
            template: shared
                .template
                .as_ref()
                .map(|word| (template::check(word, report), word.clone())),
            redact: pattern::compile(shared.redact.as_ref(), Role::Redact, report),
        }
    }

    /// These, and where they are silent, those of `[defaults]`.
    fn or(self, defaults: &Values) -> Self {
        Self {
            severity: self.severity.or(defaults.severity),
            chats: self.chats.or_else(|| defaults.chats.clone()),
            logs: self.logs.or_else(|| defaults.logs.clone()),
            unless: self.unless.or_else(|| defaults.unless.clone()),
            by: self.by.or_else(|| defaults.by.clone()),
            at_least: self.at_least.or(defaults.at_least),
            wait: self.wait.or(defaults.wait),
            every: self.every.or(defaults.every),
            quiet: self.quiet.or(defaults.quiet),
            remind: self.remind.or(defaults.remind),
            ring: self.ring.or(defaults.ring),
            limit: self.limit.or(defaults.limit),
            around: self.around.or(defaults.around),
            attach: self.attach.or(defaults.attach),
            template: self.template.or_else(|| defaults.template.clone()),
            buttons: self.buttons.or_else(|| defaults.buttons.clone()),
            // Both: a rule that names a secret of its own must not let everybody's out.
            redact: [defaults.redact.clone(), self.redact].concat(),
        }
    }
}

fn check_one(
    rule: &raw::Rule,
    defaults: &Values,
    file: &raw::File,
    all_chats: &[Chat],
    report: &mut Report<'_>,
) -> Rule {
    if let Some(name) = &rule.name {
        word::name(name, report);
    }
    let mut values = Values::read(&rule.shared, file, report).or(defaults);
    let absent = absent(rule, &values, file, report);
    if absent.is_some() {
        // What others say of their matches says nothing of signs of life.
        (values.by, values.at_least, values.ring) = (None, None, None);
    }
    let matches = pattern::compile(rule.matches.as_ref(), Role::Match, report);
    let all = pattern::compile(rule.all.as_ref(), Role::All, report);
    let resolve = pattern::compile(rule.resolve.as_ref(), Role::Resolve, report);
    let conditions = conditions::check(rule.conditions.as_deref().unwrap_or_default(), report);
    let formats = formats(values.logs.as_deref(), file);
    let has_fields = HasFields::of(&formats);
    no_fields(rule, has_fields, report);
    let captures: BTreeSet<&str> = matches.iter().chain(&all).flat_map(Pattern::captures).collect();
    // With a pattern that does not compile nobody knows which captures there are.
    let written = [&rule.matches, &rule.all]
        .into_iter()
        .flatten()
        .map(|words| words.value.len())
        .sum::<usize>();
    // And any name may be that of a field.
    let whole = written == matches.len() + all.len();
    let has_fields = if whole { has_fields } else { HasFields::Yes };
    let by = values
        .by
        .as_ref()
        .map(|words| by(words, &captures, has_fields, rule, report))
        .unwrap_or_default();
    stray_resolve(rule, &resolve, &by, report);
    let known = Known {
        captures: &captures,
        by: &by,
        own: &[],
        whole,
        has_fields: HasFields::of(&formats),
    };
    let links = values.buttons.unwrap_or_default();
    let own_words = values
        .template
        .and_then(|(template, word)| Some((template?, word)));
    let ring = values.ring.unwrap_or_default();
    let asked = asked(&links, own_words.as_ref(), &known, ring, report);
    let of_match = asked_of_match(asked, &by);
    let name = RuleName::new(rule.name.as_ref().map_or("", |name| &name.value));
    let severity = values.severity.unwrap_or_default();
    let chats = values.chats.unwrap_or_else(|| only_chat(rule, file, report));
    let incident = incident::RuleSettings {
        name: name.clone(),
        severity,
        chats: shown_in(chats, severity, rule, all_chats, report),
        by: by.clone(),
        at_least: values.at_least,
        absent,
        wait: values.wait.unwrap_or(incident::RuleSettings::WAIT),
        every: values.every.unwrap_or(incident::RuleSettings::EVERY),
        quiet: values.quiet.unwrap_or(incident::RuleSettings::QUIET),
        remind: values.remind,
        ring,
        limit: values
            .limit
            .or((ring != Ring::All).then_some(incident::RuleSettings::LIMIT)),
        around: values.around.filter(|_| ring != Ring::All),
        attach: values.attach.unwrap_or_default() && ring != Ring::All && rule.absent.is_none(),
    };
    if let (Ring::All, Some(raw)) = (ring, &rule.shared.context) {
        let what = "`context` has no say in the messages of ring = \"all\"".to_owned();
        report.warn(
            Some(&raw.at),
            what,
            "they hold lines, one below the other; take one of the two out",
        );
    }
    idle_attach(rule, &incident, report);
    short_quiet(rule, &incident, report);
    let scan = scan::RuleSettings {
        name,
        matches,
        all,
        conditions,
        unless: values.unless.unwrap_or_default(),
        resolve,
        by,
        values: of_match,
        redact: values.redact,
    };
    Rule {
        incident,
        message: message::RuleSettings {
            buttons: links.into_iter().map(|(button, ..)| button).collect(),
            template: own_words.map(|(template, _)| template),
        },
        logs: values.logs,
        tests: rule_tests::run(rule, &file.defaults, &scan, &formats, report),
        scan,
    }
}

/// The names that links and a template ask for; those that nobody gives a value are reported.
fn asked(
    links: &[(Button, Word, Link)],
    own_words: Option<&(Template, Word)>,
    known: &Known<'_>,
    ring: Ring,
    report: &mut Report<'_>,
) -> Vec<String> {
    let mut asked = buttons::names(links, known, report);
    let Some((template, word)) = own_words else {
        return asked;
    };
    let known = Known {
        own: &template::OWN,
        ..*known
    };
    asked.extend(template::names(template, word, &known, report));
    if ring == Ring::All {
        report.warn(
            Some(&word.at),
            "`template` has no say in the messages of ring = \"all\"".to_owned(),
            "they hold lines, one below the other; take one of the two out",
        );
    }
    asked
}

/// Those of these names that the reader looks up in each match, each once.
fn asked_of_match(asked: Vec<String>, by: &[String]) -> Vec<String> {
    let own = |name: &String| {
        let mut own = message::OWN.iter().chain(&message::OF_TEMPLATE);
        own.any(|(own, _)| own == name)
    };
    let names: BTreeSet<String> = asked
        .into_iter()
        .filter(|name| !own(name) && !by.contains(name))
        .collect();
    names.into_iter().collect()
}

/// The formats of the logs that a rule looks at; nothing if not all of them can be read.
fn formats(logs: Option<&[LogName]>, file: &raw::File) -> Vec<Format> {
    let looked_at = |log: &&raw::Log| {
        let named = log.name.as_ref().map(|name| LogName::new(&name.value));
        logs.is_none_or(|logs| named.is_some_and(|name| logs.contains(&name)))
    };
    let formats = file.logs.iter().filter(looked_at).map(logs::format_of);
    let mut formats: Vec<Format> = formats.collect::<Option<_>>().unwrap_or_default();
    formats.dedup();
    formats
}

/// Whether the events of a rule's logs have fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HasFields {
    No,
    /// Each file tells.
    Perhaps,
    Yes,
}

impl HasFields {
    fn of(formats: &[Format]) -> Self {
        let all = |known: &[Format]| formats.iter().all(|format| known.contains(format));
        match () {
            () if formats.is_empty() => Self::Yes,
            () if all(&[Format::Plain]) => Self::No,
            () if all(&[Format::Plain, Format::Auto]) => Self::Perhaps,
            () => Self::Yes,
        }
    }
}

/// `where` asks for fields, and plain lines have none but their level.
fn no_fields(rule: &raw::Rule, has_fields: HasFields, report: &mut Report<'_>) {
    let mut conditions = rule.conditions.iter().flatten();
    if let Some(first) = conditions.find(|condition| condition.field != "level")
        && has_fields == HasFields::No
    {
        let what = "`where` asks for fields, and the logs of this rule have none".to_owned();
        let help = "take format = \"plain\" out, or give the log the format it has: \"json\", \"logfmt\", \"docker\" or \"cri\"";
        report.warn(Some(&first.at), what, help);
    }
}

/// Those of a rule's chats that show rules of its severity.
fn shown_in(
    named: Vec<ChatName>,
    severity: Severity,
    rule: &raw::Rule,
    chats: &[Chat],
    report: &mut Report<'_>,
) -> Vec<ChatName> {
    let fits = |name: &ChatName| {
        let chat = chats.iter().find(|chat| chat.telegram.name == *name);
        chat.is_none_or(|chat| chat.show_level <= severity)
    };
    let some = !named.is_empty();
    let shown: Vec<ChatName> = named.into_iter().filter(fits).collect();
    if some && shown.is_empty() {
        report.warn(
            Some(&rule.at),
            "no chat shows what this rule finds".into(),
            format!(
                "its severity is \"{}\" and the `show_level` of all its chats is above that; lower one, or name another chat",
                severity.as_str()
            ),
        );
    }
    shown
}

fn at_least(raw: &raw::AtLeast, report: &mut Report<'_>) -> Option<AtLeast> {
    let within = word::duration(raw.within.as_ref(), "within", &WITHIN, report);
    let count = raw.count.as_ref()?;
    if !COUNT.contains(&count.value) {
        let help = format!(
            "write a number from {} to {}; without `at_least` a single match is enough",
            COUNT.start(),
            COUNT.end()
        );
        report.problem(
            &count.at,
            format!("{} is out of bounds for `count`", count.value),
            help,
        );
        return None;
    }
    Some(AtLeast {
        count: count.value.unsigned_abs(),
        within: within?,
    })
}

/// What must keep appearing. There is one absence at a time, and it has no lines.
fn absent(rule: &raw::Rule, values: &Values, file: &raw::File, report: &mut Report<'_>) -> Option<Absent> {
    let after = word::duration(rule.absent.as_ref(), "absent", &ABSENT, report)?;
    let shared = &rule.shared;
    let never = |what: &str| format!("`{what}` is not allowed with `absent`");
    if let Some(by) = shared.by.as_ref().filter(|by| !by.value.is_empty()) {
        let help = "take it out: what is absent has no values; write one rule for each that must appear";
        report.problem(&by.at, never("by"), help);
    }
    if let Some(at_least) = &shared.at_least {
        let help = "take it out: a single find is a sign of life";
        report.problem(&at_least.at, never("at_least"), help);
    }
    if let Some(resolve) = &rule.resolve {
        let help = "take it out: the next find ends what is absent";
        report.problem(&resolve.at, never("resolve"), help);
    }
    if let Some(ring) = shared.ring.as_ref().filter(|ring| ring.value == "all") {
        let help = "take it out: there are no lines to forward";
        report.problem(&ring.at, never("ring = \"all\""), help);
    }
    if let Some(quiet) = &shared.quiet {
        let what = "`quiet` does nothing beside `absent`".to_owned();
        report.warn(
            Some(&quiet.at),
            what,
            "take it out: only the next find ends what is absent",
        );
    }
    let all = || {
        let names = file.logs.iter().filter_map(|log| log.name.as_ref());
        names.map(|name| LogName::new(&name.value)).collect()
    };
    let logs = values.logs.clone().unwrap_or_else(all);
    Some(Absent { after, logs })
}

fn around(raw: &raw::Context, report: &mut Report<'_>) -> Option<Around> {
    let mut number = |spot: Option<&Spot<i64>>, key: &str| {
        let Some(spot) = spot else { return Some(0) };
        let fits = usize::try_from(spot.value)
            .ok()
            .filter(|lines| *lines <= MOST_AROUND);
        if fits.is_none() {
            report.problem(
                &spot.at,
                format!("{} is out of bounds for `{key}`", spot.value),
                format!("write a number from 0 to {MOST_AROUND}"),
            );
        }
        fits
    };
    let (before, after) = (
        number(raw.before.as_ref(), "before"),
        number(raw.after.as_ref(), "after"),
    );
    let around = Around {
        before: before?,
        after: after?,
    };
    if around == Around::default() {
        report.warn(
            Some(&raw.at),
            "`context` asks for no lines".into(),
            "say how many: context = { before = 2, after = 5 }, or take it out",
        );
    }
    Some(around)
}

fn attach(word: Option<&Word>, report: &mut Report<'_>) -> Option<bool> {
    let choices = [("lines", true), ("off", false)];
    let others = [
        ("all", "lines"),
        ("document", "lines"),
        ("file", "lines"),
        ("none", "off"),
    ];
    word::choice(word, "attach", &choices, &others, report)
}

/// A rule says that it attaches its lines, and there will never be any that nobody was shown.
fn idle_attach(rule: &raw::Rule, settings: &incident::RuleSettings, report: &mut Report<'_>) {
    let own = rule.shared.attach.as_ref();
    let Some(word) = own.filter(|word| word.value == "lines" && !settings.attach) else {
        return;
    };
    let (beside, help) = if rule.absent.is_some() {
        ("`absent`", "take it out: what is absent has no lines")
    } else {
        (
            "ring = \"all\"",
            "take one of the two out: every line is sent already",
        )
    };
    report.warn(
        Some(&word.at),
        format!("`attach` does nothing beside {beside}"),
        help,
    );
}

fn ring(word: Option<&Word>, report: &mut Report<'_>) -> Option<Ring> {
    let choices = [("new", Ring::New), ("first", Ring::First), ("all", Ring::All)];
    word::choice(
        word,
        "ring",
        &choices,
        &[("once", "first"), ("every", "all"), ("each", "all")],
        report,
    )
}

fn chats(words: &Words, file: &raw::File, report: &mut Report<'_>) -> Vec<ChatName> {
    let names: Vec<_> = file.chats.iter().map(|chat| chat.name.value.as_str()).collect();
    references(words, "chat", &names, report)
        .into_iter()
        .map(ChatName::new)
        .collect()
}

fn log_names(words: &Words, file: &raw::File, report: &mut Report<'_>) -> Vec<LogName> {
    let names: Vec<_> = file
        .logs
        .iter()
        .filter_map(|log| log.name.as_ref())
        .map(|name| name.value.as_str())
        .collect();
    references(words, "log", &names, report)
        .into_iter()
        .map(LogName::new)
        .collect()
}

/// The names in a list, each known and there once.
fn references<'w>(words: &'w Words, kind: &str, names: &[&str], report: &mut Report<'_>) -> Vec<&'w str> {
    let mut found: Vec<&'w str> = Vec::new();
    for word in &words.value {
        if found.contains(&word.value.as_str()) {
            report.problem(
                &word.at,
                format!("the {kind} {:?} stands here twice", word.value),
                "take one away",
            );
        } else if word::known(word, kind, names, report) {
            found.push(&word.value);
        }
    }
    found
}

/// The chat of a rule that names none: the only one there is.
fn only_chat(rule: &raw::Rule, file: &raw::File, report: &mut Report<'_>) -> Vec<ChatName> {
    // What is wrong with chats that are named was said where they are named.
    if rule.shared.chats.is_none() && file.defaults.chats.is_none() && file.chats.len() > 1 {
        let names: Vec<_> = file
            .chats
            .iter()
            .map(|chat| format!("\"{}\"", chat.name.value))
            .collect();
        let help = format!(
            "write chats = [{}] with those it is for, here or once below [defaults]",
            names.join(", ")
        );
        report.missing(
            &rule.at,
            "this rule must say which chats it tells, as there are several".into(),
            help,
        );
    }
    file.chats
        .iter()
        .take(1)
        .map(|chat| ChatName::new(&chat.name.value))
        .collect()
}

fn by(
    words: &Words,
    captures: &BTreeSet<&str>,
    has_fields: HasFields,
    rule: &raw::Rule,
    report: &mut Report<'_>,
) -> Vec<String> {
    let rule_name = rule.name.as_ref().map_or("", |name| &name.value);
    if words.value.len() > MAX_BY {
        report.problem(
            &words.at,
            format!("`by` has more than {MAX_BY} names"),
            "keep those that tell incidents apart",
        );
    }
    let mut names: Vec<String> = Vec::new();
    for word in &words.value {
        let name = word.value.as_str();
        let built_in = BUILT_IN.contains(&name);
        if names.iter().any(|other| other == name) {
            report.problem(
                &word.at,
                format!("{name:?} stands in `by` twice"),
                "take one away",
            );
        } else if built_in && captures.contains(name) {
            let what =
                format!("{name:?} in `by` of rule {rule_name:?} could be the built-in name or the capture");
            report.problem(
                &word.at,
                what,
                format!("give the capture another name, such as (?P<{name}_name>…)"),
            );
        } else if !built_in && !captures.contains(name) && !may_be_field(name, captures, has_fields) {
            let what = format!("rule {rule_name:?} has no capture named {name:?}");
            report.missing(&word.at, what, by_help(name, captures));
        }
        names.push(name.to_owned());
    }
    names
}

/// Whether a name that is no capture may be that of a field. Where each file tells what it has, a name that is nearly
/// one of a capture is not.
fn may_be_field(name: &str, captures: &BTreeSet<&str>, has_fields: HasFields) -> bool {
    match has_fields {
        HasFields::No => name == "level",
        HasFields::Perhaps => crate::config::keys::nearest(name, captures.iter().copied()).is_none(),
        HasFields::Yes => true,
    }
}

fn by_help(name: &str, captures: &BTreeSet<&str>) -> String {
    let known: Vec<_> = captures.iter().copied().chain(BUILT_IN).collect();
    let like = crate::config::keys::nearest(name, known.iter().copied());
    let like = like.map_or(String::new(), |like| format!("did you mean {like:?}? "));
    format!(
        "{like}`by` takes captures of `match` and `all`, written (?P<{name}>…), and \"file\", \"host\", \"log\"; here: {}",
        known.join(", ")
    )
}

/// A named capture in `resolve` is there to end one incident of several. If `by` does not have it, the line
/// ends them all.
fn stray_resolve(rule: &raw::Rule, resolve: &[Pattern], by: &[String], report: &mut Report<'_>) {
    let Some(words) = rule.resolve.as_ref().filter(|_| !by.is_empty()) else {
        return;
    };
    let stray = resolve
        .iter()
        .flat_map(Pattern::captures)
        .find(|name| !by.iter().any(|by| by == name));
    if let Some(name) = stray {
        let what = format!(
            "the capture {name:?} of `resolve` is not in `by`, so it does not choose which incidents end"
        );
        report.warn(
            Some(&words.at),
            what,
            format!("name it as in `by`: {}", by.join(", ")),
        );
    }
}

fn short_quiet(rule: &raw::Rule, settings: &incident::RuleSettings, report: &mut Report<'_>) {
    if settings.quiet < settings.wait && settings.absent.is_none() {
        let what = "`quiet` is shorter than `wait`, so incidents are over before anybody is told".to_owned();
        let at = rule
            .shared
            .quiet
            .as_ref()
            .or(rule.shared.wait.as_ref())
            .map_or(&rule.at, |word| &word.at);
        report.warn(Some(at), what, "make `quiet` the longer of the two");
    }
}
