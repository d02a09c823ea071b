//! What tests are made of.

mod numbered;
mod proxy;
mod sandbox;
mod soak;
mod total;

pub use numbered::{Back, Series, first_text, labelled};
pub use proxy::Proxy;
pub use sandbox::{ME, Running, Sandbox, until, until_within};
pub use soak::{evidence, seed, soak};
pub use total::total;
