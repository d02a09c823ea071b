//! Counting lines from either end of a file: where [`Start::Last`](super::Start::Last) and
//! [`Start::Line`](super::Start::Line) begin.
//!
//! The trap: the file goes on growing, or is cut, under our hands. A count speaks of the bytes that were seen, and what
//! the file has become since then is the follower's to find out.

use std::io;

use memchr::{memchr_iter, memrchr_iter};

use super::handle::Handle;
use super::identity;

/// How much is read at once.
const BLOCK: usize = 64 * 1024;

/// Where the last `count` lines of the first `size` bytes begin. What stands behind the last newline is a line.
pub(super) fn last(file: &Handle, size: u64, count: u64) -> io::Result<u64> {
    let mut block = vec![0; BLOCK];
    let (mut end, mut left) = (size, count);
    if count == 0 {
        return Ok(size);
    }
    while end > 0 {
        let from = end.saturating_sub(BLOCK as u64);
        let wanted = usize::try_from(end - from).unwrap_or(BLOCK);
        let read = identity::read_at(file, &mut block[..wanted], from)?;
        for newline in memrchr_iter(b'\n', &block[..read]) {
            let begin = from + newline as u64 + 1;
            // The newline at the very end begins nothing.
            if begin == size {
                continue;
            }
            left -= 1;
            if left == 0 {
                return Ok(begin);
            }
        }
        end = from;
    }
    Ok(0)
}

/// Where the line with this number begins, counted from 1; the end, if there are fewer lines.
pub(super) fn line(file: &Handle, number: u64) -> io::Result<u64> {
    let mut block = vec![0; BLOCK];
    let (mut at, mut left) = (0, number.saturating_sub(1));
    if left == 0 {
        return Ok(0);
    }
    loop {
        let read = identity::read_at(file, &mut block, at)?;
        for newline in memchr_iter(b'\n', &block[..read]) {
            left -= 1;
            if left == 0 {
                return Ok(at + newline as u64 + 1);
            }
        }
        at += read as u64;
        if read < BLOCK {
            return Ok(at);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn file(bytes: &[u8]) -> Handle {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.into()
    }

    proptest! {
        #[test]
        fn both_ends_count_as_a_list_of_lines_does(text in "[ab\n]{0,60}", count in 0u64..70) {
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            let file = file(text.as_bytes());
            let count_of = usize::try_from(count).unwrap();
            let last = lines[lines.len().saturating_sub(count_of)..].concat();
            prop_assert_eq!(&text[usize::try_from(super::last(&file, text.len() as u64, count).unwrap()).unwrap()..], last);
            let rest = lines[lines.len().min(count_of.saturating_sub(1))..].concat();
            prop_assert_eq!(&text[usize::try_from(line(&file, count).unwrap()).unwrap()..], rest);
        }
    }

    #[test]
    fn lines_are_counted_across_blocks() {
        let long = "x".repeat(BLOCK * 2 + 7);
        let text = format!("one\n{long}\n{long}\nfour\n");
        let file = file(text.as_bytes());
        let third = 4 + long.len() as u64 + 1;
        assert_eq!(last(&file, text.len() as u64, 2).unwrap(), third);
        assert_eq!(line(&file, 3).unwrap(), third);
        assert_eq!(last(&file, text.len() as u64, 3).unwrap(), 4);
        assert_eq!(line(&file, 5).unwrap(), text.len() as u64);
    }
}
