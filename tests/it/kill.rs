//! kill -9 at any moment: totals stay exact, every line arrives, and what came twice says so.
//!
//! A writer writes by the clock and never looks at the reader; this thread kills the binary at random times and
//! starts it again. The judge is the server's journal, what a person saw. After every kill the rows on disk must
//! add up, and they tell whether the kill fell between an attempt and its settlement. To make such kills
//! likely the server takes its time: half of its delays come before the message is stored, so that it never
//! arrived, and half after, so that it did and nobody heard.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use botapi::{Fault, FaultKind, Message};
use tailgram::model::{AttemptId, Delivery, LedgerRow, State};
use tailgram::store::Store;

use crate::support::{
    Back, ME, Running, Sandbox, Series, evidence, first_text, labelled, seed, soak, total, until,
};

/// Two limits far above what the tests send, and a rule whose message proves that the road is still open.
const UNLIMITED: &str = "limit = \"100000/min\"\n";
const CANARY: &str = "[[rules]]\nname = \"canary\"\nmatch = 'CANARY'\nwait = \"0s\"\n";

/// What the writers never ask: whether anybody reads.
fn pace(random: &mut fastrand::Rng) {
    sleep(Duration::from_millis(random.u64(5..15)));
}

/// A sandbox whose chat has no limits of its own.
fn sandbox(rules: &str) -> Sandbox {
    let sandbox = Sandbox::unlimited();
    let logs = sandbox.path("logs");
    sandbox.rules_toml(&format!(
        "host = \"test-host\"\n[telegram]\nupdates = \"off\"\n[chats.me]\nid = {ME}\nnotices = false\n{UNLIMITED}\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\n{CANARY}{UNLIMITED}{rules}{UNLIMITED}",
        logs.display()
    ));
    sandbox
}

/// Half of the new messages are stored after the delay, half before it.
fn slow_down(sandbox: &Sandbox, ms: u64) {
    let faults = sandbox.api.faults();
    faults.push(
        Fault::always(FaultKind::Delay { ms })
            .method("sendMessage")
            .probability(0.5),
    );
    faults.push(Fault::always(FaultKind::Late { ms }).method("sendMessage"));
}

/// What the kills hit.
#[derive(Debug, Default)]
struct Kills {
    all: u32,
    /// Between the commit of an attempt and its settlement, so that nobody could know whether it arrived.
    in_flight: u32,
}

impl Kills {
    fn rampage(sandbox: &Sandbox, kills: u32, random: &mut fastrand::Rng) -> Self {
        let mut hit = Self::default();
        let mut known = BTreeSet::new();
        for _ in 0..kills {
            let running = sandbox.start(&[]);
            sleep(Duration::from_millis(random.u64(50..900)));
            running.kill_nine();
            let state = Store::peek(&sandbox.path("state")).unwrap();
            adds_up(&state);
            hit.all += 1;
            // One that was found before is of an earlier kill: this process did not live to take it up.
            hit.in_flight += u32::from(attempts(&state).filter(|id| known.insert(*id)).count() > 0);
        }
        hit
    }

    #[track_caller]
    fn often_hit_an_attempt(&self) {
        assert!(
            self.in_flight * 10 >= self.all,
            "too few kills fell between attempt and settle: {self:?}"
        );
    }
}

/// The attempts of which nobody knows whether they arrived.
fn attempts(state: &State) -> impl Iterator<Item = AttemptId> {
    let attempts = state
        .deliveries
        .iter()
        .filter_map(|delivery| delivery.attempt.as_ref());
    attempts
        .filter(|attempt| attempt.kind.is_new_message())
        .map(|attempt| attempt.id)
}

/// matched = shown + counted + muted + failed + pending, from the rows alone.
fn adds_up(state: &State) {
    for row in &state.accounts {
        let LedgerRow { key, account, .. } = row;
        let mine = |delivery: &&Delivery| delivery.rule == key.rule && delivery.key.chat == key.chat;
        let pending: u64 = state
            .deliveries
            .iter()
            .map(|delivery| &**delivery)
            .filter(mine)
            .map(Delivery::pending)
            .sum();
        let sum = account.shown + account.counted + account.muted + account.failed + pending + row.folded();
        assert_eq!(account.matched, sum, "{row:?}, pending {pending}");
    }
}

/// A thread that writes until it is told to stop.
struct Writer<T> {
    thread: JoinHandle<T>,
    stop: Arc<AtomicBool>,
}

