//! One test per way to write rules.toml wrong. The snapshots are what the user reads: a friend's help, or
//! the test is not done. `¦` marks where each problem must point.
#![allow(
    clippy::needless_raw_string_hashes,
    reason = "the sources are all written alike"
)]

use std::path::Path;

use super::{BASE, Environment, parse, plain, wrong, wrong_rule};

#[test]
fn an_unknown_key_offers_the_near_one() {
    let told = wrong_rule(
        r#"match = 'x'
¦sevrity = "error""#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:1: there is no key `sevrity` in [[rules]]
      |
    9 | sevrity = "error"
      | ^^^^^^^
      = help: did you mean `severity`?

    1 problem
    "#);
}

#[test]
fn a_key_of_another_program_offers_ours() {
    let told = wrong_rule(
        r#"¦pattern = 'x'
all = 'x'"#,
    );
    insta::assert_snapshot!(told, @r"
    rules.toml:8:1: there is no key `pattern` in [[rules]]
      |
    8 | pattern = 'x'
      | ^^^^^^^
      = help: did you mean `match`?

    1 problem
    ");
}

#[test]
fn a_key_in_the_wrong_table_is_sent_to_its_own() {
    let told = wrong_rule(
        r#"match = 'x'
¦token_file = "/t""#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:1: there is no key `token_file` in [[rules]]
      |
    9 | token_file = "/t"
      | ^^^^^^^^^^
      = help: `token_file` belongs into [telegram]

    1 problem
    "#);
}

#[test]
fn a_key_that_is_like_no_other_lists_what_is_allowed() {
    let told = wrong_rule(
        r#"match = 'x'
¦zebra = 1"#,
    );
    insta::assert_snapshot!(told, @r"
    rules.toml:9:1: there is no key `zebra` in [[rules]]
      |
    9 | zebra = 1
      | ^^^^^
      = help: allowed in [[rules]]: name, logs, match, all, where, unless, severity, chats, by, at_least, absent, wait, every, quiet, remind, ring, resolve, limit, context, attach, template, buttons, redact, tests

    1 problem
    ");
}

#[test]
fn a_key_that_is_not_built_yet_is_refused() {
    let told = wrong(&format!("{}[telegram]\n¦admins = [53395910]\n", plain()));
    insta::assert_snapshot!(told, @r"
    rules.toml:10:1: `admins` is not supported yet
       |
    10 | admins = [53395910]
       | ^^^^^^
       = help: take the line out: the bot does not listen to anybody yet

    1 problem
    ");
}

#[test]
fn a_rule_that_looks_for_nothing_is_refused() {
    let told = wrong(&format!(
        r#"{BASE}¦[[rules]]
name = "a"
"#
    ));
    insta::assert_snapshot!(told, @r"
    rules.toml:6:1: this rule looks for nothing
      |
    6 | [[rules]]
      | ^^^^^^^^^
      = help: say what to look for: match = 'panicked at'

    1 problem
    ");
}

#[test]
fn a_rule_without_a_name_is_refused() {
    let told = wrong(&format!(
        r#"{BASE}¦[[rules]]
match = 'x'
"#
    ));
    insta::assert_snapshot!(told, @r#"
    rules.toml:6:1: `name` is missing
      |
    6 | [[rules]]
      | ^^^^^^^^^
      = help: give the rule a name: name = "panic"

    1 problem
    "#);
}

#[test]
fn an_unclosed_group_is_shown_inside_the_pattern() {
    let told = wrong_rule(r#"match = 'panicked ¦(at'"#);
    insta::assert_snapshot!(told, @r"
    rules.toml:8:19: not a regular expression: unclosed group
      |
    8 | match = 'panicked (at'
      |                   ^
      = help: close the group with `)`; a literal parenthesis is written \(

    1 problem
    ");
}

#[test]
fn look_ahead_is_sent_to_unless() {
    let told = wrong_rule(r#"match = ['fine', 'error ¦(?!expected)']"#);
    insta::assert_snapshot!(told, @r"
    rules.toml:8:25: not a regular expression: look-around, including look-ahead and look-behind, is not supported
      |
    8 | match = ['fine', 'error (?!expected)']
      |                         ^^^
      = help: look-around is not available in this engine, which never slows down on long lines; put what must not be there into `unless`, what must be there too into `all`

    1 problem
    ");
}

#[test]
fn a_backreference_is_refused_with_a_way_out() {
    let told = wrong_rule(r#"match = '(\w+) ¦\1'"#);
    insta::assert_snapshot!(told, @r"
    rules.toml:8:16: not a regular expression: backreferences are not supported
      |
    8 | match = '(\w+) \1'
      |                ^^
      = help: backreferences are not available in this engine, which never slows down on long lines; write out the cases, or use `all`

    1 problem
    ");
}

#[test]
fn a_pattern_with_escapes_is_shown_as_it_is_understood() {
    let told = wrong_rule(r#"match = ¦"a\\d+ (b\tc""#);
    insta::assert_snapshot!(told, @r#"
    rules.toml:8:9: not a regular expression: unclosed group
      |
    8 | match = "a\\d+ (b\tc"
      |         ^^^^^^^^^^^^^
      = help: close the group with `)`; a literal parenthesis is written \(
        the pattern, with escapes and variables resolved:
          a\d+ (b c
               ^

    1 problem
    "#);
}

#[test]
fn a_pattern_in_korean_keeps_its_caret_in_place() {
    let told = wrong_rule(r#"match = '오류 발생 ¦[a'"#);
    insta::assert_snapshot!(told, @r"
    rules.toml:8:16: not a regular expression: unclosed character class
      |
    8 | match = '오류 발생 [a'
      |                    ^
      = help: close the class with `]`; a literal bracket is written \[

    1 problem
    ");
}

#[test]
fn a_pattern_that_is_too_large_is_refused() {
    let told = wrong_rule(r#"match = '¦\w{1000}{1000}'"#);
    insta::assert_snapshot!(told, @r"
    rules.toml:8:10: not a regular expression: Compiled regex exceeds size limit of 10485760 bytes
      |
    8 | match = '\w{1000}{1000}'
      |          ^^^^^^^^^^^^^^
      = help: the pattern is too large; make its repetitions {n,m} smaller, or write a list of patterns

    1 problem
    ");
}

#[test]
fn a_pattern_in_double_quotes_gets_the_hint_with_single_ones() {
    let told = wrong_rule(r#"match = "\¦d+""#);
    insta::assert_snapshot!(told, @r#"
    rules.toml:8:11: this is not TOML: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\`, `"`, `x`, `u`, `U`
      |
    8 | match = "\d+"
      |           ^
      = help: write a pattern between single quotes, where a backslash stands for itself: match = '\d+'

    1 problem
    "#);
}

#[test]
fn a_value_without_quotes_is_told_once() {
    let told = wrong_rule(r#"match = ¦panic"#);
    insta::assert_snapshot!(told, @r#"
    rules.toml:8:9: this is not TOML: string values must be quoted
      |
    8 | match = panic
      |         ^^^^^
      = help: put the value into quotes: key = "value"; a pattern into single quotes: match = 'a\d+'

    1 problem
    "#);
}

#[test]
fn a_string_that_does_not_end_is_told() {
    let told = wrong_rule(r#"match = 'x¦"#);
    insta::assert_snapshot!(told, @r#"
    rules.toml:8:11: this is not TOML: invalid literal string, expected `'`
      |
    8 | match = 'x
      |           ^
      = help: a string ends on its own line, with the quote it began with; a ' inside needs "…" or '''…'''

    1 problem
    "#);
}

#[test]
fn a_key_written_twice_is_told() {
    let told = wrong_rule(
        r#"match = 'x'
¦match = 'y'"#,
    );
    insta::assert_snapshot!(told, @r"
    rules.toml:9:1: this is not TOML: duplicate key
      |
    9 | match = 'y'
      | ^^^^^
      = help: this key stood in this table before; keep one of them, or write a list: match = ['a', 'b']

    1 problem
    ");
}

#[test]
fn two_torn_lines_and_a_wrong_value_are_all_told() {
    let told = wrong_rule(
        r#"match = ¦panic
wait = ¦2s
ring = ¦"loud""#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:8:9: this is not TOML: string values must be quoted
      |
    8 | match = panic
      |         ^^^^^
      = help: put the value into quotes: key = "value"; a pattern into single quotes: match = 'a\d+'

    rules.toml:9:8: this is not TOML: string values must be quoted
      |
    9 | wait = 2s
      |        ^^
      = help: put the value into quotes: key = "value"; a pattern into single quotes: match = 'a\d+'

    rules.toml:10:8: "loud" is not a value of `ring`
       |
    10 | ring = "loud"
       |        ^^^^^^
       = help: allowed: "new", "first", "all"

    3 problems
    "#);
}

#[test]
fn a_length_of_time_in_words_is_refused() {
    let told = wrong_rule(
        r#"match = 'x'
quiet = ¦"10 minutes""#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:9: "10 minutes" is not a length of time
      |
    9 | quiet = "10 minutes"
      |         ^^^^^^^^^^^^
      = help: write one number and one unit: "500ms", "30s", "10m", "4h" or "2d"

    1 problem
    "#);
}

#[test]
fn a_bare_number_is_no_length_of_time() {
    let told = wrong_rule(
        r#"match = 'x'
wait = ¦5"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:8: `wait` must be a string in quotes
      |
    9 | wait = 5
      |        ^
      = help: this is a number; write wait = "2s"

    1 problem
    "#);
}

#[test]
fn a_length_of_time_out_of_bounds_names_them() {
    let told = wrong_rule(
        r#"match = 'x'
wait = ¦"11m"
quiet = ¦"0s""#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:8: "11m" is out of bounds for `wait`
      |
    9 | wait = "11m"
      |        ^^^^^
      = help: write a value between "0s" and "10m"

    rules.toml:10:9: "0s" is out of bounds for `quiet`
       |
    10 | quiet = "0s"
       |         ^^^^
       = help: write a value between "1s" and "30d"

    2 problems
    "#);
}

#[test]
fn a_rate_of_nothing_is_refused() {
    let told = wrong_rule(
        r#"match = 'x'
limit = ¦"0/h""#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:9: "0/h" is not a rate
      |
    9 | limit = "0/h"
      |         ^^^^^
      = help: write a number from 1 up and a unit: "1/s", "18/min", "12/h" or "5/d"

    1 problem
    "#);
}

#[test]
fn an_unknown_severity_offers_the_word_that_is_meant() {
    let told = wrong_rule(
        r#"match = 'x'
severity = ¦"fatal""#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:12: "fatal" is not a value of `severity`
      |
    9 | severity = "fatal"
      |            ^^^^^^^
      = help: did you mean "critical"? Allowed: "info", "warning", "error", "critical"

    1 problem
    "#);
}

#[test]
fn an_unknown_ring_lists_what_is_allowed() {
    let told = wrong_rule(
        r#"match = 'x'
ring = ¦"loud""#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:8: "loud" is not a value of `ring`
      |
    9 | ring = "loud"
      |        ^^^^^^
      = help: allowed: "new", "first", "all"

    1 problem
    "#);
}

#[test]
fn an_unknown_chat_offers_the_near_one() {
    let told = wrong(
        r#"[chats]
ops = -5
me = 7
[[logs]]
name = "app"
files = "a"
[[rules]]
name = "a"
match = 'x'
chats = ["me", ¦"opps"]
"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:10:16: there is no chat named "opps"
       |
    10 | chats = ["me", "opps"]
       |                ^^^^^^
       = help: did you mean "ops"?

    1 problem
    "#);
}

#[test]
fn an_unknown_log_lists_those_there_are() {
    let told = wrong_rule(
        r#"match = 'x'
logs = [¦"syslog"]"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:9: there is no log named "syslog"
      |
    9 | logs = ["syslog"]
      |         ^^^^^^^^
      = help: the logs of this file: app

    1 problem
    "#);
}

#[test]
fn a_chat_named_twice_is_refused() {
    let told = wrong_rule(
        r#"match = 'x'
chats = ["me", ¦"me"]"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:16: the chat "me" stands here twice
      |
    9 | chats = ["me", "me"]
      |                ^^^^
      = help: take one away

    1 problem
    "#);
}

#[test]
fn an_empty_list_is_refused() {
    let told = wrong_rule(r#"match = ¦[]"#);
    insta::assert_snapshot!(told, @r"
    rules.toml:8:9: `match` is an empty list
      |
    8 | match = []
      |         ^^
      = help: name at least one, such as match = 'panicked at', or take `match` out

    1 problem
    ");
}

#[test]
fn a_list_of_other_things_than_strings_is_refused() {
    let told = wrong_rule(r#"match = ['x', ¦5]"#);
    insta::assert_snapshot!(told, @r"
    rules.toml:8:15: `match` must be a string or a list of strings
      |
    8 | match = ['x', 5]
      |               ^
      = help: this is a number; write match = 'panicked at'

    1 problem
    ");
}

#[test]
fn with_several_chats_a_rule_must_name_its_own() {
    let told = wrong(
        r#"[chats]
ops = -5
me = 7
[[logs]]
name = "app"
files = "a"
¦[[rules]]
name = "a"
match = 'x'
"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:7:1: this rule must say which chats it tells, as there are several
      |
    7 | [[rules]]
      | ^^^^^^^^^
      = help: write chats = ["ops", "me"] with those it is for, here or once below [defaults]

    1 problem
    "#);
}

#[test]
fn by_takes_only_captures_and_built_in_names() {
    let told = wrong_rule(
        r#"match = 'user=(?P<user>\w+)'
by = ["host", ¦"usr"]"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:15: rule "a" has no capture named "usr"
      |
    9 | by = ["host", "usr"]
      |               ^^^^^
      = help: did you mean "user"? `by` takes captures of `match` and `all`, written (?P<usr>…), and "file", "host", "log"; here: user, file, host, log

    1 problem
    "#);
}

#[test]
fn a_by_of_defaults_must_fit_every_rule() {
    let told = wrong(&format!(
        r#"{BASE}format = "plain"
[defaults]
by = ¦"user"
[[rules]]
name = "a"
match = '(?P<user>x)'
[[rules]]
name = "b"
match = 'x'
"#
    ));
    insta::assert_snapshot!(told, @r#"
    rules.toml:8:6: rule "b" has no capture named "user"
      |
    8 | by = "user"
      |      ^^^^^^
      = help: `by` takes captures of `match` and `all`, written (?P<user>…), and "file", "host", "log"; here: file, host, log

    1 problem
    "#);
}

#[test]
fn a_capture_named_as_a_built_in_name_is_not_guessed_at() {
    let told = wrong_rule(
        r#"match = 'in (?P<file>\S+)'
by = [¦"file"]"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:7: "file" in `by` of rule "a" could be the built-in name or the capture
      |
    9 | by = ["file"]
      |       ^^^^^^
      = help: give the capture another name, such as (?P<file_name>…)

    1 problem
    "#);
}

#[test]
fn two_rules_of_one_name_are_refused() {
    let told = wrong(&format!(
        r#"{BASE}[[rules]]
name = "a"
match = 'x'
[[rules]]
name = ¦"a"
match = 'y'
"#
    ));
    insta::assert_snapshot!(told, @r#"
    rules.toml:10:8: there is a rule named "a" already, in line 7
       |
    10 | name = "a"
       |        ^^^
       = help: give each rule its own name

    1 problem
    "#);
}

#[test]
fn two_logs_of_one_name_are_refused() {
    let told = wrong(&format!(
        r#"{BASE}[[logs]]
name = ¦"app"
files = "b"
[[rules]]
name = "a"
match = 'x'
"#
    ));
    insta::assert_snapshot!(told, @r#"
    rules.toml:7:8: there is a log named "app" already, in line 4
      |
    7 | name = "app"
      |        ^^^^^
      = help: give each log its own name

    1 problem
    "#);
}

#[test]
fn a_name_with_spaces_is_refused() {
    let told = wrong(&format!(
        r#"{BASE}[[rules]]
name = ¦"disk full"
match = 'x'
"#
    ));
    insta::assert_snapshot!(told, @r#"
    rules.toml:7:8: "disk full" cannot be a name
      |
    7 | name = "disk full"
      |        ^^^^^^^^^^^
      = help: a name is made of letters, digits, '-', '_' and '.'

    1 problem
    "#);
}

#[test]
fn a_log_named_by_a_number_is_refused() {
    let told = wrong(
        r#"[chats]
me = 7
[[logs]]
name = ¦"7"
files = "b"
[[rules]]
name = "a"
match = 'x'
"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:4:8: a log's name cannot be a number
      |
    4 | name = "7"
      |        ^^^
      = help: put a letter in front: "log7"

    1 problem
    "#);
}

#[test]
fn an_empty_file_says_all_that_it_needs() {
    let told = wrong(r#"¦¦¦"#);
    insta::assert_snapshot!(told, @r#"
    rules.toml:1:1: there are no chats in this file
      |
    1 | 
      | ^
      = help: say who is told: [chats] and below it me = 53395910, your chat's id

    rules.toml:1:1: there are no logs in this file
      |
    1 | 
      | ^
      = help: say what to follow: [[logs]] and below it name = "app" and files = ["/var/log/app/*.log"]

    rules.toml:1:1: there are no rules in this file
      |
    1 | 
      | ^
      = help: say what to look for: [[rules]] and below it name = "panic" and match = 'panicked at'

    3 problems
    "#);
}

#[test]
fn a_table_with_one_bracket_too_few_is_told() {
    let told = wrong(
        r#"[chats]
me = 7
[[logs]]
name = "app"
files = "b"
¦[rules]
name = "a"
match = 'x'
"#,
    );
    insta::assert_snapshot!(told, @r"
    rules.toml:6:1: `rules` must be a list of tables
      |
    6 | [rules]
      | ^^^^^^^
      = help: write each entry below a line [[rules]], with two brackets

    1 problem
    ");
}

#[test]
fn a_table_with_a_misspelt_name_is_told() {
    let told = wrong(&format!(
        r#"{BASE}[[rules]]
name = "a"
match = 'x'
[[¦rule]]
name = "b"
match = 'x'
"#
    ));
    insta::assert_snapshot!(told, @r"
    rules.toml:9:3: there is no key `rule` in the top level
      |
    9 | [[rule]]
      |   ^^^^
      = help: did you mean `rules`?

    1 problem
    ");
}

#[test]
fn a_log_without_files_is_refused() {
    let told = wrong(
        r#"[chats]
me = 7
¦[[logs]]
name = "app"
[[rules]]
name = "a"
match = 'x'
"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:3:1: `files` is missing
      |
    3 | [[logs]]
      | ^^^^^^^^
      = help: say which files to follow: files = ["/var/log/app/*.log"]

    1 problem
    "#);
}

#[test]
fn globs_that_can_find_nothing_are_refused() {
    let told = wrong(
        r#"[chats]
me = 7
[[logs]]
name = "app"
files = [¦"/var/log/", ¦"~/app.log", ¦"/logs/[a.log", ¦"/dev/stdin"]
[[rules]]
name = "a"
match = 'x'
"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:5:10: "/var/log/" is a folder
      |
    5 | files = ["/var/log/", "~/app.log", "/logs/[a.log", "/dev/stdin"]
      |          ^^^^^^^^^^^
      = help: name the files in it: "/var/log/*.log"

    rules.toml:5:23: `~` is not filled in here
      |
    5 | files = ["/var/log/", "~/app.log", "/logs/[a.log", "/dev/stdin"]
      |                       ^^^^^^^^^^^
      = help: write ${HOME}/app.log

    rules.toml:5:36: "/logs/[a.log" is not a glob: unclosed character class; missing ']'
      |
    5 | files = ["/var/log/", "~/app.log", "/logs/[a.log", "/dev/stdin"]
      |                                    ^^^^^^^^^^^^^^
      = help: `*` and `?` stop at a slash, `**` does not; [abc] and {a,b} must be closed; a backslash takes the next character literally

    rules.toml:5:52: "/dev/stdin" is no log
      |
    5 | files = ["/var/log/", "~/app.log", "/logs/[a.log", "/dev/stdin"]
      |                                                    ^^^^^^^^^^^^
      = help: stdin is "-" here

    4 problems
    "#);
}

#[test]
fn what_is_no_way_to_put_lines_together_is_refused() {
    let log = |name: &str, value: &str| {
        format!("[[logs]]\nname = \"{name}\"\nfiles = \"a\"\nmultiline = {value}\n")
    };
    let told = wrong(&format!(
        "[chats]\nme = 7\n{}{}{}{}{}{}{}[[rules]]\nname = \"a\"\nmatch = 'x'\n",
        log("a", "¦\"kotlin\""),
        log("b", "¦true"),
        log("c", "¦{}"),
        log("d", "¦{ start = '^x', continue = '^y' }"),
        log("e", "{ start = '¦(x' }"),
        log("f", "{ continue = ¦'x\\n' }"),
        log("g", "{ ¦pattern = 'x' }"),
    ));
    insta::assert_snapshot!(told, @r#"
    rules.toml:6:13: "kotlin" is not a value of `multiline`
      |
    6 | multiline = "kotlin"
      |             ^^^^^^^^
      = help: did you mean "java"? Allowed: "auto", "off", "python", "java", "go", "rust", "node", "ruby", "php", "dotnet"

    rules.toml:10:13: `multiline` must be a string in quotes or a table
       |
    10 | multiline = true
       |             ^^^^
       = help: this is true or false; write multiline = "auto"

    rules.toml:14:13: `multiline` says nothing
       |
    14 | multiline = {}
       |             ^^
       = help: write one of the two: { start = '^\d{4}-' }, or { continue = '^\s' }

    rules.toml:18:13: `multiline` says both how events start and how they continue
       |
    18 | multiline = { start = '^x', continue = '^y' }
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = help: write one of the two: { start = '^\d{4}-' }, or { continue = '^\s' }

    rules.toml:22:24: not a regular expression: unclosed group
       |
    22 | multiline = { start = '(x' }
       |                        ^
       = help: close the group with `)`; a literal parenthesis is written \(

    rules.toml:26:26: this pattern speaks of line ends, and is asked about one line at a time
       |
    26 | multiline = { continue = 'x\n' }
       |                          ^^^^^
       = help: take `\n` and (?s) out

    rules.toml:30:15: there is no key `pattern` in `multiline`
       |
    30 | multiline = { pattern = 'x' }
       |               ^^^^^^^
       = help: did you mean `start`?

    7 problems
    "#);
}

#[test]
fn an_encoding_that_nobody_knows_and_one_that_a_container_never_has_are_refused() {
    let told = wrong(
        r#"[chats]
me = 7
[[logs]]
name = "a"
files = "a"
encoding = ¦"euckr8"
[[logs]]
name = "b"
files = "b"
encoding = ¦"ebcdic"
[[logs]]
name = "c"
files = "c"
format = "docker"
encoding = ¦"gbk"
[[logs]]
name = "d"
files = "d"
format = "cri"
encoding = ¦"utf-16"
[[rules]]
name = "a"
match = 'x'
"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:6:12: "euckr8" is not a value of `encoding`
      |
    6 | encoding = "euckr8"
      |            ^^^^^^^^
      = help: did you mean "euc-kr"?

    rules.toml:10:12: "ebcdic" is not a value of `encoding`
       |
    10 | encoding = "ebcdic"
       |            ^^^^^^^^
       = help: it takes the names that browsers know, such as "euc-kr", "gbk", "shift_jis", "utf-16le", "windows-1252"

    rules.toml:15:12: a log of format = "docker" is never in GBK
       |
    15 | encoding = "gbk"
       |            ^^^^^
       = help: the container runtime writes UTF-8: take the line out

    rules.toml:20:12: a log of format = "cri" is never in UTF-16LE
       |
    20 | encoding = "utf-16"
       |            ^^^^^^^^
       = help: the container runtime writes UTF-8: take the line out

    4 problems
    "#);
}

#[test]
fn a_size_without_a_unit_and_one_out_of_bounds_are_refused() {
    let told = wrong(
        r#"[chats]
me = 7
[[logs]]
name = "app"
files = "a"
max_line = ¦"65536"
[[logs]]
name = "b"
files = "b"
max_line = ¦"2MiB"
[[rules]]
name = "a"
match = 'x'
"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:6:12: "65536" is not a size
      |
    6 | max_line = "65536"
      |            ^^^^^^^
      = help: write one number and one unit: "500B", "64KiB" or "1MiB"

    rules.toml:10:12: "2MiB" is out of bounds for `max_line`
       |
    10 | max_line = "2MiB"
       |            ^^^^^^
       = help: write a value between "256B" and "1MiB"

    2 problems
    "#);
}

#[test]
fn ids_that_are_no_chats_are_refused() {
    let told = wrong(
        r#"[chats]
a = ¦0
b = ¦"ops"
c = ¦4503599627370496
d = ¦true
[[logs]]
name = "app"
files = "a"
[[rules]]
name = "a"
match = 'x'
chats = "a"
"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:2:5: 0 is not a chat's id
      |
    2 | a = 0
      |     ^
      = help: an id is a number such as 53395910 (a person), -1001234567890 (a group), or "@name" of a public channel

    rules.toml:3:5: "ops" is not a chat's id
      |
    3 | b = "ops"
      |     ^^^^^
      = help: an id is a number such as 53395910 (a person), -1001234567890 (a group), or "@name" of a public channel

    rules.toml:4:5: 4503599627370496 is not a chat's id
      |
    4 | c = 4503599627370496
      |     ^^^^^^^^^^^^^^^^
      = help: an id is a number such as 53395910 (a person), -1001234567890 (a group), or "@name" of a public channel

    rules.toml:5:5: `d` must be a whole number or a string
      |
    5 | d = true
      |     ^^^^
      = help: this is true or false; write d = 53395910

    4 problems
    "#);
}

#[test]
fn a_chat_without_an_id_or_with_a_wrong_topic_or_limit_is_refused() {
    let told = wrong(
        r#"¦[chats.ops]
topic = ¦0
limit = ¦"3/min"
[[logs]]
name = "app"
files = "a"
[[rules]]
name = "a"
match = 'x'
"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:1:1: `id` is missing
      |
    1 | [chats.ops]
      | ^^^^^^^^^^^
      = help: give the chat's id: id = -1001234567890, or "@name" of a public channel

    rules.toml:2:9: 0 is not a topic's id
      |
    2 | topic = 0
      |         ^
      = help: it is the number after the group's in a link to the topic: t.me/c/1234567890/42

    rules.toml:3:9: "3/min" leaves no room for messages and their edits
      |
    3 | limit = "3/min"
      |         ^^^^^^^
      = help: write "4/min" or more

    3 problems
    "#);
}

#[test]
fn an_api_url_with_more_than_a_base_is_refused() {
    let told = wrong(&format!(
        r#"[telegram]
api_url = ¦"https://me:pw@api.telegram.org"
proxy = ¦"proxy:1080"
updates = ¦"poll"
{BASE}[[rules]]
name = "a"
match = 'x'
"#
    ));
    insta::assert_snapshot!(told, @r#"
    rules.toml:2:11: `api_url` holds a user name or password
      |
    2 | api_url = "https://*****@api.telegram.org"
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: write the server's base URL: "https://api.telegram.org"

    rules.toml:3:9: `proxy` does not begin with a scheme
      |
    3 | proxy = "proxy:1080"
      |         ^^^^^^^^^^^^
      = help: write scheme, host and port: "socks5h://proxy:1080"; schemes: http, https, socks5, socks5h (names are resolved by the proxy)

    rules.toml:4:11: updates = "poll" is not supported yet
      |
    4 | updates = "poll"
      |           ^^^^^^
      = help: write "off", or take the line out, which means the same

    3 problems
    "#);
}

#[test]
fn a_token_that_is_none_is_refused_and_not_shown() {
    let told = wrong(&format!(
        r#"[telegram]
token = ¦"hunter2"
{BASE}[[rules]]
name = "a"
match = 'x'
"#
    ));
    insta::assert_snapshot!(told, @r"
    rules.toml:2:9: this is not a bot token: a token looks like 123456789:AA… (digits, a colon, then letters, digits, '_' or '-')
      |
    2 | token = *********
      |         ^^^^^^^^^
      = help: copy it again from @BotFather

    1 problem
    ");
}

#[test]
fn a_torn_line_with_a_token_does_not_show_it() {
    let told = wrong(&format!(
        r#"[telegram]
token = ¦123456:hunter2
{BASE}[[rules]]
name = "a"
match = 'x'
"#
    ));
    insta::assert_snapshot!(told, @r#"
    rules.toml:2:9: this is not TOML: invalid time, expected minute
      |
    2 | token = **************
      |         ^^^^^^^^^^^^^^
      = help: put the value into quotes: key = "value"; a pattern into single quotes: match = 'a\d+'

    1 problem
    "#);
}

#[test]
fn an_unset_variable_is_told_where_it_stands() {
    let told = wrong(&format!(
        r#"host = "web-¦${{REGION}}"
{BASE}[[rules]]
name = "a"
match = 'x'
"#
    ));
    insta::assert_snapshot!(told, @r#"
    rules.toml:1:13: the environment variable REGION is not set
      |
    1 | host = "web-${REGION}"
      |             ^^^^^^^^^
      = help: set REGION, or give a default: ${REGION:-default}

    1 problem
    "#);
}

#[test]
fn a_variable_without_its_brace_is_told() {
    let told = wrong_rule(r#"match = 'cost ¦${5'"#);
    insta::assert_snapshot!(told, @r"
    rules.toml:8:15: `${` has no `}`
      |
    8 | match = 'cost ${5'
      |               ^^^
      = help: write ${VAR} or ${VAR:-default}; to mean the characters themselves, write $${

    1 problem
    ");
}

#[test]
fn everything_wrong_in_a_file_is_told_at_once() {
    let told = wrong(
        r#"[chats]
me = ¦""
[[logs]]
name = "app"
files = "a"
start = ¦"begin"
[[rules]]
name = "a"
match = '¦*'
¦severe = true
chats = [¦"you"]
every = ¦"soon"
"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:2:6: "" is not a chat's id
      |
    2 | me = ""
      |      ^^
      = help: an id is a number such as 53395910 (a person), -1001234567890 (a group), or "@name" of a public channel

    rules.toml:6:9: "begin" is not a value of `start`
      |
    6 | start = "begin"
      |         ^^^^^^^
      = help: did you mean "beginning"? Allowed: "end", "beginning"

    rules.toml:9:10: not a regular expression: repetition operator missing expression
      |
    9 | match = '*'
      |          ^
      = help: put something before it; literal characters are written \* \+ \?

    rules.toml:10:1: there is no key `severe` in [[rules]]
       |
    10 | severe = true
       | ^^^^^^
       = help: did you mean `severity`?

    rules.toml:11:10: there is no chat named "you"
       |
    11 | chats = ["you"]
       |          ^^^^^
       = help: the chats of this file: me

    rules.toml:12:9: "soon" is not a length of time
       |
    12 | every = "soon"
       |         ^^^^^^
       = help: write one number and one unit: "500ms", "30s", "10m", "4h" or "2d"

    6 problems
    "#);
}

#[test]
fn a_long_line_is_shown_around_its_problem() {
    let told = wrong_rule(&format!("match = '{}¦(y'", "x".repeat(300)));
    insta::assert_snapshot!(told, @r"
    rules.toml:8:310: not a regular expression: unclosed group
      |
    8 | …xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx(y'
      |                                                    ^
      = help: close the group with `)`; a literal parenthesis is written \(

    1 problem
    ");
}

#[test]
fn a_rule_with_nothing_but_an_empty_all_looks_for_nothing() {
    let told = wrong(&format!("{BASE}¦[[rules]]\nname = \"a\"\nall = []\n"));
    insta::assert_snapshot!(told, @r"
    rules.toml:6:1: this rule looks for nothing
      |
    6 | [[rules]]
      | ^^^^^^^^^
      = help: say what to look for: match = 'panicked at'

    1 problem
    ");
}

#[test]
fn a_variable_that_speaks_for_a_key_is_named() {
    let env = Environment::from([("TELEGRAM_API_URL", "api.telegram.org")]);
    let told = parse(Path::new("rules.toml"), &plain(), &env)
        .unwrap_err()
        .to_string();
    insta::assert_snapshot!(told, @r#"
    rules.toml: the environment variable TELEGRAM_API_URL does not begin with a scheme
      = help: write the server's base URL: "https://api.telegram.org"

    1 problem
    "#);
}

#[test]
fn control_characters_of_the_file_never_reach_the_terminal() {
    let told = wrong_rule("match = 'x'\n¦\"\\u001b[31m\" = 1");
    assert!(!told.contains('\u{1b}'), "{told}");
}

#[test]
fn a_test_that_fails_names_the_part_of_the_rule_that_decided() {
    let told = wrong_rule(
        r#"match = ['^E: ', 'Error: (?P<what>\w+)']
all = ['db', 'shop']
unless = ['healthcheck']
resolve = 'recovered'
tests = [
  { line = ¦"ERROR: shop db", match = true },
  { line = ¦"E: shop", match = true },
  { line = ¦"E: db shop healthcheck", match = true },
  { line = ¦"E: db shop recovered", match = true },
  { line = ¦"E: db shop", match = false },
]"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:13:12: this line was expected to match; `match` does not find it
       |
    13 |   { line = "ERROR: shop db", match = true },
       |            ^^^^^^^^^^^^^^^^
       = help: 'Error: (?P<what>\w+)' would, if small and capital letters were the same: put (?i) in front of it

    rules.toml:14:12: this line was expected to match; `all` does not find it
       |
    14 |   { line = "E: shop", match = true },
       |            ^^^^^^^^^
       = help: the line has nothing for 'db'

    rules.toml:15:12: this line was expected to match; `unless` drops it
       |
    15 |   { line = "E: db shop healthcheck", match = true },
       |            ^^^^^^^^^^^^^^^^^^^^^^^^
       = help: 'healthcheck' finds this line; narrow it down

    rules.toml:16:12: this line was expected to match; `resolve` takes it for the end
       |
    16 |   { line = "E: db shop recovered", match = true },
       |            ^^^^^^^^^^^^^^^^^^^^^^
       = help: 'recovered' finds this line; narrow it down

    rules.toml:17:12: this line was expected not to match; it does
       |
    17 |   { line = "E: db shop", match = false },
       |            ^^^^^^^^^^^^
       = help: '^E: ' of `match` finds this line; narrow it down, or put what sets the line apart into `unless`

    5 problems
    "#);
}

#[test]
fn a_test_that_the_defaults_fail_says_so() {
    let told = wrong(&format!(
        r#"{BASE}[defaults]
unless = 'probe'
[[rules]]
name = "a"
match = 'down'
[[rules.tests]]
line = ¦"probe down"
match = true
[[rules]]
name = "b"
all = 'down'
tests = [{{ line = ¦"down", match = false }}]
"#
    ));
    insta::assert_snapshot!(told, @r#"
    rules.toml:12:8: this line was expected to match; `unless` of [defaults] drops it
       |
    12 | line = "probe down"
       |        ^^^^^^^^^^^^
       = help: 'probe' finds this line; narrow it down

    rules.toml:17:19: this line was expected not to match; it does
       |
    17 | tests = [{ line = "down", match = false }]
       |                   ^^^^^^
       = help: every pattern of `all` finds something in this line; narrow it down, or put what sets the line apart into `unless`

    2 problems
    "#);
}

#[test]
fn a_test_that_is_not_one_is_refused() {
    let told = wrong_rule(
        r#"match = 'x'
tests = [
  ¦"x",
  ¦{ line = "x" },
  ¦{ match = true },
  { ¦text = "x", line = "x", match = true },
  { line = ¦7, match = ¦"yes" },
  { line = ¦"x\ny", match = true },
]"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:10:3: `tests` must be a list of tables
       |
    10 |   "x",
       |   ^^^
       = help: write tests = [{ line = "ValueError: x", match = true }]

    rules.toml:11:3: `match` is missing
       |
    11 |   { line = "x" },
       |   ^^^^^^^^^^^^^^
       = help: say what you expect: match = true, or match = false

    rules.toml:12:3: `line` is missing
       |
    12 |   { match = true },
       |   ^^^^^^^^^^^^^^^^
       = help: write the line to try: line = "ValueError: x"

    rules.toml:13:5: there is no key `text` in `tests`
       |
    13 |   { text = "x", line = "x", match = true },
       |     ^^^^
       = help: did you mean `line`?

    rules.toml:14:12: `line` must be a string in quotes
       |
    14 |   { line = 7, match = "yes" },
       |            ^
       = help: this is a number; write line = "ValueError: x"

    rules.toml:14:23: `match` must be true or false
       |
    14 |   { line = 7, match = "yes" },
       |                       ^^^^^
       = help: this is a string; write match = true, without quotes

    rules.toml:15:12: `line` holds more than one line
       |
    15 |   { line = "x\ny", match = true },
       |            ^^^^^^
       = help: a log is read line by line; try each line in a test of its own

    7 problems
    "#);
}

#[test]
fn tests_that_are_no_list_are_refused() {
    let told = wrong_rule("match = 'x'\ntests = ¦'x'");
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:9: `tests` must be a list of tables
      |
    9 | tests = 'x'
      |         ^^^
      = help: write tests = [{ line = "ValueError: x", match = true }]

    1 problem
    "#);
}

#[test]
fn a_rule_that_could_not_be_read_is_not_tested() {
    wrong_rule("match = ['x', '¦(']\ntests = [{ line = \"(\", match = true }]");
    wrong_rule("match = 'x'\nresolve = '¦('\ntests = [{ line = \"(\", match = true }]");
    wrong_rule("match = ¦7\ntests = [{ line = \"7\", match = true }]");
    let torn = wrong_rule("match = 'x¦\ntests = [{ line = \"x\", match = true }]");
    assert!(torn.contains("not TOML"), "{torn}");
}

#[test]
fn a_pattern_of_redact_is_checked_like_all_others() {
    let told = wrong_rule("match = 'x'\nredact = ['a', 'b¦[']\n[defaults]\nredact = 'b¦['");
    assert!(told.contains("unclosed character class"), "{told}");
    let told = wrong_rule("match = '(?-u:\\xFF)'\nredact = ¦'(?-u:\\xFF)'");
    assert!(told.contains("`redact` works on text"), "{told}");
}

#[test]
fn health_says_its_bounds() {
    let told = wrong_rule(
        r#"match = 'x'
[health]
read_within = ¦"1s"
deliver_within = ¦"soon"
¦retry = "5m""#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:10:15: "1s" is out of bounds for `read_within`
       |
    10 | read_within = "1s"
       |               ^^^^
       = help: write a value between "3s" and "1h"

    rules.toml:11:18: "soon" is not a length of time
       |
    11 | deliver_within = "soon"
       |                  ^^^^^^
       = help: write one number and one unit: "500ms", "30s", "10m", "4h" or "2d"

    rules.toml:12:1: there is no key `retry` in [health]
       |
    12 | retry = "5m"
       | ^^^^^
       = help: allowed in [health]: read_within, deliver_within, heartbeat_url

    3 problems
    "#);
}

#[test]
fn a_heartbeat_url_is_checked_and_never_shown() {
    let told = wrong_rule("match = 'x'\n[health]\nheartbeat_url = ¦\"ftp://hc-ping.com/hush\"");
    insta::assert_snapshot!(told, @r#"
    rules.toml:10:17: `heartbeat_url` has the scheme "ftp"
       |
    10 | heartbeat_url = ************************
       |                 ^^^^^^^^^^^^^^^^^^^^^^^^
       = help: write the whole URL that your dead man's switch gave you: "https://hc-ping.com/…"

    1 problem
    "#);
    for wrong in [
        "",
        "hc-ping.com/hush",
        "https://",
        "https:///hush",
        "http://a b/hush",
        "http://a:0/hush",
        "http://[/hush",
    ] {
        let told = wrong_rule(&format!("match = 'x'\n[health]\nheartbeat_url = ¦\"{wrong}\""));
        assert!(
            told.contains("rules.toml:10:17: `heartbeat_url` ") && !told.contains("hush"),
            "{told}"
        );
    }
    wrong_rule("match = 'x'\n[health]\nheartbeat_url = ¦7");
}

#[test]
fn the_fence_says_what_its_keys_hold() {
    let told = wrong_rule(
        r#"match = 'x'
[fence]
landlock = ¦"on"
read = ["/fine", ¦"logs", ¦"/var/log/*"]"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:10:12: "on" is not a value of `landlock`
       |
    10 | landlock = "on"
       |            ^^^^
       = help: did you mean "auto"? Allowed: "auto", "require", "off"

    rules.toml:11:18: "logs" is not the whole path of a folder
       |
    11 | read = ["/fine", "logs", "/var/log/*"]
       |                  ^^^^^^
       = help: name a folder: read = ["/var/log/pods"]

    rules.toml:11:26: "/var/log/*" is not the whole path of a folder
       |
    11 | read = ["/fine", "logs", "/var/log/*"]
       |                          ^^^^^^^^^^^^
       = help: name a folder: read = ["/var/log/pods"]

    3 problems
    "#);
}

#[test]
fn notices_is_true_or_false() {
    let told = wrong_rule(
        r#"match = 'x'
chats = "me"
[chats.ops]
id = 5
notices = ¦"yes""#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:12:11: `notices` must be true or false
       |
    12 | notices = "yes"
       |           ^^^^^
       = help: this is a string; write notices = true, without quotes

    1 problem
    "#);
}

#[test]
fn conditions_say_what_is_wrong_with_them_and_what_was_meant() {
    let told = wrong(
        r#"[chats]
me = 7
[[logs]]
name = "app"
files = "a"
format = "json"
[[rules]]
name = "signs"
where = { a = ¦"=>500", b = ¦">=many", c = ¦"~(", d = ¦["!=x", "!=y"], e = ¦"!~x", f = ¦[], g.h = ¦1979-05-27 }
[[rules]]
name = "kind"
where = ¦"level=error"
[[rules]]
name = "empty"
where = ¦{}
[[rules]]
name = "test"
where = { level = "error" }
tests = [{ line = ¦'{"level":"info"}', match = true }, { line = ¦'oops', match = true }]
"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:15: "=>" is no comparison
      |
    9 | where = { a = "=>500", b = ">=many", c = "~(", d = ["!=x", "!=y"], e = "!~x", f = [], g.h = 1979-05-…
      |               ^^^^^^^
      = help: did you mean ">=500"?

    rules.toml:9:28: "many" is not a number, and ">=" compares numbers
      |
    9 | where = { a = "=>500", b = ">=many", c = "~(", d = ["!=x", "!=y"], e = "!~x", f = [], g.h = 1979-05-…
      |                            ^^^^^^^^
      = help: write a number, such as ">=500", or "=…" for a text, "~…" for a pattern

    rules.toml:9:42: not a regular expression: unclosed group
      |
    9 | where = { a = "=>500", b = ">=many", c = "~(", d = ["!=x", "!=y"], e = "!~x", f = [], g.h = 1979-05-…
      |                                          ^^^^
      = help: close the group with `)`; a literal parenthesis is written \(
        the pattern, with escapes and variables resolved:
          (
          ^

    rules.toml:9:52: "d" holds for almost every event: a list means any of them
      |
    9 | where = { a = "=>500", b = ">=many", c = "~(", d = ["!=x", "!=y"], e = "!~x", f = [], g.h = 1979-05-…
      |                                                    ^^^^^^^^^^^^^^
      = help: write one value after "!=", or drop what you do not want with `unless`

    rules.toml:9:72: "!~" is no comparison
      |
    9 | where = { a = "=>500", b = ">=many", c = "~(", d = ["!=x", "!=y"], e = "!~x", f = [], g.h = 1979-05-…
      |                                                                        ^^^^^
      = help: drop what a pattern finds with `unless`

    rules.toml:9:83: "f" must be one of nothing
      |
    9 | where = { a = "=>500", b = ">=many", c = "~(", d = ["!=x", "!=y"], e = "!~x", f = [], g.h = 1979-05-…
      |                                                                                   ^^
      = help: name at least one value, or take the field out

    rules.toml:9:93: `where` must be a string, a number, true, false, or a list of them
      |
    9 | …~(", d = ["!=x", "!=y"], e = "!~x", f = [], g.h = 1979-05-27 }
      |                                                    ^^^^^^^^^^
      = help: this is a date; write where = { level = "error", "http.status" = ">=500" }

    rules.toml:12:9: `where` must be a table
       |
    12 | where = "level=error"
       |         ^^^^^^^^^^^^^
       = help: write the fields and what they must be: where = { level = "error", "http.status" = ">=500" }

    rules.toml:15:9: `where` is an empty table
       |
    15 | where = {}
       |         ^^
       = help: write the fields and what they must be: where = { level = "error", "http.status" = ">=500" }

    rules.toml:19:19: this line was expected to match; `where` does not hold
       |
    19 | tests = [{ line = '{"level":"info"}', match = true }, { line = 'oops', match = true }]
       |                   ^^^^^^^^^^^^^^^^^^
       = help: the field "level" is "info"

    rules.toml:19:64: this line was expected to match; `where` does not hold
       |
    19 | tests = [{ line = '{"level":"info"}', match = true }, { line = 'oops', match = true }]
       |                                                                ^^^^^^
       = help: the line has no field "level"; write it as it stands in the file

    11 problems
    "#);
}

/// A chat that holds these lines, in a file that is right otherwise.
fn wrong_chat(marked: &str) -> String {
    let chat = format!("[chats.me]\nid = 53395910\n{marked}\n");
    wrong(&plain().replace("[chats]\nme = 53395910\n", &chat))
}

#[test]
fn a_zone_that_is_misspelt_or_only_a_city_offers_the_whole_name() {
    for (written, meant) in [
        ("Asia/Soul", "Asia/Seoul"),
        ("Seoul", "Asia/Seoul"),
        ("america/new york", "America/New_York"),
    ] {
        let told = wrong_chat(&format!("silent_hours = '22:00-07:00'\ntimezone = ¦'{written}'"));
        assert!(
            told.contains(&format!("there is no time zone {written:?}")),
            "{told}"
        );
        assert!(told.contains(&format!("did you mean \"{meant}\"?")), "{told}");
    }
    let told = wrong_chat("silent_hours = '22:00-07:00'\ntimezone = ¦'Asia/Soul'");
    insta::assert_snapshot!(told, @r#"
    rules.toml:4:12: there is no time zone "Asia/Soul"
      |
    4 | timezone = 'Asia/Soul'
      |            ^^^^^^^^^^^
      = help: did you mean "Asia/Seoul"?

    1 problem
    "#);
}

#[test]
fn a_zone_that_is_like_no_other_says_how_zones_are_named() {
    let told = wrong_chat("silent_hours = '22:00-07:00'\ntimezone = ¦'+09:00'");
    insta::assert_snapshot!(told, @r#"
    rules.toml:4:12: there is no time zone "+09:00"
      |
    4 | timezone = '+09:00'
      |            ^^^^^^^^
      = help: write a name such as "Asia/Seoul", "Europe/Berlin" or "UTC"

    1 problem
    "#);
}

#[test]
fn hours_that_are_no_part_of_the_day_are_refused() {
    let told = wrong_chat("silent_hours = ¦'22-7'");
    insta::assert_snapshot!(told, @r#"
    rules.toml:3:16: "22-7" is no part of the day
      |
    3 | silent_hours = '22-7'
      |                ^^^^^^
      = help: write two times with a line between them: silent_hours = "22:00-07:00"

    1 problem
    "#);
}

#[test]
fn hours_that_end_where_they_begin_are_refused() {
    let told = wrong_chat("silent_hours = ¦'07:00-07:00'");
    insta::assert_snapshot!(told, @r#"
    rules.toml:3:16: "07:00-07:00" ends where it begins
      |
    3 | silent_hours = '07:00-07:00'
      |                ^^^^^^^^^^^^^
      = help: write "00:00-24:00" for all day, or take the line out for never

    1 problem
    "#);
}

#[test]
fn an_unknown_level_of_a_chat_offers_the_word_that_is_meant() {
    let told = wrong_chat("show_level = ¦'warn'");
    insta::assert_snapshot!(told, @r#"
    rules.toml:3:14: "warn" is not a value of `show_level`
      |
    3 | show_level = 'warn'
      |              ^^^^^^
      = help: did you mean "warning"? Allowed: "info", "warning", "error", "critical"

    1 problem
    "#);
}

#[test]
fn a_threshold_that_is_a_number_is_refused() {
    let told = wrong_rule("match = 'x'\nat_least = ¦5");
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:12: `at_least` must be a table
      |
    9 | at_least = 5
      |            ^
      = help: write at_least = { count = 5, within = "1m" }

    1 problem
    "#);
}

#[test]
fn a_threshold_of_one_is_none() {
    let told = wrong_rule("match = 'x'\nat_least = { count = ¦1, within = '1m' }");
    insta::assert_snapshot!(told, @r"
    rules.toml:9:22: 1 is out of bounds for `count`
      |
    9 | at_least = { count = 1, within = '1m' }
      |                      ^
      = help: write a number from 2 to 200; without `at_least` a single match is enough

    1 problem
    ");
}

#[test]
fn a_threshold_without_its_time_is_refused() {
    let told = wrong_rule("match = 'x'\nat_least = ¦{ count = 5 }");
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:12: `within` is missing
      |
    9 | at_least = { count = 5 }
      |            ^^^^^^^^^^^^^
      = help: say within how long: within = "1m"

    1 problem
    "#);
}

#[test]
fn a_button_that_telegram_would_refuse_is_refused_first() {
    let told = wrong_rule(
        r#"match = 'x'
buttons = [
    { text = "Grafana", url = "http://¦grafana:3000/d" },
    { text = "¦ ", url = "https://a.example" },
    { text = "no scheme", url = "¦wiki.example.com/x" },
    { text = "secret", url = "https://¦ann:word@a.example/" },
    { text = "blank", url = "https://a.example/a¦ b" },
]"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:10:39: Telegram refuses links to "grafana:3000": the address does not look public
       |
    10 |     { text = "Grafana", url = "http://grafana:3000/d" },
       |                                       ^^^^^^^^^^^^
       = help: give the host a full name with a dot, such as grafana.example.com; an IPv4 address will do too

    rules.toml:11:15: a button with nothing on it is refused by Telegram
       |
    11 |     { text = " ", url = "https://a.example" },
       |               ^
       = help: write a word or two: text = "Runbook"

    rules.toml:12:34: a button opens an https:// or http:// address
       |
    12 |     { text = "no scheme", url = "wiki.example.com/x" },
       |                                  ^^^^^^^^^^^^^^^^^^
       = help: write the whole address: url = "https://wiki.example.com/…"

    rules.toml:13:39: a user name or password stands in the link
       |
    13 |     { text = "secret", url = "https://********@a.example/" },
       |                                       ^^^^^^^^^^^^^^^^^^
       = help: take it out: whoever sees the message would see it too

    rules.toml:14:49: a link holds no white space
       |
    14 |     { text = "blank", url = "https://a.example/a b" },
       |                                                 ^
       = help: write %20 for a blank; values are encoded by themselves

    5 problems
    "#);
}

#[test]
fn a_value_chooses_neither_the_host_nor_the_words_of_a_button() {
    let told = wrong_rule(
        r#"match = '(?P<what>x)'
buttons = [
    { text = "for ¦{{ what }}", url = "https://a.example/" },
    { text = "a", url = "https://{{ ¦what }}.example.com/" },
    { text = "b", url = "https://a.example/¦{{ what | upper }}" },
    { text = "c", url = "https://a.example/¦{{ what" },
]"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:10:19: the text of a button takes no values
       |
    10 |     { text = "for {{ what }}", url = "https://a.example/" },
       |                   ^^^^^^^^^^
       = help: what a log says must not name a button; put the value into `url`

    rules.toml:11:37: a value stands where the link says which host it leads to
       |
    11 |     { text = "a", url = "https://{{ what }}.example.com/" },
       |                                     ^^^^
       = help: write the host out and put values behind the slash after it: a log line must not choose where a button leads

    rules.toml:12:44: "what | upper" is not a name
       |
    12 |     { text = "b", url = "https://a.example/{{ what | upper }}" },
       |                                            ^^^^^^^^^^^^^^^^^^
       = help: a link takes names alone: {{ service }}

    rules.toml:13:44: `{{` has no `}}`
       |
    13 |     { text = "c", url = "https://a.example/{{ what" },
       |                                            ^^^^^^^
       = help: close it: {{ service }}; to mean the braces themselves, write %7B%7B

    4 problems
    "#);
}

#[test]
fn a_name_that_nobody_gives_a_value_offers_the_near_one() {
    let told = wrong_rule(
        r#"match = '(?P<service>x)'
buttons = [
    { text = "a", url = "https://a.example/{{ ¦sevrice }}" },
    { text = "b", url = "https://a.example/{{ ¦zebra }}" },
    { text = "c", url = "https://a.example/{{ fields.level }}" },
]"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:10:47: there is no value named "sevrice"
       |
    10 |     { text = "a", url = "https://a.example/{{ sevrice }}" },
       |                                               ^^^^^^^
       = help: did you mean "service"? A field of that name is written fields.sevrice

    rules.toml:11:47: there is no value named "zebra"
       |
    11 |     { text = "b", url = "https://a.example/{{ zebra }}" },
       |                                               ^^^^^
       = help: capture it: (?P<zebra>…) in `match`; if it is a field, write fields.zebra, or take one of these: rule, severity, host, text, total, first_ms, last_ms, file, log, level, service

    2 problems
    "#);
}

#[test]
fn a_near_name_is_refused_where_any_name_may_be_a_field_and_a_far_one_is_a_field() {
    let text = r#"[chats]
me = 1
[[logs]]
name = "app"
files = ["/logs/*.log"]
format = "json"
[[rules]]
name = "a"
match = '(?P<service>x)'
buttons = [{ text = "a", url = "https://a.example/{{ fields.sevrice }}/{{ http.status }}?x={{ ¦sevrice }}" }]
"#;
    insta::assert_snapshot!(wrong(text), @r#"
    rules.toml:10:95: there is no value named "sevrice"
       |
    10 | …ample/{{ fields.sevrice }}/{{ http.status }}?x={{ sevrice }}" }]
       |                                                    ^^^^^^^
       = help: did you mean "service"? A field of that name is written fields.sevrice

    1 problem
    "#);
}

#[test]
fn a_button_says_what_stands_on_it_and_where_it_leads() {
    let told = wrong_rule(
        r#"match = 'x'
buttons = [¦{ text = "a" }, ¦{ text = "a", ¦link = "https://a.example" }]"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:12: `url` is missing
      |
    9 | buttons = [{ text = "a" }, { text = "a", link = "https://a.example" }]
      |            ^^^^^^^^^^^^^^
      = help: write url = "https://wiki.example.com/{{ rule }}"

    rules.toml:9:28: `url` is missing
      |
    9 | buttons = [{ text = "a" }, { text = "a", link = "https://a.example" }]
      |                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: write url = "https://wiki.example.com/{{ rule }}"

    rules.toml:9:42: there is no key `link` in `buttons`
      |
    9 | buttons = [{ text = "a" }, { text = "a", link = "https://a.example" }]
      |                                          ^^^^
      = help: did you mean `url`?

    3 problems
    "#);
}

#[test]
fn a_template_is_read_when_the_rules_are() {
    let told = wrong(&format!(
        r#"{BASE}[[rules]]
name = "a"
match = '(?P<service>x)'
template = "<b>{{{{ rule }}}}</b> ¦{{{{ service | nope }}}}"
[[rules]]
name = "b"
match = 'x'
template = '''
<b>{{{{ rule }}}}</b>
¦<font color="red">{{{{ text }}}}</font>'''
[[rules]]
name = "c"
match = 'x'
template = "¦<b>{{{{ rule }}}}"
[[rules]]
name = "d"
match = 'x'
template = "a ¦{{% set x = text %}} b"
[[rules]]
name = "e"
match = 'x'
template = "¦{{{{ text"
[[rules]]
name = "f"
match = 'x'
template = "¦<a href='https://a.example/{{{{ text }}}}'>x</a>"
"#
    ));
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:31: the template uses a filter that is not there: filter nope is unknown
      |
    9 | template = "<b>{{ rule }}</b> {{ service | nope }}"
      |                               ^^^^^^^^^^^^^^^^^^^^
      = help: the filters are default, first_line, lower, trim, truncate, upper

    rules.toml:15:1: Telegram knows no tag <font>
       |
    15 | <font color="red">{{ text }}</font>'''
       | ^^^^^^^^^^^^^^^^^^
       = help: the tags are b, i, u, s, tg-spoiler, code, pre, blockquote, a; a line break is a line break; to mean the character `<`, write &lt;

    rules.toml:19:13: <b> is not closed
       |
    19 | template = "<b>{{ rule }}"
       |             ^^^
       = help: write </b> where it ends

    rules.toml:23:15: a template has no `{% set %}`
       |
    23 | template = "a {% set x = text %} b"
       |               ^^^^^^^^^^^^^^^^^^
       = help: there are if, elif, else, endif, for, endfor

    rules.toml:27:13: `{{` has no `}}`
       |
    27 | template = "{{ text"
       |             ^^
       = help: values are written {{ name }}; braces themselves {{ "{{" }}

    rules.toml:31:13: a value stands inside a tag
       |
    31 | template = "<a href='https://a.example/{{ text }}'>x</a>"
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = help: put links with values into `buttons`; what a log says must not choose where a link leads

    6 problems
    "#);
}

#[test]
fn an_unknown_name_in_a_template_offers_the_near_one() {
    let told = wrong_rule(
        r#"match = '(?P<service>x)'
template = "{{ ¦sevrice }} {% if ¦totl > 5 %}many{% endif %} {{ ¦zebra }} {{ fields.level }}""#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:16: there is no value named "sevrice"
      |
    9 | template = "{{ sevrice }} {% if totl > 5 %}many{% endif %} {{ zebra }} {{ fields.level }}"
      |                ^^^^^^^
      = help: did you mean "service"? A field of that name is written fields.sevrice

    rules.toml:9:33: there is no value named "totl"
      |
    9 | template = "{{ sevrice }} {% if totl > 5 %}many{% endif %} {{ zebra }} {{ fields.level }}"
      |                                 ^^^^
      = help: did you mean "total"? A field of that name is written fields.totl

    rules.toml:9:63: there is no value named "zebra"
      |
    9 | template = "{{ sevrice }} {% if totl > 5 %}many{% endif %} {{ zebra }} {{ fields.level }}"
      |                                                               ^^^^^
      = help: capture it: (?P<zebra>…) in `match`; if it is a field, write fields.zebra, or take one of these: rule, severity, host, text, total, first_ms, last_ms, file, log, level, mark, state, first, last, before, after, over, service

    3 problems
    "#);
}

#[test]
fn a_template_with_escapes_is_shown_where_it_is_wrong() {
    let told = wrong_rule(
        r#"match = 'x'
template = ¦"<b>{{ rule }}</b>\n<pre>{{ text }}</per>""#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:12: </per> stands where <pre> is still open
      |
    9 | template = "<b>{{ rule }}</b>\n<pre>{{ text }}</per>"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: close <pre> first
        in line 2, column 16 of the template: </per>

    1 problem
    "#);
}

#[test]
fn a_template_that_does_not_come_to_an_end_is_refused() {
    let loops = "{% for a in text %}".repeat(9);
    let ends = "{% endfor %}".repeat(9);
    let told = wrong_rule(&format!("match = 'x'\ntemplate = '¦{loops}x{ends}'"));
    assert!(told.contains("does not come to an end"), "{told}");
}

#[test]
fn a_context_has_bounds_and_two_sides() {
    let told = wrong_rule(
        r#"match = 'x'
context = { before = ¦51, after = ¦-1, ¦around = 3 }"#,
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:22: 51 is out of bounds for `before`
      |
    9 | context = { before = 51, after = -1, around = 3 }
      |                      ^^
      = help: write a number from 0 to 50

    rules.toml:9:34: -1 is out of bounds for `after`
      |
    9 | context = { before = 51, after = -1, around = 3 }
      |                                  ^^
      = help: write a number from 0 to 50

    rules.toml:9:38: there is no key `around` in `context`
      |
    9 | context = { before = 51, after = -1, around = 3 }
      |                                      ^^^^^^
      = help: allowed in `context`: before, after

    3 problems
    "#);
}

#[test]
fn plain_lines_have_no_fields_to_say() {
    let text = r#"[chats]
me = 1
[[logs]]
name = "app"
files = ["/logs/*.log"]
format = "plain"
[[rules]]
name = "a"
match = 'x'
template = "{{ level }} {{ ¦fields.user }} {{ ¦zebra }}"
"#;
    insta::assert_snapshot!(wrong(text), @r#"
    rules.toml:10:28: there is no field "user": the logs of this rule have no fields
       |
    10 | template = "{{ level }} {{ fields.user }} {{ zebra }}"
       |                            ^^^^^^^^^^^
       = help: take format = "plain" out, or give the log the format it has: "json", "logfmt", "docker" or "cri"

    rules.toml:10:46: there is no value named "zebra"
       |
    10 | template = "{{ level }} {{ fields.user }} {{ zebra }}"
       |                                              ^^^^^
       = help: capture it: (?P<zebra>…) in `match`, or take one of these: rule, severity, host, text, total, first_ms, last_ms, file, log, level, mark, state, first, last, before, after, over

    2 problems
    "#);
}

#[test]
fn what_is_absent_has_no_values_no_threshold_and_no_lines() {
    let told = wrong_rule(
        "match = '(?P<user>x)'\nabsent = '26h'\nby = ¦['user']\nat_least = ¦{ count = 5, within = '1m' }\nresolve = ¦'y'\nring = ¦'all'",
    );
    insta::assert_snapshot!(told, @r#"
    rules.toml:10:6: `by` is not allowed with `absent`
       |
    10 | by = ['user']
       |      ^^^^^^^^
       = help: take it out: what is absent has no values; write one rule for each that must appear

    rules.toml:11:12: `at_least` is not allowed with `absent`
       |
    11 | at_least = { count = 5, within = '1m' }
       |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = help: take it out: a single find is a sign of life

    rules.toml:12:11: `resolve` is not allowed with `absent`
       |
    12 | resolve = 'y'
       |           ^^^
       = help: take it out: the next find ends what is absent

    rules.toml:13:8: `ring = "all"` is not allowed with `absent`
       |
    13 | ring = 'all'
       |        ^^^^^
       = help: take it out: there are no lines to forward

    4 problems
    "#);
}

#[test]
fn an_absence_of_no_time_is_refused() {
    let told = wrong_rule("match = 'x'\nabsent = ¦'0s'");
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:10: "0s" is out of bounds for `absent`
      |
    9 | absent = '0s'
      |          ^^^^
      = help: write a value between "1s" and "400d"

    1 problem
    "#);
}

#[test]
fn what_can_be_attached_is_named() {
    let told = wrong_rule("match = 'x'\nattach = ¦\"file\"");
    insta::assert_snapshot!(told, @r#"
    rules.toml:9:10: "file" is not a value of `attach`
      |
    9 | attach = "file"
      |          ^^^^^^
      = help: did you mean "lines"? Allowed: "lines", "off"

    1 problem
    "#);
}

#[test]
fn retention_says_its_bounds_and_that_it_is_a_length_of_time() {
    let told = wrong(&format!("retention = ¦\"0s\"\n{}", plain()));
    insta::assert_snapshot!(told, @r#"
    rules.toml:1:13: "0s" is out of bounds for `retention`
      |
    1 | retention = "0s"
      |             ^^^^
      = help: write a value between "1s" and "400d"

    1 problem
    "#);
    let told = wrong(&format!("retention = ¦\"a week\"\n{}", plain()));
    insta::assert_snapshot!(told, @r#"
    rules.toml:1:13: "a week" is not a length of time
      |
    1 | retention = "a week"
      |             ^^^^^^^^
      = help: write one number and one unit: "500ms", "30s", "10m", "4h" or "2d"

    1 problem
    "#);
    let told = wrong(&format!("retention = ¦7\n{}", plain()));
    insta::assert_snapshot!(told, @r#"
    rules.toml:1:13: `retention` must be a string in quotes
      |
    1 | retention = 7
      |             ^
      = help: this is a number; write retention = "7d"

    1 problem
    "#);
}
