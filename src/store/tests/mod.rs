//! Laws of the store, on real files. Here: the samples they share; the laws are in the files beside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::used_underscore_binding
)]

mod commit;
mod damage;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::damage::{Damage, with};
use super::row::{self, Row};
use super::{CommitError, FILE, OpenError, Opened, Store, WAL, schema};
use crate::model::Values;
use crate::model::{
    Account, AccountKey, Attempt, AttemptId, AttemptKind, BelowCount, By, Carried, ChatName, ChatState,
    Delivery, DeliveryKey, Delta, DigestCount, DigestRow, DigestSpan, Ended, FileKey, Form, Found,
    FoundCount, Gap, GapKind, Head, HostDelta, Identity, Incident, IncidentId, KeptLine, LedgerDelta,
    LedgerRow, LineKey, LogName, Mark, Moment, Notice, NoticeAttempt, NoticeKey, NoticeKind, NoticeRow, Now,
    Origin, Outage, Parked, Phase, Position, RuleName, Severity, ShapeCount, ShapeId, State, StoreId, Timer,
    Timestamp, TokenGate, TurnNo, Waiting, WaitingKey,
};

fn now() -> Now {
    Now {
        moment: Moment(7),
        wall: Timestamp(1_700_000_000_000),
    }
}

fn timer() -> Timer {
    Timer::start(Moment(9), Duration::from_secs(30))
}

fn position(key: u128, offset: u64) -> Position {
    Position {
        key: FileKey(key),
        identity: Identity {
            dev: 1,
            ino: u64::MAX,
            head: Head::of(b"first line\n"),
        },
        path: "/logs/\"a\"\nb.log".to_owned(),
        log: LogName::new("app"),
        offset,
        before: Head::of(b"last line\n"),
        trail: vec![Mark::new(offset / 2, Head::of(b"a line\n"))],
        finished: offset % 2 == 1,
        inside_line: true,
        at: Timestamp(-1),
    }
}

fn kept(nth: u64, text: &str) -> KeptLine {
    KeptLine {
        origin: Origin {
            file: FileKey(3),
            offset: 17,
        },
        path: "/logs/a.log".into(),
        at: Timestamp(5),
        nth,
        shape: ShapeId(u64::MAX),
        text: text.to_owned(),
        cut: true,
    }
}

fn incident(id: u128, total: u64, text: &str) -> Incident {
    Incident {
        values: Values::new(),
        context: None,
        id: IncidentId(id),
        rule: RuleName::new("db error"),
        by: By::from_iter([("host".to_owned(), "web-1".to_owned())]),
        severity: Severity::default(),
        phase: Phase::Over {
            at: Timestamp(8),
            ended: Ended::Resolved {
                line: text.to_owned(),
            },
        },
        quiet: timer(),
        first: Timestamp(1),
        last: Timestamp(2),
        logged: None,
        total,
        shapes: vec![ShapeCount {
            id: ShapeId(4),
            sample: text.to_owned(),
            nth: 1,
            count: total,
            last: Timestamp(2),
        }],
        other: 0,
        lines: [kept(1, text)].into(),
        files: vec!["/logs/a.log".into()],
        absent: Some(crate::model::Absence {
            after: std::time::Duration::from_hours(26),
            last: Some(Timestamp(8)),
        }),
        saved: now(),
    }
}

fn delivery_key(incident: u128) -> DeliveryKey {
    DeliveryKey {
        incident: IncidentId(incident),
        chat: ChatName::new("ops team"),
    }
}

