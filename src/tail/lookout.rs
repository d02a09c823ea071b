//! Who waits for pipes: one thread for all of them, that rings the bell when there is something to read.
//!
//! It reads nothing itself, for what is read of a pipe and not handed out is lost with the process. It tells of each pipe
//! once, and then only when it is asked to again. A lost hint costs time until the next sweep, as any other does.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::Errno;

use super::watch::Waker;

/// What the thread calls the word that ends it.
const END: u64 = u64::MAX;

/// So many pipes are told of at a time.
const MOST: usize = 16;

/// The thread's other end. Dropped, the thread ends.
#[derive(Debug, Default)]
pub(super) struct Lookout(Option<Arc<Post>>);

/// Shared with the thread: what is closed here is forgotten by the kernel, even if it was heard and not told yet.
#[derive(Debug)]
struct Post {
    epoll: OwnedFd,
    end: OwnedFd,
}

impl Lookout {
    /// Starts the thread if there is none. Without it pipes are looked at by the clock.
    pub(super) fn start(&mut self, waker: &Waker) -> io::Result<()> {
        if self.0.is_some() {
            return Ok(());
        }
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let end = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(
            &epoll,
            &end,
            epoll::EventData::new_u64(END),
            epoll::EventFlags::IN,
        )?;
        let post = Arc::new(Post { epoll, end });
        let (watched, waker) = (Arc::clone(&post), waker.clone());
        std::thread::Builder::new()
            .name("pipes".to_owned())
            .spawn(move || look_out(&watched.epoll, &waker))?;
        self.0 = Some(post);
        Ok(())
    }

    /// Asks to be told once, when there is something to read of this pipe.
    pub(super) fn watch(&self, pipe: &File, token: u64) {
        let Some(post) = &self.0 else { return };
        let epoll = &post.epoll;
        let data = epoll::EventData::new_u64(token);
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
        if epoll::modify(epoll, pipe, data, flags) == Err(Errno::NOENT) {
            // What has no word for "nothing to read" is never asked about again either.
            let _ = epoll::add(epoll, pipe, data, flags);
        }
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        if let Some(post) = &self.0 {
            // A counter that is full ends the thread as well.
            let _ = rustix::io::write(&post.end, &1_u64.to_ne_bytes());
        }
    }
}

fn look_out(epoll: &OwnedFd, waker: &Waker) {
    let mut events: Vec<epoll::Event> = Vec::with_capacity(MOST);
    loop {
        match epoll::wait(epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            // The sweep goes on alone.
            Err(_) => return,
        }
        for event in events.drain(..) {
            let data = event.data;
            match data.u64() {
                END => return,
                token => waker.tell_of_pipe(token),
            }
        }
    }
}
