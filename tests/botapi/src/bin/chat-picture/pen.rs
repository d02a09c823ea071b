//! What everything is drawn with: pieces of text, marks, grounds.

use std::fmt::Write;

use crate::measure::{Sizes, is_picture};
use crate::text::Style;

/// A plain look.
pub(crate) const PLAIN: Style = Style {
    bold: false,
    mono: false,
};
/// A bold one.
pub(crate) const BOLD: Style = Style {
    bold: true,
    mono: false,
};

/// Where a text begins: its left end, and its base line.
#[derive(Clone, Copy)]
pub(crate) struct At(pub(crate) f64, pub(crate) f64);

/// SVG under way.
#[derive(Default)]
pub(crate) struct Pen {
    pub(crate) svg: String,
}

impl Pen {
    /// Adds what is SVG already.
    pub(crate) fn raw(&mut self, svg: std::fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = self.svg.write_fmt(svg);
        self.svg.push('\n');
    }

    /// A text of one look. Its emoji are drawn: fonts agree on nothing less.
    pub(crate) fn text(&mut self, words: &str, style: Style, sizes: Sizes, At(x, y): At, class: &str) {
        let chars: Vec<char> = words.chars().collect();
        let mut x = x;
        for part in chars.chunk_by(|one, other| !is_picture(*one) && !is_picture(*other)) {
            let words: String = part.iter().collect();
            match part {
                [c] if is_picture(*c) => self.picture(*c, sizes.of(style), At(x, y)),
                _ => self.words(&words, style, sizes, At(x, y), class),
            }
            x += sizes.width(&words, style);
        }
    }

    /// Words that are given their width, for the viewer's font may be a wider one.
    fn words(&mut self, words: &str, style: Style, sizes: Sizes, At(x, y): At, class: &str) {
        let seen = words.trim_end();
        let (size, width) = (sizes.of(style), sizes.width(seen, style));
        let fit = match seen.chars().count() {
            0 => return,
            1 => String::new(),
            _ => format!(" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\""),
        };
        let class = match class {
            "" => String::new(),
            class => format!(" class=\"{class}\""),
        };
        let words = escaped(seen);
        self.raw(format_args!(
            "<text{class} x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" xml:space=\"preserve\"{fit}>{words}</text>"
        ));
    }

    fn picture(&mut self, c: char, size: f64, At(x, y): At) {
        let colour = match c {
            '🔴' => "#e5484d",
            '🟡' => "#f2b90c",
            '🔵' => "#3b82f6",
            '⚪' => "#a7b0b8",
            '✅' => "#37b24d",
            _ => {
                return self.raw(format_args!(
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\">{c}</text>"
                ));
            }
        };
        let (left, top) = (x + size * 0.1, y - size * 0.83);
        let scale = size / 16.0;
        self.raw(format_args!(
            "<g transform=\"translate({left:.1} {top:.1}) scale({scale:.3})\"><title>{c}</title>"
        ));
        if c == '✅' {
            self.raw(format_args!(
                "<rect x=\".5\" y=\".5\" width=\"15\" height=\"15\" rx=\"4\" fill=\"{colour}\"/>\
                 <path d=\"M4 8.4l2.8 2.8L12.2 5\" fill=\"none\" stroke=\"#fff\" stroke-width=\"2.1\" \
                 stroke-linecap=\"round\" stroke-linejoin=\"round\"/></g>"
            ));
        } else {
            self.raw(format_args!(
                "<circle cx=\"8\" cy=\"8\" r=\"7.2\" fill=\"{colour}\"/></g>"
            ));
        }
    }

    /// The ground of a block, with its bar.
    pub(crate) fn ground(&mut self, x: f64, y: f64, width: f64, height: f64) {
        self.raw(format_args!(
            "<rect class=\"block\" x=\"{x}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"5\"/>\
             <path class=\"bar\" d=\"M{} {y:.1}h-1a4 4 0 0 0-4 4v{:.1}a4 4 0 0 0 4 4h1a2 2 0 0 1-2-2V{:.1}a2 2 0 0 1 \
             2-2z\"/>",
            x + 5.0,
            height - 8.0,
            y + 2.0,
        ));
    }
}

/// Text as XML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