fn delivery(incident: u128, applied: u64) -> Delivery {
    let by = By::default();
    let carried = Carried::one(&by, 3, Timestamp(1), Timestamp(2));
    Delivery {
        no_buttons: false,
        refresh: false,
        key: delivery_key(incident),
        rule: RuleName::new("db error"),
        applied,
        settled: 1,
        told_elsewhere: 0,
        shown_ahead: vec![2],
        message_id: Some(-5),
        replaces: true,
        end_told: false,
        resolve_told: true,
        document_owed: true,
        told_severity: Some(crate::model::Severity::Error),
        shown_shapes: BTreeSet::from([ShapeId(4), ShapeId(5)]),
        pause: Some(timer()),
        ring_pause: None,
        remind: None,
        follow_ups: 2,
        attempt: Some(Box::new(Attempt {
            refreshes: false,
            id: AttemptId(u128::MAX),
            kind: AttemptKind::Batch,
            sounds: true,
            severity: crate::model::Severity::Critical,
            upto: applied,
            shown: vec![1],
            shapes: vec![ShapeId(4)],
            lines: 1,
            dropped: 0,
            held: vec![(IncidentId(9), 2)],
            carried: Some(carried.clone()),
            folds: true,
            over: false,
            whole: true,
            at: Timestamp(3),
        })),
        repeat: true,
        unsure: 2,
        form: Form::Short,
        owed_since: Some(Moment(4)),
        carried: Some(carried),
        queued: 1,
        dropped: 0,
        opening_lines: vec![kept(2, "opening")],
        opening_before: 3,
        opening_dropped: 4,
        saved: now(),
    }
}

fn account(matched: u64) -> LedgerRow {
    let key = AccountKey {
        rule: RuleName::new("db error"),
        chat: ChatName::new("ops team"),
    };
    LedgerRow {
        account: Account {
            matched,
            shown: 1,
            counted: 2,
            muted: 3,
            failed: 4,
        },
        rings: vec![timer()],
        fold: Some(Carried::one(&By::default(), 1, Timestamp(0), Timestamp(0))),
        ..LedgerRow::new(key, now())
    }
}

fn gap(bytes: u64) -> Gap {
    Gap {
        path: "/logs/a.log".to_owned(),
        at: Timestamp(1),
        kind: GapKind::Vanished,
        bytes,
    }
}

/// One row of every kind, and more of some.
fn everything(n: u64, text: &str) -> Delta {
    let parked = Some(Parked {
        why: text.to_owned(),
        since: Timestamp(2),
        until: Some(timer()),
    });
    let chat = ChatState {
        target: Some(crate::model::ChatTarget::Username("@ops".into())),
        parked,
        requests: vec![timer()],
        slowed: Some(crate::model::Slowed {
            halvings: 2,
            whole: timer(),
        }),
        ..ChatState::new(ChatName::new("ops team"), now())
    };
    Delta {
        host: HostDelta {
            positions: vec![position(1, n), position(u128::MAX, n + 1)],
            logs_seen: vec![LogName::new("app")],
            found: vec![FoundCount {
                rule: RuleName::new("db error"),
                found: n,
            }],
            gaps: vec![gap(n)],
            ..HostDelta::default()
        },
        ledger: LedgerDelta {
            incidents: vec![incident(7, n, text).into()],
            deliveries: vec![delivery(7, n).into()],
            lines: (0..12)
                .map(|seq| {
                    (
                        LineKey {
                            delivery: delivery_key(7),
                            seq,
                        },
                        kept(seq, text),
                    )
                })
                .collect(),
            accounts: vec![account(n)],
            chats: vec![chat],
            token_gate: Some(TokenGate {
                until: Some(timer()),
                outage: Some(Outage {
                    since: Timestamp(7),
                    blip: timer(),
                    folded: n,
                }),
                saved: now(),
            }),
            digest: Some(DigestRow {
                span: Some(DigestSpan {
                    since: Timestamp(5),
                    pause: Some(timer()),
                    before: vec![DigestCount {
                        key: account(n).key,
                        account: account(n).account,
                        opened: n,
                        rung: 1,
                    }],
                }),
                saved: now(),
            }),
            notices: vec![notices(text)],
            waiting: vec![waiting(text)],
            below: vec![BelowCount {
                rule: RuleName::new("db error"),
                below: n,
            }],
            ..LedgerDelta::default()
        },
    }
}

