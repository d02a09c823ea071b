//! The `template` of a rule: the incident's own message in the rule's own words.
//!
//! minijinja fills it in, [`html`](super::html) reads what comes of it. What a template can do is bounded three
//! times: by fuel (steps), by the length of what it makes, and by what it may say at all: `if`, `for`, names,
//! comparisons and a few filters, and nothing that could grow a text (`set`, `*`, `replace`).
//!
//! Every value is a log's unless this file says otherwise, and goes out between two marks, escaped; so a filter or
//! a clever expression cannot turn log text into words of ours.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use minijinja::value::{Object, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, UndefinedBehavior};

use super::fit;
use super::html::{CLOSE, HtmlError, OPEN, Page, STATE, escape};
use super::sanitise::Clean;

/// Steps of one rendering at most.
const FUEL: u64 = 5_000;
/// Bytes that one rendering makes at most, marks and references included.
const OUTPUT: usize = 128 * 1024;
/// Bytes of a template at most.
const LONGEST: usize = 4 * 1024;
/// UTF-16 units of what a template says itself, at most: there is room for the values and the state.
const OWN_WORDS: usize = 2_500;

/// The statements that there are.
const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// Names that only templates know: their values are ours.
pub const OF_TEMPLATE: [(&str, &str); 7] = [
    ("mark", "🚨, 🔴, 🟡 or 🔵 by severity; ✅ when it is over"),
    (
        "state",
        "\"4,812 matches\", and how it ended; stands below the template where that does not say it",
    ),
    ("first", "when the first match was read"),
    ("last", "when the newest match was read"),
    (
        "before",
        "the lines before the newest match, if the rule has `context`",
    ),
    ("after", "the lines behind it"),
    ("over", "whether it is over: {% if over %}"),
];

/// The filters that there are.
pub const FILTERS: [(&str, &str); 6] = [
    ("default", "{{ user | default(\"nobody\") }}"),
    ("first_line", "the first line of a text"),
    ("lower", "small letters"),
    ("trim", "without white space around it"),
    ("truncate", "{{ text | truncate(80) }}"),
    ("upper", "capital letters"),
];

/// A template that can be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: Arc<str>,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Where, in bytes of the template.
    pub at: Range<usize>,
    /// What, in words for people.
    pub what: String,
    /// What to do about it.
    pub help: String,
}

/// Looks a name up: an incident's values, or samples of them.
pub(super) trait Values: Send + Sync + std::fmt::Debug + 'static {
    /// The value of this name.
    fn value(&self, name: &str) -> Option<Said>;
    /// Whether there are names that begin so.
    fn leads_on(&self, prefix: &str) -> bool;
}

/// A value, and whose words it is.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// A log's.
    Log(Clean),
    /// Ours.
    Own(String),
    /// A number of ours.
    Number(u64),
    /// A truth of ours.
    Truth(bool),
    /// The state of the incident.
    State,
}

