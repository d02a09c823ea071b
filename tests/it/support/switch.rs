//! A dead man's switch on loopback: a real HTTP server that remembers who asked it, and answers as it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

/// Never answers.
pub const SILENT: u16 = 0;

/// Its threads end with the test's process.
pub struct Switch {
    at: SocketAddr,
    /// The request line of each that came.
    asked: Arc<Mutex<Vec<String>>>,
    /// The status that it answers with, or [`SILENT`].
    pub answers: Arc<AtomicU16>,
}

impl Switch {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (asked, answers) = (Arc::default(), Arc::new(AtomicU16::new(200)));
        let switch = Self { at, asked, answers };
        let (asked, answers) = (switch.asked.clone(), switch.answers.clone());
        spawn(move || {
            for stream in listener.incoming() {
                let (asked, answers) = (asked.clone(), answers.clone());
                spawn(move || answer(stream.unwrap(), &asked, &answers));
            }
        });
        switch
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    /// The request lines so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// How many asked so far.
    pub fn beats(&self) -> usize {
        self.asked().len()
    }
}

fn answer(mut stream: TcpStream, asked: &Mutex<Vec<String>>, answers: &AtomicU16) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    asked
        .lock()
        .unwrap()
        .push(head.lines().next().unwrap().to_owned());
    let status = answers.load(Ordering::Acquire);
    if status == SILENT {
        // Until the other side gives up.
        let _ = stream.read(&mut byte);
        return;
    }
    let answer = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\nlocation: /elsewhere\r\ncontent-length: 2\r\n\r\nok"
    );
    let _ = stream.write_all(answer.as_bytes());
}
