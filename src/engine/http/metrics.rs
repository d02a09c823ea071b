//! `/metrics`: every metric, in the order of docs/metrics.md, which says what each means.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::counts::{COMMIT_BUCKETS, Counted, REQUEST_BUCKETS};
use crate::engine::herald::Report;
use crate::engine::status::{Books, LogFile, Stage, Status};
use crate::incident::LedgerLine;

use super::format::Kind::{Counter, Gauge};
use super::format::Page;

/// The page.
pub(super) fn page(report: &Report, counted: &Counted) -> String {
    let Report { status, books, .. } = report;
    let mut page = Page::default();
    page.metric(
        Gauge,
        "tailgram_build_info",
        "Always 1; the version that runs is the label.",
    )
    .is(&[("version", &status.version)], 1);
    logs(&mut page, status, counted);
    rules(&mut page, status);
    if let Some(books) = books {
        accounts(&mut page, books);
    }
    incidents(&mut page, status);
    if let Some(books) = books {
        messages(&mut page, books);
    }
    requests(&mut page, counted);
    chats(&mut page, status, books.as_deref(), counted);
    state(&mut page, status, counted);
    page.finish()
}

fn logs(page: &mut Page, status: &Status, counted: &Counted) {
    let mut read = page.metric(
        Counter,
        "tailgram_read_bytes_total",
        "Bytes that were read, since the start.",
    );
    for log in &status.logs {
        let bytes = counted.read.get(&log.name).copied().unwrap_or_default();
        read.is(&[("log", &log.name)], bytes);
    }
    let mut lag = page.metric(Gauge, "tailgram_lag_bytes", "Bytes that are there and not read.");
    for log in &status.logs {
        let bytes: u64 = log.files.iter().map(|file| file.lag_bytes).sum();
        lag.is(&[("log", &log.name)], bytes);
    }
    let mut files = page.metric(Gauge, "tailgram_files", "Files, by how they stand.");
    for log in &status.logs {
        for state in ["following", "waiting", "unreadable", "finished"] {
            let stands = |file: &&LogFile| file.state == state;
            let count = log.files.iter().filter(stands).count();
            files.is(&[("log", &log.name), ("state", state)], count);
        }
    }
}

fn rules(page: &mut Page, status: &Status) {
    let mut found = page.metric(
        Counter,
        "tailgram_found_total",
        "Events that a rule found; kept over restarts.",
    );
    for row in &status.found {
        found.is(&[("rule", &row.rule)], row.found);
    }
    let mut below = page.metric(
        Counter,
        "tailgram_below_total",
        "Events that a rule found and its at_least left untold; kept over restarts.",
    );
    for row in &status.found {
        below.is(&[("rule", &row.rule)], row.below);
    }
}

/// The columns of the ledger: matched = shown + counted + muted + failed + pending.
fn accounts(page: &mut Page, books: &Books) {
    type Column = fn(&LedgerLine) -> u64;
    let columns: [(&str, &str, Column); 5] = [
        (
            "tailgram_matched_total",
            "Matches that were routed to a chat; kept over restarts.",
            |line| line.account.matched,
        ),
        (
            "tailgram_shown_total",
            "Matches whose own text stood in a message that Telegram took; kept over restarts.",
            |line| line.account.shown,
        ),
        (
            "tailgram_counted_total",
            "Matches that were part of a total that Telegram took; kept over restarts.",
            |line| line.account.counted,
        ),
        (
            "tailgram_muted_total",
            "Matches that a mute covered; kept over restarts.",
            |line| line.account.muted,
        ),
        (
            "tailgram_failed_total",
            "Matches that Telegram refused for good; kept over restarts.",
            |line| line.account.failed,
        ),
    ];
    for (name, help, column) in columns {
        per_account(page, Counter, (name, help), books, column);
    }
    let pending = ("tailgram_pending", "Matches whose fate is open.");
    per_account(page, Gauge, pending, books, |line| line.pending);
}

/// What is told of it.
fn messages(page: &mut Page, books: &Books) {
    let rings = (
        "tailgram_rings_total",
        "Messages with sound that Telegram took; kept over restarts.",
    );
    per_account(page, Counter, rings, books, |line| line.rings);
    let edits = (
        "tailgram_edits_total",
        "Edits that Telegram took; kept over restarts.",
    );
    per_account(page, Counter, edits, books, |line| line.edits);
}

