//! What every message says, checked.

/// Everything the room needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The host's name, shown in every message.
    pub host: String,
    /// The zone that times are shown in.
    pub zone: jiff::tz::TimeZone,
}
