//! Logs and rules for the benchmark, made up here and the same for the same [`Recipe`].
//!
//! Five kinds of lines in the proportions of a small web shop: access log, JSON, Java with stack frames,
//! syslog, logfmt. A few lines per thousand are near misses (words of the rules in harmless places), and some
//! are alerts: each matches the first rule and one of the others, so 1, 20 and 200 rules select the same lines.

use std::io::Write;

/// What a log is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    /// At least this many bytes, and at most one line more.
    pub(crate) bytes: usize,
    /// Alert lines per line.
    pub(crate) alerts: f64,
    /// Share of lines with text beyond ASCII.
    pub(crate) foreign: f64,
    /// The same seed, the same log.
    pub(crate) seed: u64,
}

/// Text beyond ASCII as it turns up in logs.
const FOREIGN: [&str; 4] = [
    "사용자 로그인 완료",
    "注文を受け付けました",
    "Größe geändert für Müller",
    "🚀 déployé",
];

const PATHS: [&str; 8] = [
    "/",
    "/cart",
    "/cart/items",
    "/product/blue-kettle",
    "/search?q=lamp",
    "/static/site.css",
    "/account/orders",
    "/health",
];

const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15",
    "shop-probe/2.3",
];

const CALM: [&str; 10] = [
    "order stored",
    "session renewed",
    "cache warmed",
    "no errors in batch",
    "price list reloaded",
    "mail queued",
    "picked up 12 jobs",
    "stock level synced",
    "error_count=0",
    "retry budget untouched",
];

const SERVICES: [&str; 6] = ["basket", "billing", "catalog", "gateway", "mailer", "stock"];

/// What can go wrong, in words that also make the rules.
const PARTS: [&str; 18] = [
    "volume", "replica", "broker", "ledger", "printer", "tunnel", "sensor", "mirror", "vault", "router",
    "shard", "spool", "turbine", "beacon", "carriage", "furnace", "antenna", "gearbox",
];
const TROUBLES: [&str; 10] = [
    "went offline",
    "ran out of space",
    "rejected the handshake",
    "lost its lease",
    "is overheating",
    "timed out twice",
    "reports bad checksums",
    "cannot be mounted",
    "fell behind",
    "was throttled",
];

/// The first rule, and what every alert line holds.
const FIRST: &str = r"\b(ERROR|ALERT|EMERG)\b";

