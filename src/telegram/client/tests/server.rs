//! A server made of bytes: it speaks just enough HTTP to misbehave in every way that matters.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What the server does with a connection once it has read a whole request.
#[derive(Clone)]
pub(super) enum Deed {
    /// Writes these bytes and closes.
    Say(Vec<u8>),
    /// Writes these bytes, then says and does nothing.
    SayAndHang(Vec<u8>),
    /// Closes with a reset.
    Reset,
    /// Writes these bytes and then the letter x for ever.
    SayAndFlood(Vec<u8>),
    /// Writes these bytes one by one, a tenth of a second apart.
    Drip(Vec<u8>),
}

/// A server that does the same with every request and hands out what it read.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// Every request, head and body, in the order of their ends.
    pub(super) requests: UnboundedReceiver<String>,
}

impl Server {
    pub(super) async fn that(deed: Deed) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, requests) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, deed.clone(), seen.clone()));
            }
        });
        Self { address, requests }
    }

    pub(super) async fn that_answers(status: u16, headers: &str, body: &str) -> Self {
        Self::that(Deed::Say(answer(status, headers, body))).await
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn serve(mut stream: TcpStream, deed: Deed, seen: UnboundedSender<String>) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    let _ = seen.send(request);
    match deed {
        Deed::Say(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            // Until the client has closed too, or the close could become a reset that eats the answer.
            while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
        }
        Deed::SayAndHang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
        Deed::Reset => stream.set_zero_linger().unwrap(),
        Deed::SayAndFlood(bytes) => {
            let _ = stream.write_all(&bytes).await;
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        }
        Deed::Drip(bytes) => {
            for byte in bytes {
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

/// The head and the whole body, or nothing if the client went away.
pub(super) async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length:")
                    .map(str::to_owned)
            });
            if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
                return Some(text);
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

pub(super) fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} Word\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}
