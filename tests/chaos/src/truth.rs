//! What the generator says about its own doing, on disk before anybody could have read the line.

use serde::{Deserialize, Serialize};

use crate::line::Line;

/// One thing it did, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "lowercase")]
pub enum Truth {
    /// These lines go to this file, in this order; each names the rule that must match it.
    Wrote {
        /// The name that the file had when it was opened.
        file: String,
        /// The lines.
        lines: Vec<Line>,
    },
    /// The file was given another name; whoever holds it writes on.
    Renamed {
        /// Its name before.
        file: String,
    },
    /// The file was copied and then cut to nothing; what came between is destroyed.
    Cut {
        /// Its name.
        file: String,
    },
}

/// Lines of this file may be destroyed by a copying rotator. All others are owed.
pub const CUT: &str = "cut.log";