impl Template {
    /// Reads a template and tries it on samples.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let error = |at: Range<usize>, what: String, help: &str| TemplateError {
            at,
            what,
            help: help.to_owned(),
        };
        if source.len() > LONGEST {
            let what = format!("the template is longer than {} KiB", LONGEST / 1024);
            return Err(error(
                0..source.len(),
                what,
                "a message has 4,096 characters; say less",
            ));
        }
        if let Some((at, c)) = source.char_indices().find(|(_, c)| matches!(c, OPEN..=STATE)) {
            let what = format!("U+{:04X} is no character", u32::from(c));
            return Err(error(at..at + c.len_utf8(), what, "take it out"));
        }
        for block in blocks(source)? {
            block.check(source)?;
        }
        let template = Self {
            source: source.into(),
        };
        // With every value there, and with none.
        for sample in [Sample::Full, Sample::Empty] {
            template.try_on(sample)?;
        }
        Ok(template)
    }

    fn try_on(&self, sample: Sample) -> Result<(), TemplateError> {
        let html = self
            .fill(Arc::new(sample))
            .map_err(|error| self.explain(&error))?;
        let page = Page::read(&html, "1 match").map_err(|error| self.locate(error))?;
        if page.units() > OWN_WORDS {
            return Err(TemplateError {
                at: 0..self.source.len(),
                what: format!("the template alone makes {} characters", page.units()),
                help: format!("keep it below {OWN_WORDS}: what the log says needs room in the message too"),
            });
        }
        Ok(())
    }

    /// Whether it says the lines around the newest match by itself.
    pub(super) fn says_surroundings(&self) -> bool {
        let mut blocks = blocks(&self.source).unwrap_or_default().into_iter();
        blocks.any(|block| {
            let inside = &self.source[block.at];
            let mut words = inside.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.any(|word| word == "before" || word == "after")
        })
    }

    /// The names that it asks for, and where each stands first.
    pub fn names(&self) -> Vec<super::Placeholder> {
        let mut environment = environment();
        let Ok(()) = environment.add_template("template", &self.source) else {
            return Vec::new();
        };
        let Ok(template) = environment.get_template("template") else {
            return Vec::new();
        };
        let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        names.sort_unstable();
        let at = |name: &str| position(&self.source, name);
        let place = |name: String| super::Placeholder { at: at(&name), name };
        names.into_iter().map(place).collect()
    }

    /// Renders it with these values. What is wrong with it or with them is said in words for the log.
    pub(super) fn render(&self, values: Arc<dyn Values>, state: &str) -> Result<Page, String> {
        let html = self.fill(values).map_err(|error| error.to_string())?;
        Page::read(&html, state).map_err(|error| error.what)
    }

    fn fill(&self, values: Arc<dyn Values>) -> Result<String, Error> {
        let environment = environment();
        let template = environment.template_from_str(&self.source)?;
        let mut out = Bounded(Vec::new());
        let root = Way {
            values,
            to: String::new(),
        };
        template.render_captured_to(Value::from_object(root), &mut out)?;
        Ok(String::from_utf8_lossy(&out.0).into_owned())
    }

    /// An error of the engine, with the piece of the template that it most likely speaks of.
    fn explain(&self, error: &Error) -> TemplateError {
        let at = self.suspect(error);
        let detail = error.detail().unwrap_or_default();
        let filters: Vec<_> = FILTERS.iter().map(|(name, _)| *name).collect();
        let (what, help) = match error.kind() {
            ErrorKind::UnknownFilter => (
                format!("the template uses a filter that is not there: {detail}"),
                format!("the filters are {}", filters.join(", ")),
            ),
            ErrorKind::UnknownTest | ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => (
                format!("the template uses what is not there: {detail}"),
                "a template has names, comparisons and filters: {% if user %}{{ user | upper }}{% endif %}".to_owned(),
            ),
            ErrorKind::OutOfFuel | ErrorKind::WriteFailure => (
                "the template does not come to an end".to_owned(),
                "take loops out of loops: it may take 5,000 steps and make 128 KiB".to_owned(),
            ),
            ErrorKind::SyntaxError => (
                format!("the template cannot be read: {detail}"),
                "values are written {{ name }}, conditions {% if name %}…{% endif %}; braces themselves {{ \"{{\" }}".to_owned(),
            ),
            kind => (
                format!("the template fails: {kind}: {detail}"),
                "a value may be missing or be a text: try it with {% if name %}…{% endif %} around it".to_owned(),
            ),
        };
        TemplateError { at, what, help }
    }

    /// The block on the line that the error names which fails alone, or else the line.
    fn suspect(&self, error: &Error) -> Range<usize> {
        let line = error.line().unwrap_or(1);
        let start: usize = self
            .source
            .split_inclusive('\n')
            .take(line - 1)
            .map(str::len)
            .sum();
        let text = self.source[start..].lines().next().unwrap_or_default();
        let line = start..start + text.len();
        let blocks = blocks(&self.source).unwrap_or_default();
        let here = blocks.into_iter().filter(|block| {
            block.kind == Kind::Value && block.at.start < line.end && block.at.end > line.start
        });
        let fails = |block: &Block| {
            let alone = Self {
                source: self.source[block.at.clone()].into(),
            };
            alone.fill(Arc::new(Sample::Full)).is_err()
        };
        let block = here.into_iter().find(fails);
        block.map_or(line, |block| block.at)
    }

    /// An error of the tags, with the tag.
    fn locate(&self, error: HtmlError) -> TemplateError {
        let at = self.source.find(&error.piece).filter(|_| !error.piece.is_empty());
        let at = at.map_or(0..self.source.len(), |at| {
            let end = self.source[at..]
                .find('>')
                .map_or(error.piece.len(), |end| end + 1);
            at..at + end
        });
        TemplateError {
            at,
            what: error.what,
            help: error.help,
        }
    }
}

