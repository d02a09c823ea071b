//! The JSON Schema against what the program itself accepts and refuses.

use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value as Json;
use toml::{Table as Toml, Value};

use super::read;
use crate::config::key::{self, Key, Kind};
use crate::config::keys::Table;
use crate::config::schema::schema;

static SCHEMA: LazyLock<(Schemas, SchemaIndex)> = LazyLock::new(|| {
    let mut schemas = Schemas::new();
    let mut compiler = Compiler::new();
    compiler
        .add_resource("rules", serde_json::from_str(&schema()).unwrap())
        .unwrap();
    // This also holds the schema itself against that of draft 2020-12.
    let index = compiler.compile("rules", &mut schemas).unwrap();
    (schemas, index)
});

/// What an editor would say of a rules.toml.
pub(super) fn valid(file: &Toml) -> Result<(), String> {
    let (schemas, index) = &*SCHEMA;
    let json = undated(serde_json::to_value(file).unwrap());
    schemas
        .validate(&json, *index)
        .map_err(|error| format!("{error:#}"))
}

/// JSON has no dates, and serde makes tables of them. No key holds one, so they are nothing.
fn undated(json: Json) -> Json {
    match json {
        Json::Object(table) if table.contains_key("$__toml_private_datetime") => Json::Null,
        Json::Object(table) => table
            .into_iter()
            .map(|(key, value)| (key, undated(value)))
            .collect(),
        Json::Array(items) => items.into_iter().map(undated).collect(),
        other => other,
    }
}

/// A file in which every table stands once.
const WHOLE: &str = r"
[telegram]
[health]
[digest]
at = '08:00'
[fence]
[chats.me]
id = 53395910
[[logs]]
name = 'app'
files = ['/logs/*.log']
multiline = { start = '^x' }
[defaults]
[[rules]]
name = 'panic'
match = 'panicked at'
tests = [{ line = 'panicked at', match = true }]
at_least = { count = 5, within = '1m' }
context = { before = 2, after = 5 }
buttons = [{ text = 'Runbook', url = 'https://wiki.example.com' }]
";

/// The file with another value for one key, or without it.
fn with(table: Table, key: &str, value: Option<&Value>) -> Toml {
    let mut file: Toml = toml::from_str(WHOLE).unwrap();
    let place = match table {
        Table::Top => &mut file,
        Table::Telegram => inside(&mut file, "telegram"),
        Table::Health => inside(&mut file, "health"),
        Table::Digest => inside(&mut file, "digest"),
        Table::Fence => inside(&mut file, "fence"),
        Table::Chat => inside(inside(&mut file, "chats"), "me"),
        Table::Log => inside(&mut file, "logs"),
        Table::Rule => inside(&mut file, "rules"),
        Table::Test => inside(inside(&mut file, "rules"), "tests"),
        Table::AtLeast => inside(inside(&mut file, "rules"), "at_least"),
        Table::Button => inside(inside(&mut file, "rules"), "buttons"),
        Table::Context => inside(inside(&mut file, "rules"), "context"),
        Table::Multiline => inside(inside(&mut file, "logs"), "multiline"),
        Table::Defaults => inside(&mut file, "defaults"),
    };
    match value {
        Some(value) => place.insert(key.to_owned(), value.clone()),
        None => place.remove(key),
    };
    file
}

/// A table in a table, or the only one of a list.
fn inside<'t>(table: &'t mut Toml, key: &str) -> &'t mut Toml {
    match table.get_mut(key).unwrap() {
        Value::Table(inner) => inner,
        Value::Array(list) => list[0].as_table_mut().unwrap(),
        other => panic!("{key} holds {other}"),
    }
}

/// The sentences that the program has for a file.
fn refusals(file: &Toml) -> Vec<String> {
    match read(&toml::to_string(file).unwrap()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|problem| problem.what().to_owned()).collect(),
    }
}

fn every_key() -> impl Iterator<Item = (Table, &'static Key)> {
    Table::ALL
        .into_iter()
        .flat_map(|table| key::of(table).map(move |key| (table, key)))
}

/// Values of every type, and strings of every form that some key wants.
fn probes() -> Vec<Value> {
    let probes = r"
        integers = [1, -1, 0, 42, 4503599627370496, -1001234567890, 2147483648]
        others = [1.5, true, false, 1979-05-27, [], {}]
        lists = [['x'], ['app'], ['me'], ['file'], [''], [1], [{}], ['x', 1]]
        tables = [{ id = 1 }, { me = 1 }, { me = '1' }, { me = true }, { me = { id = 0 } }, { 'a b' = 1 }, { x = 1 }]
        entries = [
            [{ line = 'panicked at', match = true }], [{ line = 'x' }], [{ name = 'app', files = 'x' }],
            [{ name = 'a', all = [] }], [{ name = 'a', all = 'x' }], [{ name = 'a', match = [], all = 'x' }],
        ]
        strings = [
            '', ' ', 'x', 'ab c', '한글', '5', '0', '-7', '+7', '@ab', '@abcd', '@4bcd', '${X:-1}', 'a${X:-s}', '$${X}',
            '1ms', '5s', '15 m', '2min', '1h', '1d', '1w', '1.5h', '300s ', '0s',
            '300B', '1KB', '1kB', '64KiB', ' 1 MB', '1MiB', '1kib', '1GB',
            '22:00-07:00', '7:30 - 24:00', '22:00', '25:00-07:00', 'Asia/Seoul',
            '1/s', '18 / min', '12/h', '+500/h', '5/d', '0/h', '00/h', '010/m', '1/w', '1/sec',
            'off', 'OFF', 'poll', 'plain', 'Plain', 'json', 'utf-8', 'UTF-8', 'auto', 'events', 'end', 'beginning', 'new',
            'first', 'all', 'info', 'warning', 'error', 'critical', 'Error', 'http://127.0.0.1:1', 'socks5h://proxy:1080',
        ]
    ";
    let probes: Toml = toml::from_str(probes).unwrap();
    probes
        .into_iter()
        .flat_map(|(_, list)| list.as_array().unwrap().clone())
        .collect()
}

