//! What rotators copy and cut, and what they rename where globs reach it: each line once, in order, whoever looks when.

use super::*;

/// What happens to a file that is copied and cut, and to whoever reads it.
#[derive(Clone, Debug)]
enum Step {
    Line(u8),
    /// Some lines may be written before the cut.
    Copy,
    Cut,
    Turn,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (8u8..40).prop_map(Step::Line),
        2 => Just(Step::Copy),
        2 => Just(Step::Cut),
        4 => Just(Step::Turn),
        2 => Just(Step::Kill),
    ]
}

/// A log and its rotator; a line is destroyed by a cut that no copy went before.
struct Log {
    lines: Vec<String>,
    /// Where the lines that stand in the log begin.
    from: usize,
    /// Where those begin that no copy has.
    uncopied: usize,
    copies: usize,
    destroyed: std::collections::BTreeSet<usize>,
}

impl Log {
    fn write(&mut self, rig: &Rig, length: u8) {
        let line = format!("{:06}:{}\n", self.lines.len(), "x".repeat(length.into()));
        rig.append("app.log", &line);
        self.lines.push(line);
    }

    fn copy(&mut self, rig: &Rig) {
        // Of two copies of one life of the log, either may be taken for the one that goes on.
        if self.uncopied == self.from {
            self.copies += 1;
            fs::copy(rig.path("app.log"), rig.path(&format!("app.log.{}", self.copies))).unwrap();
            self.uncopied = self.lines.len();
        }
    }

    fn cut(&mut self, rig: &Rig) {
        rig.append("app.log", "").set_len(0).unwrap();
        self.destroyed.extend(self.uncopied..self.lines.len());
        (self.from, self.uncopied) = (self.lines.len(), self.lines.len());
    }
}

/// Each line is an event that only the next line ends, as those of most logs are.
#[derive(Debug)]
struct Next;

impl Joints for Next {
    fn manner(&self, _: &str, _: &[u8]) -> Manner {
        Manner::default()
    }

    fn whole(&self, _: Manner, lines: &[u8], _: u64, upto: usize) -> usize {
        let ends = |lines: &[u8]| {
            lines
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |at| at + 1)
        };
        // Where the last line begins no event ends yet but the one before it.
        let last = ends(&lines[..lines.len().saturating_sub(1)]);
        ends(&lines[..upto]).min(last)
    }
}

/// What was told and what is remembered, for the reader of a failure.
fn stand(rig: &Rig) -> String {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let number = |text: &str| {
        text.split(':')
            .next()
            .unwrap_or_default()
            .trim_start_matches('0')
            .to_owned()
    };
    let told = rig
        .got
        .iter()
        .map(|got| format!("{}={}", name(&got.path), number(&got.text)));
    let known = rig.positions.values().map(|position| {
        let Position { offset, finished, .. } = position;
        format!("\n  {} {offset} finished {finished}", name(&position.path))
    });
    format!(
        "\n{}{}\n",
        told.collect::<Vec<_>>().join(" "),
        known.collect::<Vec<_>>().concat()
    )
}

proptest! {
    #[test]
    fn no_line_comes_twice_whenever_a_rotator_copies_and_cuts_and_none_out_of_order_without_a_restart(
        steps in prop::collection::vec(step(), 1..60), reached in any::<bool>(), joined in any::<bool>(),
    ) {
        let rig = Rig::new(if reached { &["app.log*"] } else { &["app.log"] });
        let mut rig = rig.set(|log| log.joints = joined.then(|| Arc::new(Next) as Arc<dyn Joints>));
        let mut log = Log { lines: Vec::new(), from: 0, uncopied: 0, copies: 0, destroyed: std::collections::BTreeSet::new() };
        log.write(&rig, 9);
        rig.turn();
        let (mut history, mut told) = (stand(&rig), 1);
        let restarted = steps.iter().any(|step| matches!(step, Step::Kill));
        for step in steps {
            history = format!("{history}{step:?} ");
            match step {
                Step::Line(length) => log.write(&rig, length),
                Step::Copy => log.copy(&rig),
                Step::Cut => log.cut(&rig),
                Step::Turn => { rig.after(1); }
                Step::Kill => { rig.kill(); }
            }
            if rig.got.len() > told {
                told = rig.got.len();
                history.push_str(&stand(&rig));
            }
        }
        rig.after(1).after(1).after(1);
        let number = |got: &Got| got.text.split(':').next().and_then(|number| number.parse::<usize>().ok());
        prop_assert!(rig.got.iter().all(|got| number(got).is_some()), "{:?}", rig.got);
        let got: Vec<usize> = rig.got.iter().filter_map(number).collect();
        let once: std::collections::BTreeSet<_> = got.iter().collect();
        prop_assert_eq!(once.len(), got.len(), "{:?}\n{}{}", got, history, stand(&rig));
        // Of several copies that were made while nobody looked, an older one may be known only when it is read.
        prop_assert!(restarted || got.is_sorted(), "{got:?}\n{history}{}", stand(&rig));
        let lost: Vec<usize> = (0..log.lines.len()).filter(|line| !got.contains(line)).collect();
        let owed: Vec<&usize> = lost.iter().filter(|line| !log.destroyed.contains(line)).collect();
        prop_assert!(owed.is_empty(), "{owed:?} stand in a file\n{history}{}", stand(&rig));
        prop_assert!(lost.is_empty() || !rig.gaps.is_empty(), "{lost:?} were destroyed, and nobody was told\n{history}{}", stand(&rig));
    }
}