/// A writer that refuses to become long.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn environment<'t>() -> Environment<'t> {
    let mut environment = Environment::empty();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(20);
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_formatter(|out, _, value| say(out, value));
    environment.add_filter("default", |value: Value, other: Option<Value>| {
        let is_empty = value.is_undefined() || value.as_str() == Some("");
        if is_empty {
            other.unwrap_or_default()
        } else {
            value
        }
    });
    environment.add_filter("first_line", |text: String| {
        text.lines().next().unwrap_or_default().to_owned()
    });
    environment.add_filter("lower", |text: String| text.to_lowercase());
    environment.add_filter("trim", |text: String| text.trim().to_owned());
    environment.add_filter("upper", |text: String| text.to_uppercase());
    environment.add_filter("truncate", |text: String, most: usize| {
        match text.char_indices().nth(most) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    });
    environment
}

/// Writes a value. Only what [`Way`] marked as ours goes out as it is.
fn say(out: &mut Output<'_>, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(()),
        ValueKind::Number | ValueKind::Bool => write(out, &value.to_string()),
        ValueKind::String if value.is_safe() => write(out, value.as_str().unwrap_or_default()),
        ValueKind::String => {
            let text = Clean::block(value.as_str().unwrap_or_default());
            write(out, &format!("{OPEN}{}{CLOSE}", escape(text.as_str())))
        }
        kind => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("this is a {kind} and no text; name one of its fields"),
        )),
    }
}

fn write(out: &mut Output<'_>, text: &str) -> Result<(), Error> {
    let failed = |_| Error::new(ErrorKind::WriteFailure, "too long");
    out.write_str(text).map_err(failed)
}

/// The way to a value: a name, or the first steps of one with dots in it.
#[derive(Debug)]
struct Way {
    values: Arc<dyn Values>,
    to: String,
}

impl Object for Way {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let name = if self.to.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.to)
        };
        match self.values.value(&name) {
            Some(Said::Log(text)) => Some(Value::from(text.as_str())),
            Some(Said::Own(text)) => Some(Value::from_safe_string(escape(&text))),
            Some(Said::Number(number)) => Some(Value::from(number)),
            Some(Said::Truth(truth)) => Some(Value::from(truth)),
            Some(Said::State) => Some(Value::from_safe_string(STATE.to_string())),
            None if self.values.leads_on(&format!("{name}.")) => Some(Value::from_object(Way {
                values: self.values.clone(),
                to: name,
            })),
            None => None,
        }
    }
}

/// Values to try a template on.
#[derive(Clone, Copy, Debug)]
enum Sample {
    /// Each name has a value, and one that would be markup if it could.
    Full,
    /// No match has any value.
    Empty,
}

impl Values for Sample {
    fn value(&self, name: &str) -> Option<Said> {
        let own = super::names::OWN.iter().chain(&OF_TEMPLATE);
        Some(match name {
            "state" => Said::State,
            "over" => Said::Truth(matches!(self, Self::Full)),
            "total" | "first_ms" | "last_ms" => Said::Number(1),
            "text" => Said::Log(Clean::block("<b>&x")),
            "before" | "after" => match self {
                Self::Full => Said::Log(Clean::block("<b>&x")),
                Self::Empty => return None,
            },
            _ if own.into_iter().any(|(known, _)| *known == name) => Said::Own("x".to_owned()),
            _ => match self {
                // Whether a name with a dot behind it is a value or the way to one, only its use says.
                Self::Full => Said::Log(Clean::block("<b>&x")),
                Self::Empty => return None,
            },
        })
    }

    fn leads_on(&self, _: &str) -> bool {
        false
    }
}

/// `{{ … }}` or `{% … %}`; comments are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    kind: Kind,
    at: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Value,
    Statement,
}

