//! The Bot API server as a process of its own, steered over HTTP. It is never killed while it is asked anything; what it
//! took is on its disk before it answers.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use botapi::Fault;
use serde_json::json;

use crate::line::TEAM;
use crate::site::{Manner, Site, TOKEN};
use crate::tools;

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    addr: SocketAddr,
}

impl Server {
    /// Starts it over the round's record.
    pub fn start(binary: &Path, site: &Site, manner: Manner) -> io::Result<Self> {
        let mut command = tools::mortal(binary);
        command.args(["--token", TOKEN, "--journal"]).arg(site.record());
        for chat in manner.chats() {
            let kind = if chat == TEAM { "group" } else { "private" };
            command.args(["--chat", &format!("{chat}:{kind}")]);
        }
        if !manner.polite {
            command.arg("--no-limits");
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut url = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut url)?;
        }
        let addr = url
            .trim()
            .strip_prefix("http://")
            .and_then(|addr| addr.parse().ok());
        let addr =
            addr.ok_or_else(|| io::Error::other(format!("the server says {url:?} instead of its URL")))?;
        Ok(Self { child, addr })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// From now on this goes wrong, too, behind what went wrong before.
    pub fn fault(&self, fault: &Fault) -> io::Result<()> {
        self.post("faults", &serde_json::to_string(fault)?)
    }

    /// A group becomes a supergroup with another id.
    pub fn migrate(&self, from: i64, to: i64) -> io::Result<()> {
        let chats = json!([
            { "id": to, "type": "supergroup" },
            { "id": from, "type": "group", "state": { "migrated": { "to": to } } },
        ]);
        self.post("chats", &chats.to_string())
    }

    /// Nothing goes wrong any more.
    pub fn calm(&self) -> io::Result<()> {
        self.post("faults", &json!({ "clear": true }).to_string())
    }

    fn post(&self, what: &str, body: &str) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.addr)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let length = body.len();
        write!(
            stream,
            "POST /_test/{what} HTTP/1.1\r\nhost: rig\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        let mut heard = String::new();
        stream.read_to_string(&mut heard)?;
        if heard.starts_with("HTTP/1.1 200") {
            return Ok(());
        }
        Err(io::Error::other(format!("the server answers to {body}: {heard}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A child that is gone already needs neither.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