fn per_account(
    page: &mut Page,
    kind: super::format::Kind,
    (name, help): (&'static str, &str),
    books: &Books,
    value: fn(&LedgerLine) -> u64,
) {
    let mut metric = page.metric(kind, name, help);
    for line in &books.ledger {
        let labels = [("rule", line.key.rule.as_str()), ("chat", line.key.chat.as_str())];
        metric.is(&labels, value(line));
    }
}

/// Zeros too, for a series that goes away says nothing.
fn incidents(page: &mut Page, status: &Status) {
    let found = status.found.iter().map(|row| row.rule.as_str());
    let open = status.incidents.iter().map(|incident| incident.rule.as_str());
    let rules: BTreeSet<&str> = found.chain(open).collect();
    let mut counts: BTreeMap<(&str, Stage), u64> = BTreeMap::new();
    for incident in &*status.incidents {
        *counts
            .entry((incident.rule.as_str(), incident.state))
            .or_default() += 1;
    }
    let mut metric = page.metric(
        Gauge,
        "tailgram_incidents",
        "Incidents that are open, or over and not told everywhere.",
    );
    for rule in rules {
        for stage in Stage::ALL {
            let count = counts.get(&(rule, stage)).copied().unwrap_or_default();
            metric.is(&[("rule", rule), ("state", stage.word())], count);
        }
    }
}

fn requests(page: &mut Page, counted: &Counted) {
    let mut requests = page.metric(
        Counter,
        "tailgram_requests_total",
        "Requests that say something to a chat, since the start.",
    );
    for ((method, outcome), count) in &counted.requests {
        requests.is(&[("method", method), ("outcome", outcome)], count);
    }
    page.histogram(
        "tailgram_request_seconds",
        "How long these requests took.",
        &REQUEST_BUCKETS,
        &counted.request_time,
    );
}

fn chats(page: &mut Page, status: &Status, books: Option<&Books>, counted: &Counted) {
    let mut gates = page.metric(
        Gauge,
        "tailgram_retry_after_seconds",
        "How long nothing is sent to a chat: after a flood, a failure or a refusal.",
    );
    for chat in &status.chats {
        let known = books.and_then(|books| {
            let known = books
                .chats
                .iter()
                .find(|known| known.name.as_str() == chat.name)?;
            Some(known.gate?.remaining(books.now.moment).as_secs_f64())
        });
        gates.is(&[("chat", &chat.name)], known.unwrap_or_default());
    }
    let mut last = page.metric(
        Gauge,
        "tailgram_last_delivery_timestamp_seconds",
        "When a chat last took a message or an edit, since the start.",
    );
    for (chat, at) in &counted.delivered {
        last.is(
            &[("chat", chat.as_str())],
            format_args!("{}.{:03}", at.0.div_euclid(1_000), at.0.rem_euclid(1_000)),
        );
    }
}

fn state(page: &mut Page, status: &Status, counted: &Counted) {
    page.metric(
        Counter,
        "tailgram_commits_total",
        "Commits of the state, since the start.",
    )
    .is(&[], counted.commit_time.count);
    page.histogram(
        "tailgram_commit_seconds",
        "How long these commits took.",
        &COMMIT_BUCKETS,
        &counted.commit_time,
    );
    let zero = |counts: &BTreeMap<&'static str, u64>, key: &str| counts.get(key).copied().unwrap_or_default();
    let mut gaps = page.metric(
        Counter,
        "tailgram_gaps_total",
        "Times that bytes were destroyed before they were read, since the start.",
    );
    for kind in ["truncated", "vanished"] {
        gaps.is(&[("kind", kind)], zero(&counted.gaps, kind));
    }
    let mut reloads = page.metric(
        Counter,
        "tailgram_reloads_total",
        "Edits of rules.toml that took effect or were refused, since the start.",
    );
    for result in ["taken", "refused"] {
        reloads.is(&[("result", result)], zero(&counted.reloads, result));
    }
    let mut heartbeats = page.metric(
        Counter,
        "tailgram_heartbeats_total",
        "Heartbeats that were heard or not, since the start.",
    );
    for result in ["sent", "failed"] {
        heartbeats.is(&[("result", result)], zero(&counted.heartbeats, result));
    }
    page.metric(
        Counter,
        "tailgram_strangers_total",
        "Messages from people who may not command, since the start.",
    )
    .is(&[], status.strangers);
}
