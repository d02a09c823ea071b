//! The manners of GNU tail, for `follow --gnu`: each name on its own, with GNU's headers, words and exit codes.
//!
//! It stands beside the road and shares nothing with `tail`, for the two disagree on what a file is. There a file is
//! what an inode held, whatever it is called, and each byte is shown once. Here it is what a *name* leads to, so a
//! file that was renamed onto another followed name is shown again.
//!
//! A turn looks at every operand: does the name still lead to what is held, and did that grow? What the kernel says of
//! files ends the wait between two turns early and carries no truth.
//!
//! The trap: what is held is read to its end before it is let go, or lines written between two looks are lost.

mod beginning;
mod held;
mod note;
mod operand;
mod quote;
mod rounds;
mod screen;
mod settings;
mod wait;
mod watches;

pub use note::Note;
pub use rounds::tail;
pub use screen::{End, Screen};
pub use settings::{Begin, By, Follow, Settings};
