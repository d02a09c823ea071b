//! How wide text is, nearly, and where its lines break.
//!
//! No font is read: a table of a few classes is close enough to every common one.

use crate::text::{Run, Style};

/// Advance of every character of a monospaced font, in parts of its size.
const MONO: f64 = 0.6;
/// A bold letter against a plain one.
const BOLD: f64 = 1.07;

/// The sizes of text in the picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) plain: f64,
    pub(crate) mono: f64,
}

impl Sizes {
    /// The size of a style.
    pub(crate) fn of(self, style: Style) -> f64 {
        if style.mono { self.mono } else { self.plain }
    }

    /// The width of a text.
    pub(crate) fn width(self, text: &str, style: Style) -> f64 {
        text.chars().map(|c| self.advance(c, style)).sum()
    }

    fn advance(self, c: char, style: Style) -> f64 {
        let weight = if style.bold { BOLD } else { 1.0 };
        let em = match (is_picture(c), style.mono) {
            (true, _) => return 1.25 * self.of(style),
            (false, true) => MONO,
            (false, false) => proportional(c) * weight,
        };
        em * self.of(style)
    }
}

/// Whether a character is an emoji.
pub(crate) fn is_picture(c: char) -> bool {
    matches!(u32::from(c), 0x2600..=0x27bf | 0x1f300..=0x1faff)
}

/// Advance of a character of a sans-serif font, in parts of its size.
fn proportional(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '\'' | '|' => 0.23,
        ' ' | '.' | ',' | ':' | ';' | '!' | 'I' | '[' | ']' | 't' | 'f' | '/' | '\\' => 0.28,
        '(' | ')' | '-' | 'r' | '"' | '`' | '·' => 0.34,
        'c' | 'k' | 's' | 'v' | 'x' | 'y' | 'z' | 'J' => 0.51,
        'm' | 'M' | 'W' | '%' => 0.86,
        'w' | 'C' | 'D' | 'G' | 'H' | 'N' | 'O' | 'Q' | 'R' | 'U' => 0.74,
        '@' | '…' => 1.0,
        c if c.is_ascii_uppercase() => 0.67,
        c if u32::from(c) >= 0x1100 => 1.0,
        _ => 0.56,
    }
}

/// A piece of a line: what, and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piece {
    pub(crate) x: f64,
    pub(crate) width: f64,
    pub(crate) run: Run,
}

/// A line that fits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Line {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) width: f64,
}

impl Line {
    fn add(&mut self, word: &str, style: Style, sizes: Sizes) {
        let width = sizes.width(word, style);
        match self.pieces.last_mut() {
            Some(piece) if piece.run.style == style => {
                piece.run.text.push_str(word);
                piece.width += width;
            }
            _ => self.pieces.push(Piece {
                x: self.width,
                width,
                run: Run {
                    text: word.to_owned(),
                    style,
                },
            }),
        }
        self.width += width;
    }
}

/// Breaks a line into lines of at most this width, between words where it can.
pub(crate) fn wrap(runs: &[Run], width: f64, sizes: Sizes) -> Vec<Line> {
    let mut lines = vec![Line::default()];
    for run in runs {
        for word in run.text.split_inclusive(' ') {
            place(&mut lines, word, run.style, width, sizes);
        }
    }
    lines
}

/// Puts a word behind the last line, or into a new one, or into several if it is longer than a line. The
/// space behind a word may stand out: nobody sees it.
fn place(lines: &mut Vec<Line>, word: &str, style: Style, width: f64, sizes: Sizes) {
    let visible = sizes.width(word.trim_end(), style);
    let last = lines.last().map_or(0.0, |line| line.width);
    if last + visible > width && last > 0.0 {
        lines.push(Line::default());
    }
    if visible <= width {
        if let Some(line) = lines.last_mut() {
            line.add(word, style, sizes);
        }
        return;
    }
    for c in word.chars() {
        let c = c.to_string();
        if lines
            .last()
            .is_some_and(|line| line.width + sizes.width(&c, style) > width)
        {
            lines.push(Line::default());
        }
        if let Some(line) = lines.last_mut() {
            line.add(&c, style, sizes);
        }
    }
}

/// The text, cut with an ellipsis where it is wider than that.
pub(crate) fn cut(text: &str, width: f64, style: Style, sizes: Sizes) -> String {
    if sizes.width(text, style) <= width {
        return text.to_owned();
    }
    let mut room = width - sizes.width("…", style);
    let fits = |c: &char| {
        room -= sizes.advance(*c, style);
        room >= 0.0
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes {
        plain: 10.0,
        mono: 10.0,
    };
    const CODE: Style = Style {
        bold: false,
        mono: true,
    };

    fn wrapped(text: &str, columns: u32) -> Vec<String> {
        let run = Run {
            text: text.to_owned(),
            style: CODE,
        };
        let text = |line: &Line| line.pieces.iter().map(|piece| piece.run.text.as_str()).collect();
        let width = f64::from(columns) * 6.0;
        wrap(&[run], width, SIZES).iter().map(text).collect()
    }

    #[test]
    fn lines_break_between_words_and_within_a_word_only_if_they_must() {
        assert_eq!(wrapped("one two three", 7), ["one two ", "three"]);
        assert_eq!(wrapped("one-two-three", 5), ["one-t", "wo-th", "ree"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn a_cut_text_fits_with_its_ellipsis() {
        let text = "a rather long sentence about nothing";
        let short = cut(text, 100.0, Style::default(), SIZES);
        assert!(
            short.ends_with('…') && SIZES.width(&short, Style::default()) <= 100.0,
            "{short}"
        );
        assert_eq!(cut("short", 100.0, Style::default(), SIZES), "short");
    }
}
