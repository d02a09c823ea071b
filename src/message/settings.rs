//! What messages say, checked.

use std::collections::BTreeMap;

use super::buttons::Button;
use super::template::Template;
use crate::model::RuleName;

/// Everything the room needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The host's name, shown in every message.
    pub host: String,
    /// The zone that times are shown in.
    pub zone: jiff::tz::TimeZone,
    /// What rules have to say about their messages; absent: nothing.
    pub rules: BTreeMap<RuleName, RuleSettings>,
}

/// The message half of one `[[rules]]` entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSettings {
    /// The link buttons below an incident's message, in their order.
    pub buttons: Vec<Button>,
    /// What an incident's own message says; absent: what every rule's does.
    pub template: Option<Template>,
}
