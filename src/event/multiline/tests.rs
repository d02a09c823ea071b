//! The laws of borders, and traces by example.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::borders::Borders;
use super::*;
use crate::event::{Events, Format, Scratch, Settings};
use crate::model::{Habit, Joints, Manner, Records};

const LONGEST: usize = 64 * 1024;

fn pattern(source: &str) -> LinePattern {
    LinePattern::new(regex::bytes::Regex::new(source).unwrap())
}

fn learned(bytes: &[u8], full: bool) -> Option<Habit> {
    let mut end = 0;
    let lines = bytes
        .split_inclusive(|&byte| byte == b'\n')
        .filter(|line| line.ends_with(b"\n"));
    let lines = lines.map(|line| {
        end += line.len() as u64;
        (end, line.trim_ascii_end())
    });
    learn(lines, full)
}

/// All events of `chunk`, which stands `offset` bytes into its file, as ranges of the file.
fn walk(
    multiline: &Multiline,
    habit: Habit,
    longest: usize,
    chunk: &[u8],
    offset: usize,
) -> Vec<(usize, usize)> {
    let borders = Borders {
        joiner: Joiner::new(multiline, habit),
        chunk,
        offset: offset as u64,
        longest,
    };
    let (mut found, mut at) = (Vec::new(), 0);
    while at < chunk.len() {
        let (event, _) = borders.around(at, at);
        assert_eq!(event.start, at);
        found.push((offset + event.start, offset + event.end));
        at = event.end;
    }
    found
}

fn events(multiline: &Multiline, text: &str) -> Vec<String> {
    let habit = learned(text.as_bytes(), false).unwrap_or_default();
    let ranges = walk(multiline, habit, LONGEST, text.as_bytes(), 0);
    ranges
        .into_iter()
        .map(|(start, end)| text[start..end].to_owned())
        .collect()
}

/// Events are told apart by lines of `%%`.
#[track_caller]
fn are(multiline: &Multiline, wanted: &str) {
    let wanted: Vec<_> = wanted.split("%%\n").map(str::to_owned).collect();
    assert_eq!(events(multiline, &wanted.concat()), wanted);
}

#[test]
fn a_pattern_that_starts_or_continues_decides_alone() {
    are(
        &Multiline::Start(pattern(r"^\d{4}-")),
        "rest of something\n\n%%\n2026-01-02 one\nTraceback\n  x\n%%\n2026-01-02 two\n",
    );
    are(
        &Multiline::Continue(pattern(r"^\s")),
        "one\n  more\n\tmore\n%%\ntwo\n%%\nthree\n more",
    );
}

#[test]
fn a_trace_of_python_is_one_event() {
    let text = "2026-01-02 12:00:00,123 ERROR cannot sell
Traceback (most recent call last):
  File \"/srv/app/shop.py\", line 7, in sell
    stock[item]
    ~~~~~^^^^^^
KeyError: 'tea'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/srv/app/shop.py\", line 9, in sell
    raise Gone(item)
shop.Gone: 12:00:00 tea
%%
2026-01-02 12:00:01,123 INFO next
%%
plain words
%%
Exception in thread Thread-1 (run):
Traceback (most recent call last):
  File \"/srv/app/shop.py\", line 7, in run
ZeroDivisionError: division by zero
%%
Traceback (most recent call last):
  File \"/srv/app/shop.py\", line 7, in run
KeyboardInterrupt
%%
plain words
";
    are(&Multiline::Language(Language::Python), text);
    are(&Multiline::Auto, text);
}

#[test]
fn a_trace_of_java_is_one_event() {
    let text = "2026-01-02 12:00:00,123 ERROR [main] cannot sell
java.lang.IllegalStateException: no stock
\tat com.example.Shop.sell(Shop.java:7)
\tSuppressed: java.io.IOException: close
\t\tat com.example.Shop.close(Shop.java:9)
\t\t... 1 more
Caused by: com.example.Gone: tea
\tat com.example.Shop.take(Shop.java:8)
\t... 3 more
%%
2026-01-02 12:00:01,123 INFO [main] next
%%
plain
%%
Exception in thread \"main\" java.lang.RuntimeException: x
\tat Main.main(Main.java:3)
%%
java.lang.NullPointerException
\tat Main.main(Main.java:3)
%%
done
";
    are(&Multiline::Language(Language::Java), text);
    are(&Multiline::Auto, text);
}

