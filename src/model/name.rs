//! Names that users give to things in rules.toml. A name is the identity of what it names.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Wraps a name as it stands in rules.toml; the check of what may be a name is `config`'s.
            pub fn new(name: &str) -> Self {
                Self(name.into())
            }

            /// The name as the user wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

name!(
    /// The name of a `[[rules]]` entry. A rule *is* its name: editing its pattern keeps its incidents.
    RuleName
);
name!(
    /// The name of a `[chats.NAME]` entry.
    ChatName
);
name!(
    /// The name of a `[[logs]]` entry.
    LogName
);
