//! So many per so long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A bound such as `"12/h"`: at most `count` in any span of length `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// In how long; never zero.
    pub per: Duration,
}