#[test]
fn java_util_logging_has_two_lines_per_record() {
    are(
        &Multiline::Auto,
        "Jan 02, 2026 3:04:05 PM com.example.Shop sell\nSEVERE: no\njava.io.IOException: x\n\tat a.B.c(B.java:1)\n%%\n\
         Jan 02, 2026 3:04:05 PM com.example.Shop sell\nINFO: yes\n",
    );
}

#[test]
fn a_trace_of_go_is_one_event() {
    let text = "2026/01/02 12:00:00 start
%%
2026/01/02 12:00:01 http: panic serving 127.0.0.1:9: no stock
goroutine 7 [running]:
net/http.(*conn).serve.func1()
\t/usr/lib/go/src/net/http/server.go:1850 +0xbf
panic({0x5f5b68, 0xc0000a2000})
\t/usr/lib/go/src/runtime/panic.go:890 +0x262
created by net/http.(*Server).Serve
\t/usr/lib/go/src/net/http/server.go:3102 +0x4db
%%
2026/01/02 12:00:02 next
%%
plain
%%
panic: runtime error: invalid memory address or nil pointer dereference [recovered]
\tpanic: again
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x45bd2c]

goroutine 1 [running]:
main.(*Shop).sell(0x0, {0x1, 0x2})
\t/srv/app/shop.go:7 +0x1c
main.main()
\t/srv/app/shop.go:12 +0x2a

goroutine 18 [select]:
main.wait(...)
\t/srv/app/shop.go:20
exit status 2
%%
plain
";
    are(&Multiline::Language(Language::Go), text);
    are(&Multiline::Auto, text);
}

#[test]
fn a_trace_of_rust_is_one_event() {
    let text = "plain
%%
thread 'main' panicked at src/main.rs:7:5:
assertion `left == right` failed
  left: 1
 right: 2
stack backtrace:
   0: rust_begin_unwind
             at /rustc/x/library/std/src/panicking.rs:665:5
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
%%
thread 'main' (4711) panicked at src/main.rs:7:5:
ERROR: no stock
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
%%
thread 'main' panicked at 'no stock', src/main.rs:7:5
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
%%
Error: cannot sell

Caused by:
    0: no stock
    1: gone
%%
plain
";
    are(&Multiline::Auto, text);
}

#[test]
fn a_trace_of_node_is_one_event() {
    let text = "plain
%%
/srv/app/shop.js:7
throw new Gone('tea');
    ^

Gone: tea
and more about it
    at sell (/srv/app/shop.js:7:9)
    at Object.<anonymous> (/srv/app/shop.js:12:1) {
  code: 'GONE',
  [cause]: Error: x
      at y (z.js:1:1)
}

Node.js v20.20.2
%%
plain
%%
TypeError: x is not a function
    at sell (/srv/app/shop.js:7:9)
%%
plain
";
    are(&Multiline::Auto, text);
    are(&Multiline::Language(Language::Node), text);
}

#[test]
fn a_trace_of_ruby_is_one_event() {
    let text = "plain
%%
shop.rb:7:in `fetch': key not found: :tea (KeyError)
\tfrom shop.rb:7:in `sell'
shop.rb:9:in `rescue in sell': no stock (RuntimeError)
\tfrom shop.rb:12:in `<main>'
%%
plain
";
    are(&Multiline::Auto, text);
    are(&Multiline::Language(Language::Ruby), text);
}

#[test]
fn a_trace_of_php_is_one_event() {
    let text = "[02-Jan-2026 12:00:00 UTC] PHP Fatal error:  Uncaught Exception: tea in /srv/app/shop.php:7
Stack trace:
#0 /srv/app/shop.php(12): sell('tea')
#1 {main}

Next RuntimeException: no stock in /srv/app/shop.php:9
Stack trace:
#0 {main}
  thrown in /srv/app/shop.php on line 9
%%
[02-Jan-2026 12:00:01 UTC] next
%%
plain
%%
PHP Fatal error:  Uncaught Exception: tea in /srv/app/shop.php:7
Stack trace:
#0 {main}
  thrown in /srv/app/shop.php on line 7
%%
plain
";
    are(&Multiline::Auto, text);
    are(&Multiline::Language(Language::Php), text);
}

