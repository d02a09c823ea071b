//! How serious a program says that something is.

/// A level, whatever word a program has for it. The order is that of weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The smallest steps.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// All is well. `notice` is this too.
    Info,
    /// Something may become wrong.
    Warning,
    /// Something is wrong.
    Error,
    /// The program cannot go on. `critical`, `alert`, `emergency` and `panic` are this too.
    Fatal,
}

impl Level {
    /// The level of a word, in small or capital letters, or of one of the numbers of pino and bunyan.
    pub fn of(word: &str) -> Option<Self> {
        const LONGEST: usize = 13;
        if word.len() > LONGEST {
            return None;
        }
        Some(match word.to_ascii_lowercase().as_str() {
            "trace" | "trc" | "verbose" | "finest" | "finer" | "10" => Self::Trace,
            "debug" | "dbg" | "dbug" | "fine" | "20" => Self::Debug,
            "info" | "inf" | "information" | "informational" | "notice" | "30" => Self::Info,
            "warn" | "wrn" | "warning" | "40" => Self::Warning,
            "error" | "err" | "eror" | "severe" | "fail" | "50" => Self::Error,
            "fatal" | "ftl" | "critical" | "crit" | "alert" | "emerg" | "emergency" | "panic" | "60" => {
                Self::Fatal
            }
            _ => return None,
        })
    }

    /// The level of a priority of syslog, 0 to 191.
    pub fn of_priority(priority: u8) -> Option<Self> {
        (priority < 192).then_some(match priority % 8 {
            0..=2 => Self::Fatal,
            3 => Self::Error,
            4 => Self::Warning,
            5 | 6 => Self::Info,
            _ => Self::Debug,
        })
    }

    /// Our word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_ours_is_its_level() {
        for level in [
            Level::Trace,
            Level::Debug,
            Level::Info,
            Level::Warning,
            Level::Error,
            Level::Fatal,
        ] {
            assert_eq!(Level::of(level.as_str()), Some(level));
        }
        assert_eq!(Level::of("CRITICAL"), Some(Level::Fatal));
        assert_eq!(Level::of("Warn"), Some(Level::Warning));
        assert_eq!(Level::of("50"), Some(Level::Error));
        assert_eq!(Level::of("errors"), None);
        assert_eq!(Level::of(&"e".repeat(1 << 20)), None);
    }

    #[test]
    fn a_priority_has_its_severity_in_the_last_three_bits() {
        assert_eq!(Level::of_priority(3), Some(Level::Error));
        assert_eq!(Level::of_priority(34), Some(Level::Fatal));
        assert_eq!(Level::of_priority(165), Some(Level::Info));
        assert_eq!(Level::of_priority(192), None);
    }
}
