#![forbid(unsafe_code)]
//! tailgram follows log files, finds what matters with the regex rules of rules.toml, and keeps one live
//! Telegram message per incident on its user's phone.
//!
//! # The road
//!
//! ```text
//! file bytes -> chunk -> event -> match -> incident -> message -> Telegram
//! ```
//!
//! Bytes *mean* lines, lines mean events, events mean matches. The *work* goes another way: [`tail`] hands out
//! chunks of whole lines, [`scan`] looks for the next candidate in the whole chunk, and only then does
//! [`event`] find the line around it: a line exists as a value only around a hit. The reader folds what it
//! found into a few rows ([`model::Row`]), so that a storm of a million matches crosses to the ledger as a
//! handful of values. There [`incident`] decides what each chat is owed, and why; [`message`] says it as text
//! plus entities; [`store`] makes it durable; [`telegram`] delivers it.
//!
//! # The floors
//!
//! | floor | rooms | may use |
//! | --- | --- | --- |
//! | 0 | [`model`]: the shared words | nothing |
//! | 1 | [`tail`], [`gnu`], [`event`], [`scan`], [`incident`], [`message`], [`store`], [`telegram`] | floor 0, never each other |
//! | 2 | [`config`]: rules.toml becomes the rooms' settings | the settings of floor 1 |
//! | 3 | [`engine`]: threads, tasks and channels | everything below |
//! | 4 | [`cli`]: commands, words, exit codes | everything below |
//!
//! Two files are no rooms, and every floor may name them: [`failpoint`], the places where a test ends the process, in a
//! release nothing; and [`fence`], what the kernel lets the process open.
//!
//! A test reads the `use crate::` lines and fails on an import that runs upward or sideways.

pub mod cli;
pub mod config;
pub mod engine;
pub mod event;
pub mod failpoint;
pub mod fence;
pub mod gnu;
pub mod incident;
pub mod message;
pub mod model;
pub mod scan;
pub mod store;
pub mod tail;
pub mod telegram;
