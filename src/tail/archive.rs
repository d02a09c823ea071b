//! What a compressed file holds, as a file that grows: what is unpacked goes to the end of a [`Window`], and that is
//! followed like any other file. So an archive may unpack to any length.
//!
//! Not here: which archive is read, and from where; that is `tailer`'s. The trap: whatever an archive claims about
//! itself costs nothing until the bytes are there, but a window of zstd does.

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::handle::Handle;
use super::identity;
use super::window::Window;

/// How much is unpacked in one step.
pub(super) const STEP: usize = 256 * 1024;

/// zstd asks every decoder to have room for this window. One for which an archive needs more is not read.
const WIDEST: u64 = 8 * 1024 * 1024;

/// An archive being unpacked.
pub(super) struct Archive {
    decoder: Box<dyn Read + Send>,
    /// Reading it failed, and it need not be damaged.
    failed: Arc<AtomicBool>,
    /// What was unpacked.
    window: Window,
    /// Why nothing more comes of it.
    pub(super) end: Option<End>,
    buffer: Vec<u8>,
}

/// How an archive ended.
#[derive(Debug)]
pub(super) enum End {
    /// With all that was put into it.
    Whole,
    /// In the middle.
    Damaged(io::Error),
    /// It could not be read, which says nothing about it.
    Unread(io::Error),
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive")
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

impl Archive {
    /// Nothing, if the file is none, or none that can be unpacked here.
    pub(super) fn open(path: &Path, longest: usize) -> io::Result<Option<Self>> {
        let file = identity::open(path)?;
        let mut magic = [0; 4];
        let read = identity::read_at(&file, &mut magic, 0)?;
        let failed = Arc::new(AtomicBool::new(false));
        let failure = Arc::clone(&failed);
        let input = BufReader::new(Input { file, at: 0, failure });
        let decoder: Box<dyn Read + Send> = match &magic[..read] {
            [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(input)),
            [0x28, 0xb5, 0x2f, 0xfd] => Box::new(Frames::new(input)),
            _ => return Ok(None),
        };
        Ok(Some(Self {
            decoder,
            failed,
            window: Window::new("unpacked", longest)?,
            end: None,
            buffer: vec![0; STEP],
        }))
    }

    /// What was unpacked, as a file.
    pub(super) fn file(&self) -> &Handle {
        self.window.file()
    }

    /// Unpacks one step, but not beyond `limit`. What lies well before `at` is no longer needed.
    pub(super) fn unpack(&mut self, at: u64, limit: u64) -> io::Result<()> {
        if self.end.is_some() {
            return Ok(());
        }
        let wanted = usize::try_from(limit.saturating_sub(self.size())).map_or(STEP, |left| left.min(STEP));
        let mut filled = 0;
        while filled < wanted {
            match self.decoder.read(&mut self.buffer[filled..wanted]) {
                Ok(0) => self.end = Some(End::Whole),
                Ok(read) => {
                    filled += read;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if self.failed.load(Ordering::Relaxed) => self.end = Some(End::Unread(error)),
                Err(error) => self.end = Some(End::Damaged(error)),
            }
            break;
        }
        self.window.append(&self.buffer[..filled])?;
        self.window.give_back(at)
    }

    /// How much was unpacked.
    pub(super) fn size(&self) -> u64 {
        self.window.size()
    }
}

/// The packed bytes. Decoders hide in their own errors whether it was reading that failed.
struct Input {
    file: Handle,
    at: u64,
    failure: Arc<AtomicBool>,
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = identity::read_at(&self.file, buffer, self.at);
        match &read {
            Ok(read) => self.at += *read as u64,
            Err(_) => self.failure.store(true, Ordering::Relaxed),
        }
        read
    }
}

/// The frames of a zstd archive, one behind the other.
struct Frames<R> {
    input: R,
    decoder: FrameDecoder,
    within: bool,
}

impl<R: Read> Frames<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            decoder: FrameDecoder::new(),
            within: false,
        }
    }

    /// Begins the next frame that holds something. Whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            let mut header = Vec::with_capacity(18);
            self.input.by_ref().take(4).read_to_end(&mut header)?;
            if header.is_empty() {
                return Ok(false);
            }
            if matches!(header[..], [0x50..=0x5f, 0x2a, 0x4d, 0x18]) {
                self.skip()?;
                continue;
            }
            let descriptor = self.more(&mut header, 1)?[0];
            let alone = descriptor & 0x20 != 0;
            let window = usize::from(!alone);
            let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
            let size = match descriptor >> 6 {
                0 => usize::from(alone),
                power => 1 << power,
            };
            let rest = self.more(&mut header, window + dictionary + size)?;
            let widest = match rest[..] {
                [window, ..] if !alone => wide(window),
                _ => number(&rest[dictionary..]) + if size == 2 { 256 } else { 0 },
            };
            if widest > WIDEST {
                return Err(io::Error::other(format!(
                    "it needs a window of {widest} bytes to be unpacked; that is too much"
                )));
            }
            self.decoder.init(&header[..]).map_err(io::Error::other)?;
            self.within = true;
            return Ok(true);
        }
    }

    /// Reads exactly so many bytes more of a header.
    fn more(&mut self, header: &mut Vec<u8>, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.input.read_exact(&mut bytes)?;
        header.extend_from_slice(&bytes);
        Ok(bytes)
    }

    /// A frame that holds nothing of the file.
    fn skip(&mut self) -> io::Result<()> {
        let mut size = [0; 4];
        self.input.read_exact(&mut size)?;
        let size = u64::from(u32::from_le_bytes(size));
        let skipped = io::copy(&mut self.input.by_ref().take(size), &mut io::sink())?;
        if skipped == size {
            Ok(())
        } else {
            Err(ends_early())
        }
    }

    /// Ends a frame that was read to its end.
    fn finish(&mut self) -> io::Result<()> {
        self.within = false;
        let written = self.decoder.get_checksum_from_data();
        if written.is_some() && written != self.decoder.get_calculated_checksum() {
            return Err(io::Error::other("its checksum is another one"));
        }
        Ok(())
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.within || self.begin()? {
            while self.decoder.can_collect() < buffer.len() && !self.decoder.is_finished() {
                let missing = buffer.len() - self.decoder.can_collect();
                self.decoder
                    .decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBytes(missing))
                    .map_err(io::Error::other)?;
            }
            match self.decoder.read(buffer)? {
                0 => self.finish()?,
                read => return Ok(read),
            }
        }
        Ok(0)
    }
}

/// The window that its byte in a header speaks of.
fn wide(byte: u8) -> u64 {
    let base = 1 << (10 + u64::from(byte >> 3));
    base + base / 8 * u64::from(byte & 7)
}

/// A number, the lowest byte first.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn ends_early() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}