impl<T: Send + 'static> Writer<T> {
    fn start(write: impl FnOnce(&AtomicBool) -> T + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        Self {
            thread: spawn(move || write(&told)),
            stop,
        }
    }

    fn stop(self) -> T {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Writes in two halves that fall anywhere, also into the middle of a line.
fn write_in_two(file: &mut File, text: &[u8], random: &mut fastrand::Rng) {
    let (head, tail) = text.split_at(random.usize(..=text.len()));
    file.write_all(head).unwrap();
    file.write_all(tail).unwrap();
}

/// Waits until a line of another rule came through: whatever was owed before it could have come, too.
fn sing(sandbox: &Sandbox) {
    sandbox.append("canary.log", "CANARY\n");
    let sung = |message: &Message| message.text.contains("CANARY");
    until("the canary sings", || {
        sandbox.api.journal().messages(ME).iter().any(sung)
    });
}

/// The longest that a backlog may take.
fn until_drained(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(5);
    while !done() {
        assert!(
            Instant::now() < deadline,
            "waited five minutes in vain until {what}"
        );
        sleep(Duration::from_millis(200));
    }
}

/// Per unit, how many lines matched.
type Units = BTreeMap<String, u64>;

/// Big bursts over units that come and go; some lines are of an older unit, some match nothing. Returns what matched,
/// and how many lines there were.
fn storm(mut file: File, per_second: u64, mut random: fastrand::Rng, stop: &AtomicBool) -> (Units, u64) {
    let (mut units, mut written, begun) = (Units::new(), 0, Instant::now());
    while !stop.load(Ordering::Relaxed) {
        let elapsed = u64::try_from(begun.elapsed().as_millis()).unwrap();
        let (mut burst, newest) = (Vec::new(), elapsed / 500);
        while written < elapsed * per_second / 1000 {
            written += 1;
            let age = if random.u8(..10) == 0 {
                random.u64(..=newest.min(3))
            } else {
                0
            };
            let unit = format!("unit{}", newest - age);
            // The second shape comes late in the life of a unit, so it is told in a reply.
            let what = if elapsed % 500 > 350 {
                "the cellar is full of water"
            } else {
                "the roof is on fire"
            };
            if random.u8(..5) == 0 {
                writeln!(burst, "INFO of={unit} id={written} all is well").unwrap();
            } else {
                writeln!(burst, "ERROR of={unit} id={written} {what}").unwrap();
                *units.entry(unit).or_default() += 1;
            }
        }
        write_in_two(&mut file, &burst, &mut random);
        pace(&mut random);
    }
    (units, written)
}

/// The unit that a message speaks of, and whether it is the live message or a reply.
fn about(message: &Message) -> Option<(String, bool)> {
    let unit = message.text.lines().find_map(|line| line.strip_prefix("unit="))?;
    Some((unit.to_owned(), !first_text(message).contains("new in ")))
}

/// Per unit the total that its live message shows now; the newest one if the opening had to be sent again.
fn shown(messages: &[Message]) -> Units {
    let live = messages.iter().filter_map(|message| match about(message) {
        Some((unit, true)) => Some((unit, total(&message.text))),
        _ => None,
    });
    live.collect()
}

/// How many messages were sent again; each of them says so.
#[track_caller]
fn repeats(messages: &[Message]) -> usize {
    let mut seen = BTreeSet::new();
    let about = |message: &&Message| about(message).is_some_and(|about| !seen.insert(about));
    let again: Vec<&Message> = messages.iter().filter(about).collect();
    for message in &again {
        assert!(
            labelled(message),
            "it came again without a word:\n{}",
            first_text(message)
        );
    }
    again.len()
}

#[test]
fn after_any_kill_the_totals_are_exact_and_a_second_opening_says_so() {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let sandbox = sandbox(
        "[[rules]]\nname = \"storm\"\nmatch = 'ERROR of=(?P<unit>\\w+)'\nby = [\"unit\"]\nwait = \"0s\"\n\
         every = \"200ms\"\nquiet = \"1h\"\n",
    );
    slow_down(&sandbox, 200);
    let (kills, per_second) = if soak() { (100, 18_000) } else { (10, 4_000) };
    let (file, dice) = (sandbox.open("app.log"), random.fork());
    let writer = Writer::start(move |stop| storm(file, per_second, dice, stop));
    let kills = Kills::rampage(&sandbox, kills, &mut random);
    let (written, lines) = writer.stop();
    sandbox.api.faults().clear();
    let running = sandbox.start(&[]);
    let journal = sandbox.api.journal();
    until_drained("the totals are right", || shown(&journal.messages(ME)) == written);
    sing(&sandbox);
    let messages = journal.messages(ME);
    assert_eq!(shown(&messages), written);
    let repeated = repeats(&messages);
    assert!(running.terminate().success());
    nothing_is_owed(&sandbox, written.values().sum(), "storm");
    evidence(&format!(
        "kill -9 under ring = \"new\": {} kills, {} between attempt and settle; {lines} lines, {} matches in {} \
         incidents, totals exact; {repeated} messages repeated, all labelled, seed {seed}",
        kills.all,
        kills.in_flight,
        written.values().sum::<u64>(),
        written.len(),
    ));
    kills.often_hit_an_attempt();
}

/// The account of a rule at the very end.
fn nothing_is_owed(sandbox: &Sandbox, matched: u64, rule: &str) {
    let state = Store::peek(&sandbox.path("state")).unwrap();
    adds_up(&state);
    let row = state
        .accounts
        .iter()
        .find(|row| row.key.rule.as_str() == rule)
        .unwrap();
    let account = row.account;
    assert_eq!(account.matched, matched);
    assert_eq!(account.shown + account.counted, matched, "{account:?}");
}

/// Bursts of some hundred lines into two files.
fn bursts(mut files: [File; 2], mut random: fastrand::Rng, stop: &AtomicBool) -> Vec<Series> {
    let mut series = [Series::new(1), Series::new(2)];
    while !stop.load(Ordering::Relaxed) {
        let which = random.usize(..2);
        let burst = series[which].next(random.u64(100..400));
        write_in_two(&mut files[which], burst.as_bytes(), &mut random);
        sleep(Duration::from_millis(random.u64(200..1000)));
    }
    series.to_vec()
}

const EVERY_LINE: &str = "[[rules]]\nname = \"lines\"\nmatch = 'ERROR'\nring = \"all\"\nwait = \"0s\"\nevery = \"100ms\"\nquiet = \"1h\"\n";

/// Starts the bursts.
fn start_bursts(sandbox: &Sandbox, random: &mut fastrand::Rng) -> Writer<Vec<Series>> {
    let files = ["a.log", "b.log"].map(|name| sandbox.open(name));
    let dice = random.fork();
    Writer::start(move |stop| bursts(files, dice, stop))
}

/// Lets a last process deliver the rest, and reads everything back.
fn drain_lines(sandbox: &Sandbox, written: &[Series]) -> Back {
    sandbox.api.faults().clear();
    let running = sandbox.start(&[]);
    let journal = sandbox.api.journal();
    until_drained("every line is there", || {
        Back::read(&journal.messages(ME)).lost(written).is_empty()
    });
    sing(sandbox);
    assert!(running.terminate().success());
    nothing_is_owed(sandbox, written.iter().map(|series| series.count).sum(), "lines");
    let back = Back::read(&journal.messages(ME));
    assert!(back.lost(written).is_empty());
    back
}

#[test]
fn after_any_kill_every_line_arrives_in_order_and_a_repeated_one_says_so() {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let sandbox = sandbox(EVERY_LINE);
    slow_down(&sandbox, 200);
    let writer = start_bursts(&sandbox, &mut random);
    let kills = Kills::rampage(&sandbox, if soak() { 100 } else { 10 }, &mut random);
    let written = writer.stop();
    let back = drain_lines(&sandbox, &written);
    evidence(&format!(
        "kill -9 under ring = \"all\": {} kills, {} between attempt and settle; {} lines, lost 0, out of order 0; \
         {} lines repeated, all labelled, seed {seed}",
        kills.all,
        kills.in_flight,
        back.first.len(),
        back.doubled,
    ));
    kills.often_hit_an_attempt();
}

/// Docker kills ten seconds after it asked.
const DOCKER: Duration = Duration::from_secs(10);

/// Asks it to end, and says how long that took.
fn ask_to_end(running: Running) -> Duration {
    let asked = Instant::now();
    assert!(running.terminate().success());
    asked.elapsed()
}

#[test]
fn sigterm_while_delivering_ends_in_time_loses_nothing_and_repeats_nothing() {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let sandbox = sandbox(EVERY_LINE);
    slow_down(&sandbox, 100);
    let writer = start_bursts(&sandbox, &mut random);
    let times = if soak() { 100 } else { 20 };
    let mut longest = Duration::ZERO;
    for _ in 0..times {
        let running = sandbox.start(&[]);
        until("it hears signals", || running.hears_sigterm());
        sleep(Duration::from_millis(random.u64(100..500)));
        longest = longest.max(ask_to_end(running));
        adds_up(&Store::peek(&sandbox.path("state")).unwrap());
    }
    let written = writer.stop();
    let back = drain_lines(&sandbox, &written);
    assert_eq!(back.doubled, 0);
    assert!(
        !sandbox.api.journal().messages(ME).iter().any(labelled),
        "nothing was in doubt"
    );
    assert!(longest < DOCKER, "{longest:?}");
    evidence(&format!(
        "SIGTERM while delivering: {times} times, exit status 0 each, longest {} ms; {} lines, lost 0, doubled 0, seed {seed}",
        longest.as_millis(),
        back.first.len(),
    ));
}
