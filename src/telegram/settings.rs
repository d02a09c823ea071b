//! Which bot, over which way, to which chats, checked.

use crate::model::{ChatName, ChatTarget, Rate};

/// How to reach the Bot API.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The server's base URL, without a slash at its end.
    pub api_url: String,
    /// A proxy URL (http, https, socks5, socks5h); absent: what the environment says.
    pub proxy: Option<String>,
    /// The chats, in the order of rules.toml.
    pub chats: Vec<ChatSettings>,
}

impl Settings {
    /// The default of [`Settings::api_url`].
    pub const API_URL: &'static str = "https://api.telegram.org";
}

impl std::fmt::Debug for Settings {
    /// Leaves out what the URLs are: a proxy's often holds a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let proxy = self.proxy.as_ref().map(|_| "…");
        f.debug_struct("Settings")
            .field("proxy", &proxy)
            .field("chats", &self.chats)
            .finish_non_exhaustive()
    }
}

/// One `[chats.NAME]` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatSettings {
    /// Its name.
    pub name: ChatName,
    /// Where it is.
    pub target: ChatTarget,
    /// The forum topic; absent for the chat itself and for the General topic, whose id Telegram refuses.
    pub topic: Option<i64>,
    /// Messages and edits per minute; absent: the default for its kind.
    pub limit: Option<Rate>,
}
