//! The chaos rig: breaks things around the real program, and reads from files alone whether a line was lost.
//!
//! A *campaign* is a row of *rounds*. In each round a [`generator`] writes logs that it rotates, the Bot API [`server`] of
//! the tests takes messages as a process of its own, a [`proxy`] lies between, and the [`stage`] starts the program (or a
//! [`container`] with it) and lets [`fault`]s strike it, all drawn from the round's seed. Each part writes its own file,
//! synced before anybody could act upon it. Afterwards the [`checker`] reads these files, and nothing else, and computes
//! a [`verdict`].
//!
//! The trap: the rig imports nothing from the program, so that both cannot share an error. What it knows of it, it
//! knows as a person does: from messages, from `status --json`, and from exit codes.

pub mod aim;
pub mod campaign;
pub mod checker;
pub mod container;
pub mod fault;
pub mod generator;
pub mod jsonl;
pub mod line;
pub mod mutation;
pub mod notes;
pub mod plan;
pub mod proxy;
pub mod report;
pub mod server;
pub mod site;
pub mod stage;
pub mod status;
pub mod subject;
pub mod told;
pub mod tools;
pub mod truth;
pub mod verdict;
