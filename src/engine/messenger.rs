//! The last step of the road: Telegram, or what stands in for it.

use std::pin::Pin;

use crate::incident::Subject;
use crate::model::{ChatName, Outcome, Refusal, RefusalKind};
use crate::telegram::{Client, Request};

/// A delivery under way.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Takes finished messages. The engine does not know whether it talks to Telegram or to a terminal.
pub trait Messenger: Send + Sync {
    /// Delivers one message or edit and says what became of it. A letter has no subject.
    fn deliver<'a>(
        &'a self,
        chat: &'a ChatName,
        subject: Option<&'a Subject>,
        request: &'a Request,
    ) -> Delivering<'a>;

    /// Says once, in the log, as whom it sends, or why it cannot. Nothing waits for it.
    fn introduce(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

impl Messenger for Client {
    fn deliver<'a>(
        &'a self,
        _: &'a ChatName,
        _: Option<&'a Subject>,
        request: &'a Request,
    ) -> Delivering<'a> {
        Box::pin(Client::deliver(self, request))
    }

    fn introduce(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            match self.who().await {
                Ok(bot) => tracing::info!("sending as @{}", bot.username),
                Err(Outcome::Refused(refusal)) => {
                    tracing::error!("Telegram refuses the bot: {}", describe(&refusal));
                }
                Err(Outcome::Wait { why, .. } | Outcome::Unsure { why }) => {
                    tracing::warn!("Telegram cannot be reached yet ({why}); reading and counting go on");
                }
                // getMe sends nothing and moves nowhere.
                Err(Outcome::Sent { .. } | Outcome::Moved { .. }) => {}
            }
        })
    }
}

/// A refusal with its cure, for the log.
pub(super) fn describe(refusal: &Refusal) -> String {
    let cure = match refusal.kind {
        RefusalKind::TokenWrong => {
            "the token is wrong or revoked: get the right one from @BotFather and restart; reading and counting go on"
        }
        RefusalKind::ChatGone => {
            "the chat does not take messages from this bot: add the bot to it (people must send it /start first); \
             group ids are negative, those of supergroups and channels begin with -100; tried again every hour"
        }
        RefusalKind::TopicGone => "the forum topic is gone or closed; messages go to the chat itself",
        RefusalKind::MessageGone => "the message to edit is gone; the next one replaces it",
        RefusalKind::Buttons => "the link buttons were refused; the message goes without them",
        RefusalKind::Document => {
            "the document was refused; the message stands without it. Let the bot send files to this chat, or write \
             attach = \"off\""
        }
        RefusalKind::Text => "this text was refused",
    };
    format!("{} ({cure})", refusal.why)
}