#[test]
fn every_table_of_the_schema_has_the_keys_that_are_accepted_and_no_other() {
    let schema: Json = serde_json::from_str(&schema()).unwrap();
    let inside = |path: &str| schema.pointer(path).unwrap();
    let tables = [
        (Table::Top, ""),
        (Table::Telegram, "/properties/telegram"),
        (Table::Health, "/properties/health"),
        (Table::Digest, "/properties/digest"),
        (Table::Fence, "/properties/fence"),
        (Table::Chat, "/properties/chats/additionalProperties/anyOf/1"),
        (Table::Log, "/properties/logs/items"),
        (Table::Rule, "/properties/rules/items"),
        (Table::Test, "/properties/rules/items/properties/tests/items"),
        (Table::AtLeast, "/properties/rules/items/properties/at_least"),
        (Table::Button, "/properties/rules/items/properties/buttons/items"),
        (Table::Context, "/properties/rules/items/properties/context"),
        (
            Table::Multiline,
            "/properties/logs/items/properties/multiline/anyOf/2",
        ),
        (Table::Defaults, "/properties/defaults"),
    ];
    assert_eq!(tables.map(|(table, _)| table), Table::ALL);
    for (table, path) in tables {
        let told: Vec<&String> = inside(path)["properties"].as_object().unwrap().keys().collect();
        let mut accepted = table.allowed();
        accepted.sort_unstable();
        assert_eq!(told, accepted, "{}", table.title());
        assert_eq!(inside(path)["additionalProperties"], false, "{}", table.title());
        let about = inside(path)["properties"].as_object().unwrap().values();
        assert!(
            about
                .map(|key| key["description"].as_str().unwrap())
                .all(|text| text.ends_with(['.', ']']))
        );
    }
}

#[test]
fn what_the_program_accepts_the_schema_accepts() {
    let mut accepted = 0;
    for (table, key) in every_key() {
        for value in probes() {
            let file = with(table, key.name, Some(&value));
            if refusals(&file).is_empty() {
                accepted += 1;
                assert_eq!(valid(&file), Ok(()), "{}: {} = {value}", table.title(), key.name);
            }
        }
    }
    assert!(accepted > 500, "only {accepted} probes were accepted at all");
}

#[test]
fn a_value_of_the_wrong_type_is_wrong_to_the_schema_too() {
    let mut wrong = 0;
    for (table, key) in every_key() {
        for value in probes() {
            let file = with(table, key.name, Some(&value));
            let form = [
                "must be",
                "is an empty list",
                "is missing",
                "there is no key",
                "looks for nothing",
            ];
            let of_form = |what: &String| form.iter().any(|words| what.contains(words));
            if refusals(&file).iter().any(of_form) {
                wrong += 1;
                assert!(valid(&file).is_err(), "{}: {} = {value}", table.title(), key.name);
            }
        }
    }
    assert!(wrong > 1000, "only {wrong} probes were of a wrong type");
}

#[test]
fn a_word_or_form_that_no_value_has_is_wrong_to_both() {
    let form = Value::String("zz q".into());
    for (table, key) in every_key() {
        let free = matches!(key.kind, Kind::Text | Kind::Texts | Kind::SomeTexts);
        if !free {
            let file = with(table, key.name, Some(&form));
            assert!(valid(&file).is_err(), "{}: {}", table.title(), key.name);
            assert!(!refusals(&file).is_empty(), "{}: {}", table.title(), key.name);
        }
    }
}

#[test]
fn a_key_is_needed_in_the_schema_where_the_program_misses_it() {
    for (table, key) in every_key() {
        let file = with(table, key.name, None);
        let complete = valid(&file).is_ok();
        assert_eq!(
            complete,
            refusals(&file).is_empty(),
            "{}: {}",
            table.title(),
            key.name
        );
    }
}

#[test]
fn a_key_that_does_not_exist_is_wrong_in_every_table() {
    for table in Table::ALL {
        let file = with(table, "zzqx", Some(&Value::Integer(1)));
        assert!(valid(&file).is_err(), "{}", table.title());
    }
}

#[test]
fn the_words_of_a_choice_are_those_that_the_program_lists() {
    let mut choices = 0;
    for (table, key) in every_key() {
        let (Kind::Choice(words) | Kind::ChoiceOr(words, _)) = key.kind else {
            continue;
        };
        let file = with(table, key.name, Some(&Value::String("zzqx".into())));
        let problems = read(&toml::to_string(&file).unwrap()).unwrap_err();
        let list = words
            .iter()
            .map(|word| format!("\"{word}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let help = problems.iter().next().unwrap().help();
        assert_eq!(help, format!("allowed: {list}"), "{}", key.name);
        choices += 1;
    }
    assert!(choices >= 4);
}

#[test]
fn to_write_a_default_changes_nothing() {
    for (table, key) in every_key() {
        let Some(default) = key.default else { continue };
        let silent = with(table, key.name, None);
        let said = with(table, key.name, Some(&Value::String(default.into())));
        let settings = |file: &Toml| format!("{:?}", read(&toml::to_string(file).unwrap()).unwrap());
        assert_eq!(settings(&said), settings(&silent), "{} = {default}", key.name);
    }
}
