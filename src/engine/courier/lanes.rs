//! The lanes that are open: one per chat of rules.toml, and those of chats that left it and are still told something.
//!
//! A lane is opened here and ends by itself, when the ledger says that its chat is told everything. What a chat is
//! told, and where it is, comes from the ledger with every order, never from here: only there is it in the same order
//! as the matches.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::config::Health;
use crate::model::{ChatName, ChatState};
use crate::telegram::ChatSettings;

use super::letter::Door;
use super::{Courier, Lane, LedgerGone};

/// The chats of rules.toml, for whoever shows them or sends them something.
#[derive(Debug)]
pub(in crate::engine) struct Roster {
    /// In the order of rules.toml.
    pub(in crate::engine) chats: Vec<ChatSettings>,
    /// The way into the lane of each, in the same order.
    pub(in crate::engine) doors: Vec<Door>,
    /// When the program calls itself ill.
    pub(in crate::engine) health: Health,
}

/// All lanes.
pub(in crate::engine) struct Lanes {
    courier: Courier,
    tasks: JoinSet<Result<(), LedgerGone>>,
    open: BTreeMap<ChatName, Open>,
    roster: watch::Sender<Arc<Roster>>,
    draw: fastrand::Rng,
}

/// One lane, as others see it.
struct Open {
    wake: Arc<Notify>,
    door: Door,
}

impl Lanes {
    /// Opens a lane per chat; `known` is what the store knew of the chats.
    pub(in crate::engine) fn open<'a>(
        courier: Courier,
        chats: &[ChatSettings],
        health: Health,
        known: impl Iterator<Item = &'a ChatState>,
        draw: fastrand::Rng,
    ) -> Self {
        let roster = Roster {
            chats: Vec::new(),
            doors: Vec::new(),
            health: health.clone(),
        };
        let mut lanes = Self {
            courier,
            tasks: JoinSet::new(),
            open: BTreeMap::new(),
            roster: watch::channel(Arc::new(roster)).0,
            draw,
        };
        let known: BTreeMap<&ChatName, &ChatState> = known.map(|chat| (&chat.name, chat)).collect();
        for chat in chats {
            lanes.start(chat, known.get(&chat.name).copied());
        }
        lanes.call_the_roll(chats, health);
        lanes
    }

    /// The chats of rules.toml and their doors, as they change.
    pub(in crate::engine) fn roster(&self) -> watch::Receiver<Arc<Roster>> {
        self.roster.subscribe()
    }

    /// What wakes each of the lanes.
    pub(in crate::engine) fn wakes(&self) -> Vec<Arc<Notify>> {
        self.open.values().map(|lane| lane.wake.clone()).collect()
    }

    /// Opens lanes for the chats that have none. Those of other chats end when the ledger lets them.
    pub(in crate::engine) fn adopt(&mut self, chats: &[ChatSettings], health: Health) {
        for chat in chats {
            if !self.is_open(&chat.name) {
                self.start(chat, None);
            }
        }
        self.call_the_roll(chats, health);
    }

    /// Waits for the end of a lane; false if it was none that a lane comes to by itself.
    pub(in crate::engine) async fn ended(&mut self) -> bool {
        match self.tasks.join_next().await {
            Some(Ok(Ok(()))) => {
                self.mend();
                true
            }
            Some(_) => false,
            None => std::future::pending().await,
        }
    }

    /// Waits until every lane has ended.
    pub(in crate::engine) async fn all_ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Ends those that are left, wherever they are.
    pub(in crate::engine) async fn shut_down(&mut self) {
        self.tasks.shutdown().await;
    }

    /// A chat may have come back in the moment in which its lane ended.
    fn mend(&mut self) {
        let roster = self.roster.borrow().clone();
        let wanted = |chat: &ChatName| roster.chats.iter().any(|known| known.name == *chat);
        self.open
            .retain(|chat, lane| wanted(chat) || !lane.door.is_closed());
        self.adopt(&roster.chats, roster.health.clone());
    }

    fn is_open(&self, chat: &ChatName) -> bool {
        self.open.get(chat).is_some_and(|lane| !lane.door.is_closed())
    }

    fn start(&mut self, chat: &ChatSettings, known: Option<&ChatState>) {
        let (door, letters) = Door::new(&chat.name);
        // The ledger may know the wake of a lane that ended just now.
        let wake = self.open.get(&chat.name).map(|lane| lane.wake.clone());
        let wake = wake.unwrap_or_default();
        let lane = Lane::new(
            self.courier.clone(),
            chat,
            wake.clone(),
            letters,
            known,
            &mut self.draw,
        );
        self.tasks.spawn(lane.run());
        self.open.insert(chat.name.clone(), Open { wake, door });
    }

    fn call_the_roll(&self, chats: &[ChatSettings], health: Health) {
        let doors = chats.iter().filter_map(|chat| self.open.get(&chat.name));
        self.roster.send_replace(Arc::new(Roster {
            chats: chats.to_vec(),
            doors: doors.map(|lane| lane.door.clone()).collect(),
            health,
        }));
    }
}