#[test]
fn a_copy_that_ends_before_what_was_read_is_known_after_a_restart() {
    for globs in [["app.log"], ["app.log*"]] {
        let mut rig = Rig::new(&globs);
        let lines = |range: std::ops::Range<u32>| {
            range
                .map(|number| format!("line {number}\n"))
                .collect::<Vec<_>>()
                .concat()
        };
        rig.append("app.log", &lines(0..40));
        rig.turn();
        rig.append("app.log", &lines(40..44));
        rig.after(1).kill();
        // As if it had been made before the last four were written, and nobody had looked at the folder since.
        let copy = rig.append("app.log.1", &lines(0..40));
        copy.set_modified(SystemTime::now() - Duration::from_secs(10))
            .unwrap();
        rig.append("app.log", "").set_len(0).unwrap();
        rig.append("app.log", "line 44\n");
        rig.after(1).after(1);
        assert_eq!(rig.raw, lines(0..45).as_bytes());
        assert_eq!(
            rig.gaps.len(),
            1,
            "what was written just before the cut may be gone: {:?}",
            rig.gaps
        );
        rig.kill().after(1).after(61).kill().after(1);
        assert_eq!(rig.raw, lines(0..45).as_bytes());
    }
}

#[test]
fn a_copy_that_is_seen_while_it_is_made_is_not_read() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.append("app.log", "one\ntwo\nthree\n");
    rig.turn();
    for part in ["", "one\ntw", "o\nthree\n"] {
        rig.append("app.log.1", part);
        rig.after(1);
    }
    rig.append("app.log", "four\n");
    rig.after(1);
    fs::write(rig.path("app.log"), "five\n").unwrap();
    rig.after(1)
        .after(1)
        .expect(&["one\n", "two\n", "three\n", "four\n", "five\n"]);
}

#[test]
fn a_file_that_only_has_the_name_of_a_copy_is_read() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.append("app.log", "one\ntwo\nthree\n");
    rig.turn();
    rig.append("app.log.1", "");
    rig.append("app.log.2", "one\n");
    rig.after(1);
    rig.append("app.log.1", "another\n");
    rig.append("app.log.2", "and yet another\n");
    rig.after(1).after(1);
    let mut lines = rig.lines();
    lines[3..].sort_unstable();
    assert_eq!(
        lines,
        ["one\n", "two\n", "three\n", "and yet another\n", "another\n"]
    );
}

#[test]
fn generations_that_globs_reach_are_read_in_order_after_downtime() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.append("app.log", "1\n");
    rig.turn().kill();
    rig.append("app.log", "2\n");
    rig.rename("app.log", "app.log.2");
    rig.append("app.log.1", "3\n");
    rig.append("app.log", "4\n");
    rig.after(1).after(1).expect(&["1\n", "2\n", "3\n", "4\n"]);
    assert!(rig.gaps.is_empty(), "{:?}", rig.gaps);
}

#[test]
fn a_renamed_log_that_repeats_itself_is_not_taken_for_the_original_of_what_came_after_it() {
    let mut rig = Rig::new(&["app.log*"]);
    rig.append("app.log", &"tick\n".repeat(400));
    rig.turn().kill();
    rig.rename("app.log", "app.log.2");
    rig.append("app.log.1", &"tick\n".repeat(500));
    rig.append("app.log", "tock\n");
    rig.after(1).after(1);
    assert_eq!(rig.got.len(), 901);
}

/// The last event of a log waits for its rest when the log is copied and cut; then the log goes on.
#[track_caller]
fn last_event_of_a_copy(globs: &[&str], copied_unseen: bool, killed: bool) {
    let mut rig = Rig::new(globs).set(|log| log.joints = Some(Arc::new(Next)));
    rig.append("app.log", "one\ntwo\n");
    rig.turn().expect(&["one\n"]);
    fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
    if !copied_unseen {
        rig.tailer.as_mut().unwrap().look_again();
        rig.turn().expect(&["one\n"]);
    }
    rig.append("app.log", "").set_len(0).unwrap();
    rig.append("app.log", "3\n4\n");
    if killed {
        rig.kill();
    }
    if let Some(tailer) = &mut rig.tailer {
        tailer.look_again();
    }
    rig.turn().expect(&["one\n", "two\n", "3\n"]);
    rig.after(1).expect(&["one\n", "two\n", "3\n", "4\n"]);
}

#[test]
fn the_last_event_of_a_copy_comes_before_what_was_written_after_the_cut() {
    for copied_unseen in [true, false] {
        for killed in [true, false] {
            last_event_of_a_copy(&["app.log"], copied_unseen, killed);
            last_event_of_a_copy(&["app.log*"], copied_unseen, killed);
        }
    }
}
