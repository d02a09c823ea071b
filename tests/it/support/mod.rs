//! What tests are made of.

mod calls;
mod delivered;
mod events;
mod forwarded;
mod namespace;
mod nobody;
mod numbered;
mod proxy;
mod sandbox;
mod scrape;
mod soak;
mod switch;
mod terminal;
mod total;
mod writers;

pub use calls::{FailingCalls, TRACEABLE};
pub use events::{NO_EVENTS, asked_for_events, events_can_be_forbidden};
pub use forwarded::is_there;
pub use namespace::{Namespace, Served, ext4};
pub use nobody::{as_nobody, folder_of_nobody};
pub use numbered::{Back, Series, first_text, labelled};
pub use proxy::Proxy;
pub use sandbox::{ME, Running, Sandbox, eventually, is_released, until, until_within};
pub use scrape::Scrape;
pub use soak::{evidence, seed, soak};
pub use switch::{SILENT, Switch};
pub use terminal::Terminal;
pub use total::total;
pub use writers::{Missing, Writers};
