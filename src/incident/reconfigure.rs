//! Taking other settings while incidents are open.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{ChatName, ChatTarget, Now};

use super::incidents::Incidents;
use super::settings::Settings;
use super::{chat, notices};

impl Incidents {
    /// Takes other settings while running.
    pub fn reconfigure<'a>(
        &mut self,
        settings: &Settings,
        chats: impl IntoIterator<Item = (&'a ChatName, &'a ChatTarget)>,
        now: Now,
    ) {
        self.rules = settings
            .rules
            .iter()
            .map(|rule| (rule.name.clone(), Arc::new(rule.clone())))
            .collect();
        self.set_chats(settings);
        self.take_over(&settings.chats, now);
        let known: BTreeSet<&ChatName> = settings.chats.iter().collect();
        notices::take_over(&mut self.rows, &known);
        for (chat, target) in chats {
            chat::locate(&mut self.rows, chat, target);
        }
    }

    /// Chats that left rules.toml and are still told something.
    pub fn leaving(&self) -> Vec<ChatName> {
        Vec::new()
    }
}
