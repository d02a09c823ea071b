//! What tests are made of.

mod sandbox;
mod total;

pub use sandbox::{ME, Running, Sandbox, until};
pub use total::total;
