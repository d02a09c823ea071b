//! What one incident looks like on a phone: text plus entities, made from a [`Card`].
//!
//! [`render`] is pure and always succeeds: whatever a log holds, the message is within Telegram's limits,
//! holds the total, and holds log text only inside `code` and `pre`. Beside the text it says what the text
//! covers, so that the ledger counts as shown only what can be read. It does not decide when to speak, and
//! it does not send. The trap: the opening of a rule with `ring = "all"` is edited later, and must show the
//! same lines then; see `layout`.
//!
//! The files: `sanitise` makes text from outside harmless, `text` builds texts with entities, `fit`
//! shortens, `head` and `shapes` write their parts, `layout` puts the parts together; `notice` writes
//! what the program says about itself, `document` the lines that no message has room for, `hand` what somebody sends by hand; `names` looks up what texts and links of
//! rules.toml ask for, `buttons` makes links of it, `template` and `html` whole messages.

mod around;
mod buttons;
mod clock;
mod document;
mod fit;
mod hand;
mod head;
mod html;
mod layout;
mod names;
mod notice;
mod sanitise;
mod settings;
mod shapes;
mod template;
mod text;
mod words;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use buttons::{Button, ButtonError, Link, Placeholder, check_text};
pub use hand::by_hand;
pub use layout::render;
pub use names::{OF_MATCH, OWN};
pub use notice::notices;
pub use sanitise::Clean;
pub use settings::{RuleSettings, Settings};
pub use template::{FILTERS, OF_TEMPLATE, Template, TemplateError};
pub use text::TextBuilder;

#[cfg(doc)]
use crate::model::Card;
