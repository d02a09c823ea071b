//! Telegram is away while the logs storm: afterwards each chat has one message per incident, and it is exact.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use botapi::{BotApi, ChatConfig, ChatKind, ChatState, Config, FaultKind, Message, Verdict};

use crate::support::{ME, Sandbox, evidence, seed, soak, total, until, until_within};

const GROUP: i64 = -77;
const FORUM: i64 = -1_001_234_567_890;
const TOPIC: i64 = 42;
const CHATS: [i64; 3] = [ME, GROUP, FORUM];
const KINDS: [&str; 2] = ["disk", "pool"];

fn three_chats() -> Config {
    Config::default()
        .chat(ChatConfig::new(ME, ChatKind::Private))
        .chat(ChatConfig::new(GROUP, ChatKind::Group))
        .chat(ChatConfig::new(FORUM, ChatKind::Supergroup).topics(&[TOPIC]))
}

fn rules(sandbox: &Sandbox) {
    sandbox.rules_toml(&format!(
        "[telegram]\nupdates = \"off\"\n[chats]\nme = {{ id = {ME}, notices = false }}\ngroup = {GROUP}\n\
         [chats.forum]\nid = {FORUM}\ntopic = {TOPIC}\n\
         [defaults]\nchats = [\"me\", \"group\", \"forum\"]\nevery = \"1s\"\nwait = \"200ms\"\n\
         [[logs]]\nname = \"app\"\nfiles = [\"{}/*.log\"]\nstart = \"beginning\"\n\
         [[rules]]\nname = \"storm\"\nmatch = 'ERROR (?P<kind>\\w+)'\nby = [\"kind\"]\n\
         [[rules]]\nname = \"canary\"\nmatch = 'CANARY'\n",
        sandbox.path("logs").display()
    ));
}

/// What the outage consists of, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Refuse,
    BadGateway,
    Silence,
    AnswersLost,
}

/// Every phase once, in the order that the seed gives.
fn phases(seed: u64) -> [Phase; 4] {
    let mut phases = [
        Phase::Refuse,
        Phase::BadGateway,
        Phase::Silence,
        Phase::AnswersLost,
    ];
    fastrand::Rng::with_seed(seed).shuffle(&mut phases);
    phases
}

/// From here on this goes wrong, and nothing that went wrong before.
fn begin(api: &BotApi, phase: Phase, before: Option<Phase>) {
    let stall = if soak() { 20_000 } else { 700 };
    api.faults().clear();
    match phase {
        Phase::Refuse => return api.stop(),
        Phase::BadGateway => api.faults().always(FaultKind::Html {
            status: 502,
            store: false,
        }),
        Phase::Silence => api.faults().always(FaultKind::Stall {
            ms: stall,
            store: false,
        }),
        Phase::AnswersLost => api.faults().always(FaultKind::AnswerLost),
    }
    end(api, before);
}

/// Opens the port again if it was closed.
fn end(api: &BotApi, phase: Option<Phase>) {
    if phase == Some(Phase::Refuse) {
        api.restart();
    }
}

