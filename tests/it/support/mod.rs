//! What tests are made of.

mod sandbox;
mod soak;
mod total;

pub use sandbox::{ME, Running, Sandbox, until, until_within};
pub use soak::{evidence, seed, soak};
pub use total::total;
