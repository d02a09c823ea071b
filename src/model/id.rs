//! Random 128-bit ids. Never row numbers: an id means the same thing in every store that ever sees it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! id {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(pub u128);

        impl $type {
            /// Draws a fresh id.
            pub fn draw(random: &mut fastrand::Rng) -> Self {
                Self(random.u128(..))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:032x})", stringify!($type), self.0)
            }
        }

        // As hexadecimal text, since JSON numbers do not hold 128 bits.
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(from)?;
                u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// One incident, from its first match to its end.
    IncidentId
);
id!(
    /// One attempt to deliver one message: the nonce that tells an attempt from the next.
    AttemptId
);
id!(
    /// One generation of a file, given when the store first hears of it. How the generation is
    /// recognised again is its [`Identity`](super::Identity).
    FileKey
);
id!(
    /// A store, from its creation; part of the origin of every line it keeps.
    StoreId
);