fn waiting(text: &str) -> Waiting {
    let key = WaitingKey {
        rule: RuleName::new("db error"),
        by: By::from_iter([("user".into(), text.into())]),
    };
    let found = Found {
        values: Values::new(),
        context: None,
        rule: key.rule.clone(),
        by: key.by.clone(),
        count: 2,
        first: Timestamp(1),
        last: Timestamp(2),
        logged: None,
        shapes: Vec::new(),
        other: 2,
        lines: [kept(1, text)].into(),
        kept: text.len(),
        files: vec!["/logs/a.log".into()],
    };
    Waiting {
        found: [(timer(), found)].into(),
        ..Waiting::new(key, now())
    }
}

fn notices(text: &str) -> NoticeRow {
    let notice = Notice::Unreadable {
        path: text.to_owned(),
        why: "no".to_owned(),
    };
    NoticeRow {
        waiting: [(Timestamp(3), notice)].into(),
        dropped: 7,
        pause: Some(timer()),
        attempt: Some(NoticeAttempt {
            id: AttemptId(3),
            told: 1,
            dropped: 6,
        }),
        repeat: true,
        ..NoticeRow::new(
            NoticeKey {
                chat: ChatName::new("ops team"),
                kind: NoticeKind::Files,
            },
            now(),
        )
    }
}

fn open(dir: &Path) -> Opened {
    Store::open(dir).unwrap()
}

fn reopened(dir: &Path) -> State {
    let opened = open(dir);
    assert_eq!(opened.damage, []);
    opened.state
}

/// A state as a map from kind and key to value, so that order within a kind does not matter.
fn rows(state: &State) -> BTreeMap<(&'static str, String), String> {
    fn add<'r, R: Row + 'r>(
        map: &mut BTreeMap<(&'static str, String), String>,
        rows: impl IntoIterator<Item = &'r R>,
        key: impl Fn(&R) -> String,
    ) {
        map.extend(
            rows.into_iter()
                .map(|row| ((R::KIND, key(row)), row::encode(row).unwrap())),
        );
    }
    let mut map = BTreeMap::new();
    add(&mut map, &state.positions, |row| row::file(row.key));
    add(&mut map, &state.logs_seen, ToString::to_string);
    add(&mut map, &state.found, |row| row.rule.to_string());
    add(&mut map, &state.gaps, |row| row.bytes.to_string());
    let incidents = state.incidents.iter().map(|row| &**row);
    add(&mut map, incidents, |row| row::incident(row.id));
    let deliveries = state.deliveries.iter().map(|row| &**row);
    add(&mut map, deliveries, |row| row::delivery(&row.key));
    add(&mut map, &state.lines, |row| row::line(&row.0));
    add(&mut map, &state.accounts, |row| row::account(&row.key));
    add(&mut map, &state.chats, |row| row.name.to_string());
    add(&mut map, &[state.token_gate], |_| String::new());
    add(&mut map, std::slice::from_ref(&state.digest), |_| String::new());
    add(&mut map, &state.notices, |row| row::notice(&row.key));
    add(&mut map, &state.waiting, |row| row::waiting(&row.key));
    add(&mut map, &state.below, |row| row.rule.to_string());
    map
}

/// The state that a delta makes of an empty store.
fn filled(store: StoreId, turn: u64, delta: &Delta) -> State {
    let Delta { host, ledger } = delta.clone();
    State {
        store,
        turn: TurnNo(turn),
        positions: host.positions,
        logs_seen: host.logs_seen,
        found: host.found,
        gaps: host.gaps,
        incidents: ledger.incidents,
        deliveries: ledger.deliveries,
        lines: ledger.lines,
        accounts: ledger.accounts,
        chats: ledger.chats,
        token_gate: ledger.token_gate.unwrap_or_default(),
        digest: ledger.digest.unwrap_or_default(),
        notices: ledger.notices,
        waiting: ledger.waiting,
        below: ledger.below,
    }
}