/// The blocks of a template, in order.
fn blocks(source: &str) -> Result<Vec<Block>, TemplateError> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(found) = source[at..].find('{') {
        let start = at + found;
        let (kind, end) = match source[start..].get(..2) {
            Some("{{") => (Some(Kind::Value), "}}"),
            Some("{%") => (Some(Kind::Statement), "%}"),
            Some("{#") => (None, "#}"),
            _ => {
                at = start + 1;
                continue;
            }
        };
        let quoted = kind.is_some();
        let Some(length) = closing(&source[start + 2..], end, quoted) else {
            return Err(TemplateError {
                at: start..source.len().min(start + 2),
                what: format!("`{}` has no `{end}`", &source[start..start + 2]),
                help: "values are written {{ name }}; braces themselves {{ \"{{\" }}".to_owned(),
            });
        };
        at = start + 2 + length + 2;
        blocks.extend(kind.map(|kind| Block { kind, at: start..at }));
    }
    Ok(blocks)
}

/// Where a block ends, quotes respected.
fn closing(rest: &str, end: &str, quoted: bool) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        if let Some(open) = quote {
            let was_escaped = std::mem::take(&mut escaped);
            escaped = c == '\\' && !was_escaped;
            quote = quote.filter(|_| c != open || was_escaped);
        } else if rest[at..].starts_with(end) {
            return Some(at);
        } else if quoted && matches!(c, '"' | '\'') {
            quote = Some(c);
        }
    }
    None
}

impl Block {
    /// Refuses what could grow without bound, or is not there.
    fn check(&self, source: &str) -> Result<(), TemplateError> {
        let inside = &source[self.at.start + 2..self.at.end - 2];
        let inside = inside.trim_matches(['-', '+']).trim();
        if self.kind == Kind::Statement {
            let word = inside
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default();
            if !STATEMENTS.contains(&word) {
                return Err(TemplateError {
                    at: self.at.clone(),
                    what: format!("a template has no `{{% {word} %}}`"),
                    help: format!("there are {}", STATEMENTS.join(", ")),
                });
            }
        }
        let star = outside_quotes(inside).any(|c| c == '*');
        if star {
            return Err(TemplateError {
                at: self.at.clone(),
                what: "a template does not multiply".to_owned(),
                help: "write the text out; a message has 4,096 characters".to_owned(),
            });
        }
        Ok(())
    }
}

fn outside_quotes(text: &str) -> impl Iterator<Item = char> {
    let mut quote: Option<char> = None;
    let mut escaped = false;
    text.chars().filter(move |&c| match quote {
        Some(_) if escaped => {
            escaped = false;
            false
        }
        Some(open) => {
            escaped = c == '\\';
            if c == open {
                quote = None;
            }
            false
        }
        None if matches!(c, '"' | '\'') => {
            quote = Some(c);
            false
        }
        None => true,
    })
}

/// Where a name stands first in a block.
fn position(source: &str, name: &str) -> Range<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    for block in blocks(source).unwrap_or_default() {
        let inside = &source[block.at.clone()];
        for (at, _) in inside.match_indices(name) {
            let before = inside[..at].chars().next_back().is_some_and(part);
            let after = inside[at + name.len()..].chars().next().is_some_and(part);
            if !before && !after {
                return block.at.start + at..block.at.start + at + name.len();
            }
        }
    }
    0..source.len()
}

