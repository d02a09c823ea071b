//! One message, laid out and drawn from its upper left corner.

use botapi::Message;

use crate::measure::{Line, Sizes, cut, wrap};
use crate::pen::{At, BOLD, PLAIN, Pen};
use crate::text::{Block, Frame, Run, blocks};

/// The width of a bubble at most.
pub(crate) const BUBBLE: f64 = 346.0;
/// The width of what a bubble holds at least.
const LEAST: f64 = 120.0;
/// Inside a bubble, left and right.
const PAD: f64 = 12.0;
/// Inside a bubble, above its text and below its stamp.
const EDGE: f64 = 8.0;
/// Inside a block, left and right.
const INDENT: f64 = 10.0;
/// Inside a block, above and below its text.
const INSET: f64 = 6.0;
/// Around a block, above and below.
const APART: f64 = 3.0;
/// What a message answers.
const REPLY: f64 = 42.0;
/// The width that the text of an answered message makes room for at most.
const PREVIEW: f64 = 210.0;
/// The lines of a folded quote that are seen.
const FOLDED: usize = 3;

/// In the bubble itself.
const IN_BUBBLE: Sizes = Sizes {
    plain: 15.0,
    mono: 13.5,
};
/// In blocks.
const IN_BLOCK: Sizes = Sizes {
    plain: 14.0,
    mono: 12.5,
};
/// In what a message answers.
const IN_REPLY: Sizes = Sizes {
    plain: 13.0,
    mono: 12.0,
};
/// In stamps.
const IN_STAMP: Sizes = Sizes {
    plain: 11.5,
    mono: 11.0,
};

/// A message laid out.
pub(crate) struct Bubble {
    reply: Option<Reply>,
    parts: Vec<Part>,
    /// The time, and whether the text was changed.
    stamp: String,
    width: f64,
    pub(crate) height: f64,
}

/// What stands above a message that answers another one.
struct Reply {
    name: String,
    /// The answered text on one line, as long as it is.
    preview: String,
}

/// A block laid out.
struct Part {
    frame: Frame,
    lines: Vec<Line>,
    /// Whether there is more behind what is seen.
    folded: bool,
}

impl Bubble {
    /// Lays a message out; `name` is who wrote what it answers.
    pub(crate) fn of(message: &Message, answered: Option<&Message>, name: &str) -> Self {
        let parts: Vec<Part> = blocks(&message.text, &message.entities)
            .iter()
            .map(Part::of)
            .collect();
        let reply = answered.map(|answered| Reply::of(answered, name));
        let stamp = match message.edited_at {
            Some(at) => format!("edited {}", clock(at)),
            None => clock(message.sent_at),
        };
        let widths = parts
            .iter()
            .map(Part::width)
            .chain(reply.iter().map(Reply::width));
        let inner = widths.fold(LEAST, f64::max);
        let above = reply.as_ref().map_or(0.0, |_| REPLY + APART * 2.0);
        let text: f64 = parts.iter().map(Part::height).sum();
        let below = if beside(&parts, &stamp, inner) { 2.0 } else { 15.0 };
        Self {
            reply,
            parts,
            stamp,
            width: inner + 2.0 * PAD,
            height: EDGE + above + text + below + EDGE,
        }
    }

    /// Draws it.
    pub(crate) fn draw(&self, pen: &mut Pen) {
        self.outline(pen);
        let inner = self.width - 2.0 * PAD;
        let mut y = EDGE;
        if let Some(reply) = &self.reply {
            reply.draw(pen, y, inner);
            y += REPLY + APART * 2.0;
        }
        for part in &self.parts {
            part.draw(pen, y, inner);
            y += part.height();
        }
        let x = self.width - PAD - IN_STAMP.width(&self.stamp, PLAIN) + 2.0;
        pen.text(&self.stamp, PLAIN, IN_STAMP, At(x, self.height - EDGE), "faint");
    }

    /// Rounded, with a tail at its lower left.
    fn outline(&self, pen: &mut Pen) {
        pen.raw(format_args!(
            "<path class=\"bubble\" d=\"M14 0H{:.1}a14 14 0 0 1 14 14V{:.1}a14 14 0 0 1-14 \
             14H-5c4-2 5-6 5-11V14A14 14 0 0 1 14 0z\"/>",
            self.width - 14.0,
            self.height - 14.0,
        ));
    }
}

