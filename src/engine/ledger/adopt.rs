//! Taking other settings while incidents are open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Notify;

use crate::incident::{self, Asked};
use crate::message;
use crate::model::{ChatName, Notice, Now};
use crate::telegram::ChatSettings;

use super::Ledger;

/// The ledger's half of other settings. It comes behind all rows that were read under the old ones.
#[derive(Debug)]
pub(in crate::engine) struct Adoption {
    pub(in crate::engine) incident: incident::Settings,
    pub(in crate::engine) chats: Vec<ChatSettings>,
    pub(in crate::engine) message: message::Settings,
    /// What wakes the lanes, those of new chats included.
    pub(in crate::engine) lanes: Vec<Arc<Notify>>,
    /// What people are told of it.
    pub(in crate::engine) notice: Notice,
}

/// What a lane hears when it asks.
#[derive(Debug)]
pub(in crate::engine) enum Due {
    /// The chat left rules.toml and is told everything: the lane ends.
    Gone,
    /// What the chat is owed now.
    Asked(Asked),
}

/// The chats as rules.toml says they are, in step with the incidents.
#[derive(Debug, Default)]
pub(in crate::engine) struct Places {
    /// Those that left are kept until they are told everything.
    known: BTreeMap<ChatName, Arc<ChatSettings>>,
    left: BTreeSet<ChatName>,
}

impl Places {
    /// The chats of rules.toml.
    pub(in crate::engine) fn new(chats: &[ChatSettings]) -> Self {
        let mut places = Self::default();
        places.adopt(chats);
        places
    }

    fn adopt(&mut self, chats: &[ChatSettings]) {
        self.left = self.known.keys().cloned().collect();
        for chat in chats {
            self.left.remove(&chat.name);
            self.known.insert(chat.name.clone(), Arc::new(chat.clone()));
        }
    }

    /// Where a chat is; absent for one that the ledger has not heard of yet.
    pub(super) fn of(&self, chat: &ChatName) -> Option<Arc<ChatSettings>> {
        self.known.get(chat).cloned()
    }
}

impl Ledger {
    pub(super) fn adopt(&mut self, adoption: Adoption, now: Now) {
        let Adoption {
            incident,
            chats,
            message,
            lanes,
            notice,
        } = adoption;
        let places = chats.iter().map(|chat| (&chat.name, &chat.target));
        self.incidents.reconfigure(&incident, places, now);
        self.places.adopt(&chats);
        self.counts.keep_chats(chats.iter().map(|chat| &chat.name));
        self.message = message;
        self.lanes = lanes;
        self.incidents.notice(&notice, now);
    }

    /// What a chat is owed, or that it is gone for good.
    pub(super) fn due(&mut self, chat: &ChatName, now: Now) -> Due {
        if self.places.left.contains(chat) && !self.incidents.leaving().contains(chat) {
            self.places.left.remove(chat);
            self.places.known.remove(chat);
            return Due::Gone;
        }
        Due::Asked(self.incidents.ask(chat, now))
    }
}
