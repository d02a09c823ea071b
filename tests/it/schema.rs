//! `schema`: what editors are told of rules.toml, by the program itself.

use boon::{Compiler, SchemaIndex, Schemas};

use crate::documents;
use crate::support::Sandbox;

/// The schema as the command prints it.
fn printed() -> String {
    let sandbox = Sandbox::new();
    let output = sandbox.command(&["schema"]).env_clear().output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(!sandbox.path("state").exists());
    String::from_utf8(output.stdout).unwrap()
}

/// The schema, ready to judge; it is held against that of draft 2020-12 on the way.
pub struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    pub fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let schema = serde_json::from_str(&printed()).unwrap();
        compiler.add_resource("rules.schema.json", schema).unwrap();
        let index = compiler.compile("rules.schema.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    /// What an editor would say of this rules.toml.
    pub fn judge(&self, text: &str) -> Result<(), String> {
        let file: toml::Table = toml::from_str(text).unwrap();
        let json = serde_json::to_value(file).unwrap();
        self.schemas
            .validate(&json, self.index)
            .map_err(|error| format!("{error:#}"))
    }
}

#[test]
fn the_schema_is_printed() {
    insta::assert_snapshot!(printed());
}

#[test]
fn every_rules_toml_in_the_documents_is_right_to_editors() {
    let judge = Judge::new();
    for text in documents::every_rules_toml() {
        assert_eq!(judge.judge(&text), Ok(()), "{text}");
    }
}

/// A right file, to break in one place.
const RIGHT: &str = r#"host = "web-1"
[telegram]
updates = "off"
[chats]
me = 53395910
news = "@channel"
mine = "${TELEGRAM_CHAT_ID:-1}"
[chats.ops]
id = -1001234567890
topic = 42
limit = "18/min"
[defaults]
chats = "me"
[[logs]]
name = "app"
files = ["logs/*.log"]
start = "end"
max_line = "${MAX_LINE}"
partial = "5s"
[[rules]]
name = "error"
match = 'ERROR'
severity = "critical"
tests = [{ line = "ERROR", match = true }]
[[rules]]
name = "away"
all = ['a', 'b']
"#;

#[test]
fn what_is_broken_is_wrong_to_editors() {
    let judge = Judge::new();
    assert_eq!(judge.judge(RIGHT), Ok(()));
    for (right, broken) in [
        ("host =", "hots ="),
        ("host = \"web-1\"", "host = 1"),
        ("[telegram]\n", "[telegram]\nadmins = [1]\n"),
        ("updates = \"off\"", "updates = \"poll\""),
        ("me = 53395910", "me = 0"),
        ("me = 53395910", "me = true"),
        ("\"@channel\"", "\"channel\""),
        ("id = -1001234567890\n", ""),
        ("topic = 42", "topic = \"42\""),
        ("topic = 42", "topics = 42"),
        ("\"18/min\"", "\"18\""),
        ("chats = \"me\"", "chats = []"),
        ("chats = \"me\"", "match = 'x'"),
        ("name = \"app\"\n", ""),
        ("name = \"app\"", "name = \"17\""),
        ("name = \"app\"", "name = \"the app\""),
        ("files = [\"logs/*.log\"]\n", ""),
        ("files = [\"logs/*.log\"]", "files = [1]"),
        ("start = \"end\"", "start = \"middle\""),
        ("\"${MAX_LINE}\"", "65536"),
        ("partial = \"5s\"", "partial = \"5 seconds\""),
        ("match = 'ERROR'\n", ""),
        ("severity = \"critical\"", "severity = \"high\""),
        ("severity = \"critical\"", "context = 5"),
        ("match = true", "match = \"yes\""),
        ("line = \"ERROR\"", "lines = \"ERROR\""),
        ("all = ['a', 'b']", "all = []"),
    ] {
        let text = RIGHT.replacen(right, broken, 1);
        assert_ne!(text, RIGHT, "{right}");
        assert!(judge.judge(&text).is_err(), "{right} -> {broken}");
    }
}
