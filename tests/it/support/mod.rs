//! What tests are made of.

mod nobody;
mod numbered;
mod proxy;
mod sandbox;
mod soak;
mod terminal;
mod total;

pub use nobody::{as_nobody, folder_of_nobody};
pub use numbered::{Back, Series, first_text, labelled};
pub use proxy::Proxy;
pub use sandbox::{ME, Running, Sandbox, eventually, is_released, until, until_within};
pub use soak::{evidence, seed, soak};
pub use terminal::Terminal;
pub use total::total;
