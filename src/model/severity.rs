//! How loud a rule is.

use serde::{Deserialize, Serialize};

/// The severity of a rule. The order is the order of loudness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Delivered without sound.
    Info,
    /// Delivered without sound.
    Warning,
    /// Rings.
    #[default]
    Error,
    /// Rings, before everything else.
    Critical,
}

impl Severity {
    /// Whether messages of this severity make the phone sound.
    pub fn sounds(self) -> bool {
        self >= Severity::Error
    }

    /// The word in rules.toml and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Critical => "critical",
        }
    }
}
