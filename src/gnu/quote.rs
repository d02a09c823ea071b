//! Names as GNU writes them: so that they can be pasted into a shell.
//!
//! Control characters and bytes that are no UTF-8 become `$'\n'` and the like. Other than GNU in the C locale, letters
//! beyond ASCII stay as they are.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;

/// Always in quotes.
pub(super) fn always(name: &OsStr) -> String {
    let bytes = name.as_bytes();
    if bytes.contains(&b'\'') && bytes.iter().enumerate().all(in_double) {
        return format!("\"{}\"", name.display());
    }
    let mut quoted = Quoted {
        text: "'".to_owned(),
        escaping: false,
    };
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|letter| quoted.letter(letter));
        chunk.invalid().iter().for_each(|byte| quoted.byte(*byte));
    }
    quoted.text.push('\'');
    quoted.text
}

/// In quotes only where a shell would stumble.
pub(super) fn where_needed(name: &OsStr) -> String {
    let harmless = |text: &str| {
        let special = |letter: char| letter.is_control() || " !\"$&'()*:;<=>?[\\^`|".contains(letter);
        !text.is_empty()
            && !text.starts_with(['~', '#'])
            && text != "{"
            && text != "}"
            && !text.contains(special)
    };
    match name.to_str() {
        Some(text) if harmless(text) => text.to_owned(),
        _ => always(name),
    }
}

/// Whether a byte may stand between double quotes, which a single quote within the name is a reason for.
fn in_double((place, byte): (usize, &u8)) -> bool {
    byte.is_ascii_alphanumeric() || b" '%+,-./:@]_".contains(byte) || (place == 0 && b"#~".contains(byte))
}

/// What is in quotes so far.
struct Quoted {
    text: String,
    /// Within `$'…'`.
    escaping: bool,
}

impl Quoted {
    fn letter(&mut self, letter: char) {
        if letter.is_control() {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                self.byte(byte);
            }
        } else if letter == '\'' {
            self.escaping = false;
            self.text.push_str(r"'\''");
        } else {
            if std::mem::take(&mut self.escaping) {
                self.text.push_str("''");
            }
            self.text.push(letter);
        }
    }

    fn byte(&mut self, byte: u8) {
        if !std::mem::replace(&mut self.escaping, true) {
            self.text.push_str("'$'");
        }
        let short = match byte {
            0x07 => 'a',
            0x08 => 'b',
            b'\t' => 't',
            b'\n' => 'n',
            0x0b => 'v',
            0x0c => 'f',
            b'\r' => 'r',
            _ => {
                // A String takes everything.
                let _ = write!(self.text, "\\{byte:03o}");
                return;
            }
        };
        self.text.extend(['\\', short]);
    }
}
