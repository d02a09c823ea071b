//! The last step of the road: Telegram, or what stands in for it.

use std::pin::Pin;

use crate::model::{AttemptKind, ChatName, Outcome};
use crate::telegram::{Client, Request};

/// A delivery under way.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Takes finished messages. The engine does not know whether it talks to Telegram or to a terminal.
pub trait Messenger: Send + Sync {
    /// Delivers one message or edit and says what became of it.
    fn deliver<'a>(&'a self, chat: &'a ChatName, kind: AttemptKind, request: &'a Request) -> Delivering<'a>;
}

impl Messenger for Client {
    fn deliver<'a>(&'a self, _: &'a ChatName, _: AttemptKind, request: &'a Request) -> Delivering<'a> {
        Box::pin(Client::deliver(self, request))
    }
}