/// Nineteen rules of the kinds that people write, each with a text that matches it.
const BY_HAND: [(&str, &str); 19] = [
    (r"upstream=\S+ code=(5\d\d)", "upstream=10.1.0.9:80 code=503"),
    (r#""code":5\d\d,"#, r#""code":502,"#),
    (
        r"killed process (\d+) \(([a-z]+)\)",
        "killed process 4711 (kettle)",
    ),
    (
        r"(?i)\bpanicked at\b|\baborted\b",
        "thread main panicked at src/x",
    ),
    ("disk quota is used up", "disk quota is used up"),
    (r"(?i)peer (hung up|refused us|went silent)", "Peer hung up"),
    (
        r"login denied for (\S+) from (\d+\.\d+\.\d+\.\d+)",
        "login denied for eve from 203.0.113.9",
    ),
    (r"(Memory|Stack|Handle)Exhausted", "com.shop.HeapMemoryExhausted"),
    (r"Stack of task \(newest first\)", "Stack of task (newest first)"),
    (r"(?i)lock cycle (seen|broken)", "lock cycle seen"),
    (r"cert (expired|revoked|is not trusted)", "cert expired"),
    (r"took_ms=(\d{6,})", "took_ms=1234567"),
    (r#""grade":"(worst|dire)""#, r#""grade":"dire""#),
    (r"(?i)\bforbidden zone\b", "Forbidden Zone"),
    (
        r"watchman: .*\b(stuck|no sign of life for \d+ s)",
        "watchman: unit 3 stuck",
    ),
    (r"fatal signal \d+", "fatal signal 11"),
    (r"(?i)follower is (\d+) s late", "Follower is 90 s late"),
    (r"left with (code|state) [1-9]\d*", "left with code 3"),
    (r"(?i)out of (handles|sockets|workers)", "out of sockets"),
];

/// The first `count` of 1 + 19 + 180 rules.
pub(crate) fn rules(count: usize) -> Vec<String> {
    let first = std::iter::once(FIRST.to_owned());
    let by_hand = BY_HAND.iter().map(|(rule, _)| (*rule).to_owned());
    first.chain(by_hand).chain(made()).take(count).collect()
}

/// 180 more, of six shapes: every pair of a part and a trouble once.
fn made() -> impl Iterator<Item = String> {
    let pairs = PARTS
        .iter()
        .flat_map(|part| TROUBLES.iter().map(move |trouble| (part, trouble)));
    pairs.enumerate().map(|(at, (part, trouble))| match at % 6 {
        0 | 1 => format!("{part} {trouble}"),
        2 => format!("(?i){part} {trouble}"),
        3 => format!(r"\b{part}-\d+ {trouble}"),
        4 => format!(r"{part}_late=(\d{{7,}})|{part} {trouble}"),
        _ => format!("(?:main|spare) {part} {trouble}"),
    })
}

/// A text that matches the rule `at`, counted from 1 behind the first.
fn alert(at: usize) -> String {
    if let Some((_, text)) = BY_HAND.get(at) {
        return (*text).to_owned();
    }
    let made = at - BY_HAND.len();
    let (part, trouble) = (PARTS[made / TROUBLES.len()], TROUBLES[made % TROUBLES.len()]);
    match made % 6 {
        3 => format!("{part}-7 {trouble}"),
        5 => format!("spare {part} {trouble}"),
        _ => format!("{part} {trouble}"),
    }
}

/// A log.
pub(crate) fn make(recipe: Recipe) -> Vec<u8> {
    let mut writer = Writer {
        out: Vec::with_capacity(recipe.bytes + 4096),
        random: fastrand::Rng::with_seed(recipe.seed),
    };
    while writer.out.len() < recipe.bytes {
        let alert = writer.random.f64() < recipe.alerts;
        let foreign = writer.random.f64() < recipe.foreign;
        writer.line(alert, foreign);
    }
    writer.out
}

struct Writer {
    out: Vec<u8>,
    random: fastrand::Rng,
}

impl Writer {
    fn pick(&mut self, from: &'static [&'static str]) -> &'static str {
        from[self.random.usize(..from.len())]
    }

    /// What a line says.
    fn say(&mut self, alert: bool, foreign: bool) -> String {
        // Of the alerts only the nineteen are used, so that 20 and 200 rules select the same lines.
        let mut said = if alert {
            format!("ERROR {}", self::alert(self.random.usize(..BY_HAND.len())))
        } else {
            self.pick(&CALM).to_owned()
        };
        if foreign {
            said = format!("{said} {}", self.pick(&FOREIGN));
        }
        said
    }

    fn line(&mut self, alert: bool, foreign: bool) {
        let said = self.say(alert, foreign);
        let written = match self.random.u32(..100) {
            0..40 => self.access(&said),
            40..65 => self.json(&said),
            65..80 => self.java(&said, alert),
            80..92 => self.syslog(&said),
            _ => self.logfmt(&said),
        };
        // Writing into memory cannot fail.
        drop(written);
    }

    fn clock(&mut self) -> (u32, u32, u32, u32) {
        let random = &mut self.random;
        (
            random.u32(..24),
            random.u32(..60),
            random.u32(..60),
            random.u32(..1000),
        )
    }

    fn access(&mut self, said: &str) -> std::io::Result<()> {
        let (h, m, s, _) = self.clock();
        let (path, agent) = (self.pick(&PATHS), self.pick(&AGENTS));
        let (host, size) = (self.random.u32(..254), self.random.u32(..90_000));
        let code = [200, 200, 200, 204, 304, 404][self.random.usize(..6)];
        writeln!(
            self.out,
            r#"198.51.100.{host} - - [21/Nov/2026:{h:02}:{m:02}:{s:02} +0000] "GET {path} HTTP/1.1" {code} {size} "-" "{agent}" {said}"#
        )
    }

    fn json(&mut self, said: &str) -> std::io::Result<()> {
        let (h, m, s, ms) = self.clock();
        let service = self.pick(&SERVICES);
        let (trace, took) = (self.random.u64(..), self.random.u32(..3000));
        // A quoted alert keeps its quotes: some rules look for them.
        writeln!(
            self.out,
            r#"{{"time":"2026-11-21T{h:02}:{m:02}:{s:02}.{ms:03}Z","grade":"info","service":"{service}","trace":"{trace:016x}","code":200,"took_ms":{took},"text":"{said}"}}"#
        )
    }

    fn java(&mut self, said: &str, alert: bool) -> std::io::Result<()> {
        let (h, m, s, ms) = self.clock();
        let (thread, service) = (self.random.u32(..32), self.pick(&SERVICES));
        writeln!(
            self.out,
            "2026-11-21 {h:02}:{m:02}:{s:02},{ms:03} INFO  [worker-{thread}] com.shop.{service}.Handler - {said}"
        )?;
        let frames = if alert || self.random.u32(..20) == 0 { 4 } else { 0 };
        for _ in 0..frames {
            let line = self.random.u32(10..900);
            writeln!(
                self.out,
                "\tat com.shop.{service}.Handler.step(Handler.java:{line})"
            )?;
        }
        Ok(())
    }

    fn syslog(&mut self, said: &str) -> std::io::Result<()> {
        let (h, m, s, _) = self.clock();
        let (service, pid) = (self.pick(&SERVICES), self.random.u32(100..40_000));
        writeln!(
            self.out,
            "Nov 21 {h:02}:{m:02}:{s:02} web-2 {service}[{pid}]: {said}"
        )
    }

    fn logfmt(&mut self, said: &str) -> std::io::Result<()> {
        let (h, m, s, ms) = self.clock();
        let (service, took, user) = (
            self.pick(&SERVICES),
            self.random.u32(..90_000),
            self.random.u32(..),
        );
        writeln!(
            self.out,
            r#"ts=2026-11-21T{h:02}:{m:02}:{s:02}.{ms:03}Z level=info service={service} took_ms={took} user={user} msg="{said}""#
        )
    }
}