/// Whether the stamp has room behind the last line.
fn beside(parts: &[Part], stamp: &str, inner: f64) -> bool {
    let last = parts.last().filter(|part| part.frame == Frame::Plain);
    let last = last.and_then(|part| part.lines.last());
    last.is_some_and(|line| line.width + 10.0 + IN_STAMP.width(stamp, PLAIN) <= inner)
}

impl Reply {
    fn of(answered: &Message, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            preview: answered.text.replace('\n', " "),
        }
    }

    /// Of its own it asks for little: the message decides.
    fn width(&self) -> f64 {
        let preview = IN_REPLY.width(&self.preview, PLAIN).min(PREVIEW);
        preview.max(IN_REPLY.width(&self.name, BOLD)) + 2.0 * INDENT
    }

    fn draw(&self, pen: &mut Pen, y: f64, width: f64) {
        pen.ground(PAD, y, width, REPLY);
        let x = PAD + INDENT;
        pen.text(&self.name, BOLD, IN_REPLY, At(x, y + 17.0), "bold accent");
        let preview = cut(&self.preview, width - 2.0 * INDENT, PLAIN, IN_REPLY);
        pen.text(&preview, PLAIN, IN_REPLY, At(x, y + 34.0), "");
    }
}

impl Part {
    fn of(block: &Block) -> Self {
        let inner = BUBBLE - 2.0 * PAD;
        let (width, sizes) = match block.frame {
            Frame::Plain => (inner, IN_BUBBLE),
            _ => (inner - 2.0 * INDENT, IN_BLOCK),
        };
        let lines = block.lines.iter().flat_map(|line| wrap(line, width, sizes));
        let mut lines: Vec<Line> = lines.collect();
        let folded = block.frame == Frame::Folded && lines.len() > FOLDED;
        if folded {
            lines.truncate(FOLDED);
        }
        Self {
            frame: block.frame,
            lines,
            folded,
        }
    }

    /// The height of a line.
    fn leading(&self) -> f64 {
        if self.frame == Frame::Plain { 20.5 } else { 17.5 }
    }

    /// What is around its text, above as well as below.
    fn around(&self) -> f64 {
        if self.frame == Frame::Plain {
            0.0
        } else {
            APART + INSET
        }
    }

    fn height(&self) -> f64 {
        let lines: f64 = self.lines.iter().map(|_| self.leading()).sum();
        lines + 2.0 * self.around()
    }

    fn width(&self) -> f64 {
        let widest = self.lines.iter().map(|line| line.width).fold(0.0, f64::max);
        match self.frame {
            Frame::Plain => widest,
            _ => widest + 2.0 * INDENT,
        }
    }

    fn draw(&self, pen: &mut Pen, y: f64, width: f64) {
        let (x, sizes) = match self.frame {
            Frame::Plain => (PAD, IN_BUBBLE),
            _ => (PAD + INDENT, IN_BLOCK),
        };
        if self.frame != Frame::Plain {
            pen.ground(PAD, y + APART, width, self.height() - 2.0 * APART);
        }
        let mut base = y + self.around() + self.leading() * 0.74;
        for line in &self.lines {
            for piece in &line.pieces {
                let at = At(x + piece.x, base);
                pen.text(
                    &piece.run.text,
                    piece.run.style,
                    sizes,
                    at,
                    self.class(&piece.run),
                );
            }
            base += self.leading();
        }
        if self.folded {
            let (x, y) = (PAD + width - 19.0, y + self.height() - APART - INSET - 6.0);
            pen.raw(format_args!(
                "<path class=\"more\" d=\"M{x:.1} {y:.1}l4.5 4.5l4.5-4.5\"/>"
            ));
        }
    }

    fn class(&self, run: &Run) -> &'static str {
        match (run.style.bold, run.style.mono, self.frame) {
            (true, ..) => "bold",
            (_, true, Frame::Plain) => "mono inline",
            (_, true, _) => "mono",
            _ => "",
        }
    }
}

/// Hours and minutes in UTC.
fn clock(unix_ms: u64) -> String {
    let minutes = unix_ms / 60_000;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}
