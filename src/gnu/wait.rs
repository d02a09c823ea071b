//! Waiting for time, for events, or for the end of whoever reads stdout.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::screen::{End, Screen};

/// Waits until one of `others` can be read, at most so long.
pub(super) fn wait(screen: &Screen, others: &[BorrowedFd<'_>], longest: Duration) -> Result<(), End> {
    // Of stdout the kernel tells errors alone, and those unasked.
    let mut asked = vec![PollFd::new(&screen.out, PollFlags::empty())];
    asked.extend(
        others
            .iter()
            .map(|other| PollFd::from_borrowed_fd(*other, PollFlags::IN)),
    );
    let longest = Timespec::try_from(longest).ok();
    // An interrupted wait is a short one.
    let ready = poll(&mut asked, longest.as_ref()).unwrap_or(0);
    if ready > 0 && asked[0].revents().contains(PollFlags::ERR) {
        return Err(End::Closed);
    }
    Ok(())
}
