//! A proxy on loopback: HTTP and SOCKS5 on one port, and every name leads to the same server.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy that writes down what it was asked for. Its threads end with the process that runs the test.
pub struct Proxy {
    address: SocketAddr,
    house: Arc<House>,
}

struct House {
    /// Where every name leads to.
    server: SocketAddr,
    /// The status and the page that every HTTP request gets; absent: it is passed on.
    refusal: Mutex<Option<(u16, String)>>,
    asked: Mutex<Vec<String>>,
}

impl Proxy {
    /// A proxy in front of `server`.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let house = Arc::new(House {
            server,
            refusal: Mutex::default(),
            asked: Mutex::default(),
        });
        let door = house.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let house = door.clone();
                // A client that hangs up in the middle of a word is no news.
                thread::spawn(move || drop(house.serve(client)));
            }
        });
        Self { address, house }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers HTTP requests itself from now on.
    pub fn refuse(&self, status: u16, page: &str) {
        *self.house.refusal.lock().unwrap() = Some((status, page.to_owned()));
    }

    /// Passes everything on from now on.
    pub fn pass(&self) {
        *self.house.refusal.lock().unwrap() = None;
    }

    /// What each connection asked for first: the head of an HTTP request, or `socks5 NAME:PORT`.
    pub fn asked(&self) -> Vec<String> {
        self.house.asked.lock().unwrap().clone()
    }
}

impl House {
    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut first = [0];
        client.read_exact(&mut first)?;
        if first == [5] {
            self.socks(client)
        } else {
            self.http(client, first[0])
        }
    }

    fn http(&self, mut client: TcpStream, first: u8) -> std::io::Result<()> {
        let mut head = vec![first];
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        self.asked
            .lock()
            .unwrap()
            .push(String::from_utf8_lossy(&head).into_owned());
        let refusal = self.refusal.lock().unwrap().clone();
        let Some((status, page)) = refusal else {
            let mut server = TcpStream::connect(self.server)?;
            server.write_all(&head)?;
            return splice(client, server);
        };
        let length = page.len();
        write!(
            client,
            "HTTP/1.1 {status} No\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{page}"
        )?;
        client.shutdown(Shutdown::Write)?;
        // To the end of the request, or the close could become a reset that eats the answer.
        std::io::copy(&mut client, &mut std::io::sink())?;
        Ok(())
    }

    /// No authentication, CONNECT, a name or an IPv4 address.
    fn socks(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut methods = vec![0; take::<1>(&mut client)?[0].into()];
        client.read_exact(&mut methods)?;
        client.write_all(&[5, 0])?;
        let [_, _, _, kind] = take::<4>(&mut client)?;
        let host = if kind == 3 {
            let mut name = vec![0; take::<1>(&mut client)?[0].into()];
            client.read_exact(&mut name)?;
            String::from_utf8_lossy(&name).into_owned()
        } else {
            std::net::Ipv4Addr::from(take::<4>(&mut client)?).to_string()
        };
        let port = u16::from_be_bytes(take::<2>(&mut client)?);
        self.asked.lock().unwrap().push(format!("socks5 {host}:{port}"));
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
        splice(client, TcpStream::connect(self.server)?)
    }
}

fn take<const N: usize>(client: &mut TcpStream) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Carries bytes both ways until both sides are done.
fn splice(mut client: TcpStream, mut server: TcpStream) -> std::io::Result<()> {
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let up = thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Write);
    drop(up.join());
    Ok(())
}