/// A value from a log, with at most so many UTF-16 units of it.
pub(super) fn shortened(text: &Clean, most: usize) -> Said {
    Said::Log(fit::middle(text, most).text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    struct Given(BTreeMap<String, Said>);

    impl Values for Given {
        fn value(&self, name: &str) -> Option<Said> {
            self.0.get(name).cloned()
        }

        fn leads_on(&self, prefix: &str) -> bool {
            self.0.keys().any(|name| name.starts_with(prefix))
        }
    }

    fn given(pairs: &[(&str, &str)]) -> Arc<Given> {
        let value = |(name, text): &(&str, &str)| {
            let said = match *name {
                "rule" => Said::Own((*text).to_owned()),
                "state" => Said::State,
                _ => Said::Log(Clean::block(text)),
            };
            ((*name).to_owned(), said)
        };
        Arc::new(Given(pairs.iter().map(value).collect()))
    }

    fn rendered(source: &str, pairs: &[(&str, &str)]) -> String {
        let template = Template::parse(source).unwrap_or_else(|error| panic!("{source}: {error:?}"));
        template.render(given(pairs), "2 matches").unwrap().text().text
    }

    #[test]
    fn values_conditions_loops_and_filters_work() {
        let pairs = [
            ("rule", "oops"),
            ("what", "a<b"),
            ("http.status", "502"),
            ("state", ""),
            ("text", "one\ntwo"),
        ];
        for (source, expected) in [
            ("<b>{{ rule }}</b> {{ what }}", "oops a<b"),
            (
                "{{ http.status }} {{ http.nothing }}|{{ nobody.at.all }}",
                "502 |",
            ),
            ("{{ what | upper }} {{ nobody | default(\"none\") }}", "A<B none"),
            ("{{ text | first_line }} {{ text | truncate(2) }}", "one on…"),
            (
                "{% if what %}yes{% else %}no{% endif %}{% if nobody %}no{% endif %}",
                "yes",
            ),
            (
                "{% if http.status == \"502\" %}bad{% endif %} {{ state }}",
                "bad 2 matches",
            ),
            ("{% for c in what %}{{ c }}.{% endfor %}", "a.<.b."),
            ("{# a note #}{{ \"{{\" }}", "{{"),
            ("{{ state | upper }}x", "\u{fffd}x"),
        ] {
            assert_eq!(rendered(source, &pairs), expected, "{source}");
        }
    }

    #[test]
    fn what_could_grow_or_hang_is_refused() {
        for source in [
            "{% set x = text %}{{ x }}",
            "{{ text * 9 }}",
            "{% macro x() %}{% endmacro %}",
            "{% include \"x\" %}",
            "{% for a in text %}{% for b in text %}{% for c in text %}{% for d in text %}{% for e in text %}{% for f in text %}x{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
            "{{ text | nope }}",
            "{{ range(5) }}",
            "{{ text",
            "{% if text %}x",
            "{{ text text }}",
            &"x".repeat(3_000),
            &"x".repeat(5_000),
        ] {
            assert!(Template::parse(source).is_err(), "{source:.60}");
        }
        // What is fine with the sample and long with a line runs dry in good order.
        let nested = "{% for a in text %}{% for b in text %}{{ b }}{% endfor %}{% endfor %}";
        let template = Template::parse(nested).unwrap();
        let long = "x".repeat(1_000);
        assert!(template.render(given(&[("text", &long)]), "").is_err());
    }

    #[test]
    fn errors_point_at_the_piece_that_is_wrong() {
        let piece = |source: &str| {
            let error = Template::parse(source).unwrap_err();
            source[error.at].to_owned()
        };
        assert_eq!(piece("a\n{{ text }} {{ text | nope }} b"), "{{ text | nope }}");
        assert_eq!(piece("a <i>x</i> <font>x</font>"), "<font>");
        assert_eq!(piece("a {{ x }} {% set x = 1 %}"), "{% set x = 1 %}");
        assert_eq!(piece("a {{ x"), "{{");
        assert_eq!(piece("<b>{{ x }}\n"), "<b>");
    }

    #[test]
    fn names_are_found_with_their_place() {
        let source =
            "{{ ruler }} {{ rule }} {% if http.status %}{% for x in tags %}{{ x }}{% endfor %}{% endif %}";
        let template = Template::parse("{{ ruler }} {{ rule }} {% if http.status %}x{% endif %}").unwrap();
        let names = template.names();
        let told: Vec<_> = names
            .iter()
            .map(|name| (name.name.as_str(), &source[name.at.clone()]))
            .collect();
        assert_eq!(
            told,
            [
                ("http.status", "http.status"),
                ("rule", "rule"),
                ("ruler", "ruler")
            ]
        );
    }

    proptest! {
        #[test]
        fn no_value_is_markup_and_none_stands_unshielded(value in any::<String>()) {
            let template = Template::parse("<b>x {{ what }}</b> {{ what | upper }} {{ what ~ what }}").unwrap();
            let page = template.render(given(&[("what", &value)]), "").unwrap();
            let text = page.text();
            let units: Vec<u16> = text.text.encode_utf16().collect();
            let mut open = units.clone();
            for entity in &text.entities {
                if entity.kind == crate::model::EntityKind::Code {
                    open[entity.offset..entity.offset + entity.length].fill(u16::from(b' '));
                }
            }
            let open = String::from_utf16_lossy(&open);
            prop_assert!(open.chars().all(|c| c == 'x' || c.is_whitespace()), "{:?}", open);
        }

        #[test]
        fn no_template_makes_the_reading_panic(source in "[{}%# a-c|\"<>/b*()=.]{0,40}") {
            let _ = Template::parse(&source);
        }
    }
}