/// About a thousand lines a second.
fn storm(file: &mut File, length: Duration) -> [u64; 2] {
    let (until, mut written) = (Instant::now() + length, [0, 0]);
    while Instant::now() < until {
        for (kind, count) in KINDS.iter().zip(&mut written) {
            let lines = format!("ERROR {kind} failed, try {count}\n").repeat(5);
            file.write_all(lines.as_bytes()).unwrap();
            *count += 5;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    written
}

#[test]
fn after_an_outage_each_chat_has_one_exact_message_per_incident() {
    let seed = seed();
    let sandbox = Sandbox::with(three_chats());
    rules(&sandbox);
    let running = sandbox.start(&[]);
    until("it started", || sandbox.stderr().contains("started"));
    let length = if soak() {
        Duration::from_secs(150)
    } else {
        Duration::from_millis(1_500)
    };
    let mut file = sandbox.open("app.log");
    let (mut written, mut before) = ([0, 0], None);
    for phase in phases(seed) {
        begin(&sandbox.api, phase, before);
        let more = storm(&mut file, length);
        written = [written[0] + more[0], written[1] + more[1]];
        before = Some(phase);
    }
    sandbox.api.faults().clear();
    end(&sandbox.api, before);
    let exact = || {
        CHATS
            .iter()
            .all(|chat| (0..2).all(|kind| last_total(&sandbox, *chat, kind) == written[kind]))
    };
    until_within(Duration::from_mins(2), "all totals are exact", exact);
    for chat in CHATS {
        one_message_per_incident(&sandbox, chat);
    }
    sandbox.append("app.log", "CANARY\n");
    until("the canary sings in every chat", || {
        CHATS.iter().all(|chat| has_canary(&sandbox, *chat))
    });
    assert!(running.terminate().success());
    let journal = sandbox.api.journal();
    let repeated: usize = CHATS.iter().map(|chat| lost_sends(&sandbox, *chat)).sum();
    evidence(&format!(
        "outage: {:?} of refused, 502, silent and lost answers over 3 chats, {} matching lines, 6 deliveries of \
         incidents, all totals exact, {repeated} openings whose answer was lost, every repetition labelled, \
         {} requests answered with 429, seed {seed}",
        length * 4,
        written[0] + written[1],
        journal.floods()
    ));
    assert_eq!(
        (journal.floods(), journal.refusals().len()),
        (0, 0),
        "{:?}",
        journal.refusals()
    );
    let topics = journal
        .messages(FORUM)
        .iter()
        .all(|message| message.thread == Some(TOPIC));
    assert!(topics, "a message left its topic");
}

fn of_kind(sandbox: &Sandbox, chat: i64, kind: usize) -> Vec<Message> {
    let mut messages = sandbox.api.journal().messages(chat);
    messages.retain(|message| message.text.contains(&format!("ERROR {}", KINDS[kind])));
    messages
}

fn last_total(sandbox: &Sandbox, chat: i64, kind: usize) -> u64 {
    of_kind(sandbox, chat, kind)
        .last()
        .map_or(0, |message| total(&message.text))
}

fn has_canary(sandbox: &Sandbox, chat: i64) -> bool {
    sandbox
        .api
        .journal()
        .messages(chat)
        .iter()
        .any(|message| message.text.contains("CANARY"))
}

/// New messages that Telegram took without saying so.
fn lost_sends(sandbox: &Sandbox, chat: i64) -> usize {
    let lost = |request: &&botapi::Request| {
        request.chat == Some(chat)
            && request.fault.as_deref() == Some("answer_lost")
            && matches!(request.verdict, Verdict::Stored { .. })
    };
    sandbox.api.journal().requests().iter().filter(lost).count()
}

fn one_message_per_incident(sandbox: &Sandbox, chat: i64) {
    for kind in 0..2 {
        let messages = of_kind(sandbox, chat, kind);
        let unlabelled: Vec<_> = messages
            .iter()
            .filter(|message| !first_text(message).contains("may repeat"))
            .collect();
        assert!(
            unlabelled.len() <= 1,
            "more than one opening without a label: {unlabelled:#?}"
        );
        assert!(
            messages.iter().all(|message| message.reply_to.is_none()),
            "{messages:#?}"
        );
    }
    let messages = sandbox.api.journal().messages(chat).len();
    assert_eq!(
        messages,
        KINDS.len() + lost_sends(sandbox, chat),
        "{:#?}",
        sandbox.api.journal().messages(chat)
    );
}

fn first_text(message: &Message) -> &str {
    message
        .earlier
        .first()
        .map_or(&message.text, |version| &version.text)
}

const WRONG: &str = "4242424242:AAwrong-token_that-nobody-was-ever-given";

#[test]
fn a_wrong_token_stops_neither_reading_nor_counting() {
    let sandbox = Sandbox::new();
    sandbox.rules_of_lines("[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"100ms\"\nevery = \"1s\"\n");
    let mut command = sandbox.command(&["run"]);
    command.env("TELEGRAM_BOT_TOKEN", WRONG);
    let running = sandbox.spawn(command);
    sandbox.append("app.log", "ERROR first\n");
    until("it says so", || sandbox.stderr().contains("not delivered"));
    let length = Duration::from_secs(if soak() { 120 } else { 5 });
    let until_then = Instant::now() + length;
    let mut lines = 1;
    while Instant::now() < until_then {
        sandbox.append("app.log", "ERROR again\n");
        lines += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    let requests = sandbox.requests();
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let said = sandbox.stderr();
    // Once at the start, and once when a delivery is held back by it.
    assert_eq!(said.matches("token is wrong").count(), 2, "{said}");
    assert!(!said.contains(WRONG), "{said}");
    assert!(said.contains(&format!("matched={lines}")), "{said}");
    assert!(said.contains(&format!("pending={lines}")), "{said}");
    assert!(
        requests <= 3 + usize::try_from(length.as_secs()).unwrap() / 20,
        "{requests} requests in {length:?}"
    );
    assert!(sandbox.api.journal().all_messages().is_empty());
    evidence(&format!(
        "wrong token: {requests} requests in {length:?}, {lines} matches kept, seed 0"
    ));

    // Whoever mended the token restarts, and is not made to wait for the pause of the wrong one.
    let running = sandbox.start(&[]);
    until_within(Duration::from_secs(30), "the right token delivers all", || {
        !sandbox.last_text().is_empty() && total(&sandbox.last_text()) == lines
    });
    assert_eq!(sandbox.api.journal().messages(ME).len(), 1);
    assert!(running.terminate().success());
}

#[test]
fn a_chat_that_refused_is_asked_again_after_a_restart() {
    let sandbox = Sandbox::new();
    sandbox.rules_of_lines("[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"100ms\"\n");
    sandbox.api.chats().state(ME, ChatState::NotStarted);
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR first\nERROR second\n");
    until("it says how to mend it", || {
        sandbox.stderr().contains("people must send it /start first")
    });
    assert!(running.terminate().success(), "{}", sandbox.stderr());

    sandbox.api.chats().state(ME, ChatState::Ok);
    let sent = sandbox.finish(&["send", "is it mended?"]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let running = sandbox.start(&[]);
    until_within(Duration::from_secs(30), "what waited is delivered", || {
        sandbox.last_text().contains("ERROR")
    });
    assert_eq!(total(&sandbox.last_text()), 2);
    assert!(running.terminate().success());
}

const NEW_GROUP: i64 = -1_000_000_000_077;
const OTHER: i64 = -88;

#[test]
fn another_id_in_rules_toml_wins_over_where_the_old_group_went() {
    let group = |id| ChatConfig::new(id, ChatKind::Group);
    let config = Config::default().chat(group(GROUP)).chat(group(OTHER));
    let sandbox = Sandbox::with(config.chat(ChatConfig::new(NEW_GROUP, ChatKind::Supergroup)));
    let place = |id: i64| {
        sandbox.rules_toml(&format!(
            "[telegram]\nupdates = \"off\"\n[chats.ops]\nid = {id}\nnotices = false\n[[logs]]\nname = \"app\"\n\
             files = [\"{}/*.log\"]\nstart = \"beginning\"\n[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\n\
             wait = \"0s\"\nevery = \"100ms\"\nquiet = \"1h\"\n",
            sandbox.path("logs").display()
        ));
    };
    let messages = |chat| sandbox.api.journal().messages(chat);
    let says = |chat, count| {
        until(&format!("{count} matches are told to {chat}"), || {
            let last = messages(chat).pop();
            last.is_some_and(|message| message.text.contains("oops") && total(&message.text) == count)
        });
    };
    place(GROUP);
    sandbox
        .api
        .chats()
        .state(GROUP, ChatState::Migrated { to: NEW_GROUP });
    sandbox.append("app.log", "ERROR 1\n");
    let running = sandbox.start(&[]);
    says(NEW_GROUP, 1);
    assert!(running.terminate().success(), "{}", sandbox.stderr());

    // As the log advised: the same chat, so its message is edited.
    place(NEW_GROUP);
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR 2\n");
    says(NEW_GROUP, 2);
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    assert_eq!(messages(NEW_GROUP).len(), 1);

    // Another chat: it has none of the old messages, and hears of the incident without a sound.
    place(OTHER);
    let sent = sandbox.finish(&["send", "where am I?"]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    assert_eq!(messages(OTHER).len(), 1);
    let running = sandbox.start(&[]);
    sandbox.append("app.log", "ERROR 3\n");
    says(OTHER, 3);
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    assert!(messages(OTHER)[1].silent);
    assert_eq!(messages(NEW_GROUP).len(), 1);
}