#[test]
fn a_trace_of_dotnet_is_one_event() {
    let text = "fail: Shop[0]
      cannot sell
      System.InvalidOperationException: no stock
         at Shop.Sell() in /srv/app/Shop.cs:line 7
%%
info: Shop[0]
      next
%%
plain
%%
Unhandled exception. System.InvalidOperationException: no stock
 ---> System.IO.IOException: gone
   at Shop.Take() in /srv/app/Shop.cs:line 9
   --- End of inner exception stack trace ---
   at Shop.Sell() in /srv/app/Shop.cs:line 7
%%
plain
";
    are(&Multiline::Auto, text);
}

#[test]
fn a_json_record_is_whole_and_what_stands_below_is_not_its() {
    are(
        &Multiline::Auto,
        "{\"level\":\"error\"}\n%%\nTraceback (most recent call last):\n  File \"x\", line 1\nValueError: x\n%%\n{\"level\":\"info\"}\n",
    );
}

#[test]
fn once_records_are_known_to_begin_with_a_time_all_else_belongs_to_them() {
    let records: Vec<_> = (0..40)
        .map(|n| format!("2026-01-02 12:00:{n:02} INFO words\n%%\n"))
        .collect();
    let mut text = records.concat();
    text += "2026-01-02 12:01:00 ERROR select *\nfrom shop\n\nwhere x\n%%\n2026-01-02 12:01:01 INFO words\n";
    are(&Multiline::Auto, &text);
}

#[test]
fn where_records_begin_with_anything_each_line_of_text_is_one() {
    let text: Vec<_> = (0..60).map(|n| format!("words number {n} and more\n")).collect();
    are(&Multiline::Auto, &text.join("%%\n"));
}

#[test]
fn a_habit_is_the_same_however_much_of_the_file_is_there() {
    let text: Vec<_> = (0..200)
        .map(|n| format!("web-1 02 Jan 2026 12:00:{:02} words\n", n % 60))
        .collect();
    let text = text.concat();
    let all = learned(text.as_bytes(), true).unwrap();
    assert_eq!(all.records, Records::Named);
    for end in 0..text.len() {
        if let Some(habit) = learned(&text.as_bytes()[..end], false) {
            assert_eq!(habit, all);
        }
    }
}

#[test]
fn an_event_of_a_hundred_thousand_lines_is_cut_by_its_size() {
    let text = "ERROR x\n".to_owned() + &"  more and more of it\n".repeat(100_000);
    let ranges = walk(&Multiline::Auto, Habit::default(), LONGEST, text.as_bytes(), 0);
    assert!(ranges.len() > 20);
    for (start, end) in &ranges[..ranges.len() - 1] {
        assert!((LONGEST..LONGEST + 30).contains(&(end - start)));
    }
    let joiner = Joiner::new(&Multiline::Auto, Habit::default());
    assert!(!joiner.is_rest(b"ERROR x", 0) && joiner.is_rest(b"  more and more of it", 9));
}

fn any_multiline() -> impl Strategy<Value = Multiline> {
    prop_oneof![
        4 => Just(Multiline::Auto),
        2 => prop::sample::select(Language::ALL.to_vec()).prop_map(|(_, language)| Multiline::Language(language)),
        1 => Just(Multiline::Start(pattern(r"^\d{4}-"))),
        1 => Just(Multiline::Continue(pattern(r"^\s"))),
        1 => Just(Multiline::Off),
    ]
}

/// Lines of logs and traces of all kinds, in any order.
const LINES: [&str; 62] = [
    "2026-01-02 12:00:00 INFO words",
    "2026-01-02 12:00:00 ERROR words",
    "Jan 02, 2026 3:04:05 PM com.example.Shop sell",
    "SEVERE: no",
    "10.0.0.7 - - [02/Jan/2026:12:00:00 +0000] \"GET\"",
    "words without a head",
    "more words",
    "words: of a kind",
    "words",
    "words here",
    "words there",
    "and words",
    "  indented",
    "\tindented",
    "",
    "",
    "Traceback (most recent call last):",
    "  File \"/srv/app/shop.py\", line 7, in sell",
    "KeyError: 'tea'",
    "KeyboardInterrupt",
    "During handling of the above exception, another exception occurred:",
    "Exception in thread Thread-1 (run):",
    "Current thread 0x1 (most recent call first):",
    "Exception in thread \"main\" java.lang.RuntimeException: x",
    "java.lang.NullPointerException",
    "\tat Main.main(Main.java:3)",
    "Caused by: java.lang.RuntimeException: x",
    "Caused by:",
    "\t... 3 more",
    "Wrapped by: x",
    "panic: x",
    "goroutine 1 [running]:",
    "main.main()",
    "created by main.main",
    "exit status 2",
    "rax    0xca",
    "[signal SIGSEGV: x]",
    "thread 'main' panicked at src/main.rs:7:5:",
    "note: run with `RUST_BACKTRACE=1` environment variable",
    "note: words",
    "stack backtrace:",
    "/srv/app/shop.js:7",
    "    ^",
    "TypeError: x",
    "    at sell (/srv/app/shop.js:7:9)",
    "Node.js v20.20.2",
    "}",
    "shop.rb:7:in `sell': no stock (RuntimeError)",
    "\tfrom shop.rb:12:in `<main>'",
    "PHP Fatal error:  Uncaught Exception: tea",
    "Stack trace:",
    "#0 {main}",
    "Next RuntimeException: x",
    "Unhandled exception. System.X: y",
    "Unhandled Exception:",
    "System.InvalidOperationException: x",
    "terminate called after throwing an instance of 'x'",
    "Aborted",
    "==1==ERROR: AddressSanitizer: x",
    "{\"level\":\"error\"}",
    "future: <Task x>",
    "Task exception was never retrieved",
];

fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        // Often enough that nothing says where an event begins, or that all do.
        1 => prop::sample::select(LINES.to_vec()).prop_map(str::to_owned),
        1 => prop::sample::select(LINES[5..14].to_vec()).prop_map(str::to_owned),
    ];
    let end = prop_oneof![9 => Just("\n"), 1 => Just("\r\n")];
    prop::collection::vec((line, end), 0..50).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|(line, end)| (line + end).into_bytes())
            .collect()
    })
}

fn any_habit() -> impl Strategy<Value = Habit> {
    let records = prop::sample::select(vec![Records::Any, Records::Headed, Records::Named]);
    (records, any::<bool>(), 0u64..600).prop_map(|(records, indented, from)| Habit {
        records,
        indented,
        from,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_event_around_a_byte_is_the_one_that_a_walk_from_the_start_finds(
        multiline in any_multiline(), habit in any_habit(), text in any_text(), longest in 20usize..400, offset in 0usize..300
    ) {
        let walked = walk(&multiline, habit, longest, &text, offset);
        let borders = Borders { joiner: Joiner::new(&multiline, habit), chunk: &text, offset: offset as u64, longest };
        let newlines = memchr::memchr_iter(b'\n', &text);
        for at in newlines.flat_map(|newline| [newline, newline + 1]).filter(|&at| at < text.len()) {
            let (event, _) = borders.around(0, at);
            let found = (offset + event.start, offset + event.end);
            prop_assert!(walked.contains(&found), "byte {at}: {found:?} of {walked:?}");
            prop_assert!(event.contains(&at));
        }
    }

    #[test]
    fn any_split_into_reads_gives_the_same_events(
        multiline in any_multiline(), habit in any_habit(), text in any_text(), longest in 20usize..400,
        cuts in prop::collection::vec(any::<bool>(), 80),
    ) {
        let joiner = Joiner::new(&multiline, habit);
        let (mut split, mut done, mut end) = (Vec::new(), 0, 0);
        for (line, cut) in text.split_inclusive(|&byte| byte == b'\n').zip(cuts) {
            end += line.len();
            if cut {
                let borders = Borders { joiner, chunk: &text[done..end], offset: done as u64, longest };
                let whole = borders.whole(end - done);
                prop_assert!(end - done - whole < longest, "what waits is bounded");
                split.extend(walk(&multiline, habit, longest, &text[done..done + whole], done));
                done += whole;
            }
        }
        split.extend(walk(&multiline, habit, longest, &text[done..], done));
        prop_assert_eq!(split, walk(&multiline, habit, longest, &text, 0));
    }

    #[test]
    fn a_border_that_several_logs_agree_on_is_one_for_each(
        multiline in any_multiline(), habit in any_habit(), text in any_text(), longest in 20usize..400, upto in 0usize..2000
    ) {
        let upto = upto.min(text.len());
        let borders = Borders { joiner: Joiner::new(&multiline, habit), chunk: &text, offset: 0, longest };
        let whole = borders.whole(upto);
        let walked = walk(&multiline, habit, longest, &text, 0);
        prop_assert!(whole <= upto && (whole == 0 || walked.iter().any(|(_, end)| *end == whole)));
        prop_assert_eq!(borders.whole(whole), whole, "and stays one");
    }
}

/// The texts and places of the events of a chunk of a container's log, `base` bytes into its file.
fn wrapped(settings: &Settings, manner: Manner, chunk: &[u8], base: usize) -> Vec<(usize, String)> {
    let events = Events::new(settings.clone());
    let mut scratch = Scratch::default();
    let lines = events.lines(chunk, base as u64, manner, &mut scratch);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < lines.bytes().len() {
        let placed = lines.around(at, at);
        let text = String::from_utf8_lossy(placed.event.text).into_owned();
        found.push((base + placed.event.range.start, text));
        at = placed.next;
    }
    found
}

fn cri(multiline: Multiline, max_line: usize) -> (Settings, Manner) {
    let settings = Settings {
        format: Format::Cri,
        multiline,
        max_line,
        ..Settings::default()
    };
    let manner = settings.manner("", b"2026-01-02T03:04:05Z stdout F x\n");
    (settings, manner)
}

#[test]
fn two_streams_of_a_container_never_mix_and_events_stand_in_the_order_of_their_beginnings() {
    let lines = [
        "stdout F 2026-01-02 ERROR no",
        "stderr F panic: x",
        "stdout F Traceback (most recent call last):",
        "stderr F ",
        "stdout P   File \"/srv/a.py\", ",
        "stderr F goroutine 1 [running]:",
        "stdout F line 7, in sell",
        "stdout F KeyError: 1",
        "stderr F main.main()",
        "stdout F 2026-01-02 INFO yes",
    ];
    let chunk: Vec<_> = lines
        .iter()
        .map(|line| format!("2026-01-02T03:04:05Z {line}\n"))
        .collect();
    let chunk = chunk.concat();
    let (settings, manner) = cri(Multiline::Auto, 1024);
    let texts: Vec<_> = wrapped(&settings, manner, chunk.as_bytes(), 0)
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    let expected = [
        "2026-01-02 ERROR no\nTraceback (most recent call last):\n  File \"/srv/a.py\", line 7, in sell\nKeyError: 1",
        "panic: x\n\ngoroutine 1 [running]:\nmain.main()",
        "2026-01-02 INFO yes",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn a_piece_without_an_end_does_not_end_the_event_of_the_other_stream() {
    let (settings, manner) = cri(Multiline::Language(Language::Python), 64 * 1024);
    let piece = "2026-01-02T03:04:05Z stdout P waits\n";
    let record = "2026-01-02T03:04:05Z stderr F ValueError\n";
    let got = wrapped(&settings, manner, format!("{piece}{record}").as_bytes(), 7);
    let texts: Vec<_> = got.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["waits", "ValueError"]);
}

#[test]
fn a_stream_that_falls_silent_holds_the_other_one_back_for_a_while_only() {
    let (settings, manner) = cri(Multiline::Auto, 64 * 1024);
    let mut text = "2026-01-02T03:04:05Z stdout F words\n".to_owned();
    while text.len() < 20 * 1024 {
        text += "2026-01-02T03:04:05Z stderr F 2026-01-02 INFO words\n";
    }
    let whole = settings.whole(manner, text.as_bytes(), 0, text.len());
    assert!(text.len() - whole < 100, "{whole} of {}", text.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn events_of_two_streams_are_those_of_each_alone(
        multiline in any_multiline().prop_filter("joins", |multiline| *multiline != Multiline::Off),
        lines in prop::collection::vec((prop::sample::select(LINES.to_vec()), any::<bool>(), any::<bool>()), 0..60),
    ) {
        let (settings, manner) = cri(multiline, 64 * 1024);
        let wrap = |(line, stderr, _): &(&str, bool, bool)| {
            format!("2026-01-02T03:04:05Z {} F {line}\n", if *stderr { "stderr" } else { "stdout" })
        };
        let both: String = lines.iter().map(wrap).collect();
        let texts = |chunk: &str| wrapped(&settings, manner, chunk.as_bytes(), 7).into_iter().map(|(_, text)| text);
        let mut together: Vec<_> = texts(&both).collect();
        let alone = [false, true].map(|stream| lines.iter().filter(|(_, stderr, _)| *stderr == stream).map(wrap).collect::<String>());
        let mut apart: Vec<_> = alone.iter().flat_map(|chunk| texts(chunk)).collect();
        together.sort_unstable();
        apart.sort_unstable();
        prop_assert_eq!(together, apart);

        let (mut split, mut done, mut end) = (Vec::new(), 0, 0);
        for line in &lines {
            end += wrap(line).len();
            if line.2 {
                let whole = settings.whole(manner, &both.as_bytes()[done..end], 7 + done as u64, end - done);
                split.extend(wrapped(&settings, manner, &both.as_bytes()[done..done + whole], 7 + done));
                done += whole;
            }
        }
        split.extend(wrapped(&settings, manner, &both.as_bytes()[done..], 7 + done));
        prop_assert_eq!(split, wrapped(&settings, manner, both.as_bytes(), 7));
    }
}

/// A program that crashed, in both of its logs: what it printed is exactly one event, below the record above it
/// where that has a head.
#[track_caller]
fn is_one_event(name: &str) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/crashes");
    let read = |kind: &str| std::fs::read_to_string(folder.join(format!("{name}.{kind}"))).unwrap();
    // The numbers of processes differ from run to run.
    let numbers = regex::Regex::new("[0-9]+").unwrap();
    let blank = |text: &str| numbers.replace_all(text, "#").into_owned();
    let found = |kind: &str| {
        events(&Multiline::Auto, &read(kind))
            .iter()
            .map(|event| blank(event))
            .collect::<Vec<_>>()
    };
    let crash = blank(read("crash").trim());
    let crash = crash.as_str();
    let plain = found("plain.log");
    let alone: Vec<_> = plain.iter().filter(|event| event.trim() == crash).collect();
    assert_eq!(alone.len(), 1, "{plain:#?}");
    let dated = found("dated.log");
    let below: Vec<_> = dated
        .iter()
        .filter(|event| event.trim().ends_with(crash))
        .collect();
    assert_eq!(below.len(), 1, "{dated:#?}");
    let above = below[0].trim().strip_suffix(crash).unwrap();
    assert!(above.lines().count() <= 2, "{above}");
    for events in [&plain, &dated] {
        let others = events.iter().filter(|event| !event.contains(crash));
        for other in others {
            assert!(other.trim().lines().count() == 1, "{other}");
        }
    }
}

#[test]
fn a_crash_of_python_chained_is_one_event() {
    is_one_event("python-chained");
}

#[test]
fn a_crash_of_node_cause_is_one_event() {
    is_one_event("node-cause");
}

#[test]
fn a_crash_of_node_rejected_is_one_event() {
    is_one_event("node-rejected");
}

#[test]
fn a_crash_of_java_is_one_event() {
    is_one_event("java");
}

#[test]
fn a_crash_of_go_is_one_event() {
    is_one_event("go");
}

#[test]
fn a_crash_of_rust_is_one_event() {
    is_one_event("rust");
}

#[test]
fn a_crash_of_rust_backtrace_is_one_event() {
    is_one_event("rust-backtrace");
}

#[test]
fn a_crash_of_rust_assert_is_one_event() {
    is_one_event("rust-assert");
}

#[test]
fn a_crash_of_ruby_is_one_event() {
    is_one_event("ruby");
}

#[test]
fn a_crash_of_php_is_one_event() {
    is_one_event("php");
}

#[test]
fn a_crash_of_dotnet_mono_is_one_event() {
    is_one_event("dotnet-mono");
}

#[test]
fn a_crash_of_perl_is_one_event() {
    is_one_event("perl");
}

#[test]
fn a_crash_of_c_assert_is_one_event() {
    is_one_event("c-assert");
}

#[test]
fn a_crash_of_cpp_throw_is_one_event() {
    is_one_event("cpp-throw");
}

#[test]
fn a_crash_of_bash_is_one_event() {
    is_one_event("bash");
}

#[test]
fn a_crash_of_python_thread_is_one_event() {
    is_one_event("python-thread");
}

/// What it logged stands between its own records, so the event is known by where its trace begins and ends.
#[test]
fn an_exception_that_python_logs_between_other_records_is_one_event() {
    for kind in ["plain.log", "dated.log"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/crashes");
        let text = std::fs::read_to_string(folder.join(format!("python-logged.{kind}"))).unwrap();
        let events = events(&Multiline::Auto, &text);
        let traces: Vec<_> = events
            .iter()
            .filter(|event| event.contains("Traceback"))
            .collect();
        assert_eq!(traces.len(), 1, "{events:#?}");
        assert!(
            traces[0].contains("ERROR") && traces[0].contains("the till failed\nTraceback"),
            "{traces:?}"
        );
        assert!(
            traces[0].trim().ends_with("RuntimeError: cannot sell tea"),
            "{traces:?}"
        );
        assert_eq!(events.len(), text.lines().count() - 6, "{events:#?}");
    }
}
