//! A message taken apart: paragraphs of runs, and the blocks between them.
//!
//! The trap: entities count UTF-16 units.

use botapi::Entity;

/// How a stretch of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) bold: bool,
    pub(crate) mono: bool,
}

/// A stretch of text of one look, without line ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// What a line of text stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The bubble itself.
    Plain,
    /// A block of code.
    Pre,
    /// A quote.
    Quote,
    /// A quote that shows its first lines until somebody touches it.
    Folded,
}

/// Lines of text in one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) frame: Frame,
    pub(crate) lines: Vec<Vec<Run>>,
}

/// Takes a text apart. The line end between a block and what is around it belongs to neither.
pub(crate) fn blocks(text: &str, entities: &[Entity]) -> Vec<Block> {
    let mut blocks: Vec<(Frame, Vec<(char, Style)>)> = Vec::new();
    let mut unit = 0;
    for c in text.chars() {
        let (frame, style) = look(unit, entities);
        match blocks.last_mut() {
            Some((last, chars)) if *last == frame => chars.push((c, style)),
            _ => blocks.push((frame, vec![(c, style)])),
        }
        unit += c.len_utf16();
    }
    let count = blocks.len();
    let block = |(n, (frame, mut chars)): (usize, (Frame, Vec<(char, Style)>))| {
        if n + 1 < count && chars.last().is_some_and(|last| last.0 == '\n') {
            chars.pop();
        }
        if n > 0 && chars.first().is_some_and(|first| first.0 == '\n') {
            chars.remove(0);
        }
        let lines = chars.split(|(c, _)| *c == '\n').map(runs).collect();
        (!chars.is_empty()).then_some(Block { frame, lines })
    };
    blocks.into_iter().enumerate().filter_map(block).collect()
}

/// What the character at this unit looks like. Of two frames around it the outer one is drawn.
fn look(unit: usize, entities: &[Entity]) -> (Frame, Style) {
    let mut style = Style::default();
    let mut frame = Frame::Plain;
    for entity in entities.iter().filter(|e| (e.offset..e.end()).contains(&unit)) {
        match entity.kind.as_str() {
            "bold" => style.bold = true,
            "code" => style.mono = true,
            "pre" => {
                style.mono = true;
                if frame == Frame::Plain {
                    frame = Frame::Pre;
                }
            }
            "blockquote" => frame = Frame::Quote,
            "expandable_blockquote" => frame = Frame::Folded,
            _ => {}
        }
    }
    (frame, style)
}

fn runs(chars: &[(char, Style)]) -> Vec<Run> {
    let of_one_look = chars.chunk_by(|one, other| one.1 == other.1);
    of_one_look
        .map(|run| Run {
            text: run.iter().map(|(c, _)| *c).collect(),
            style: run[0].1,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(kind: &str, offset: usize, length: usize) -> Entity {
        Entity {
            kind: kind.to_owned(),
            offset,
            length,
            more: serde_json::Map::new(),
        }
    }

    fn shown(blocks: &[Block]) -> Vec<(Frame, Vec<String>)> {
        let line = |line: &Vec<Run>| {
            let mark = |run: &Run| match (run.style.bold, run.style.mono) {
                (false, false) => run.text.clone(),
                (true, _) => format!("*{}*", run.text),
                (_, true) => format!("`{}`", run.text),
            };
            line.iter().map(mark).collect::<String>()
        };
        let block = |block: &Block| (block.frame, block.lines.iter().map(line).collect());
        blocks.iter().map(block).collect()
    }

    #[test]
    fn a_text_falls_into_runs_and_blocks_by_utf16_units() {
        let text = "🔴 disk on web-1\n2 matches\n1× full\n2× fuller\nlatest:\nfull";
        let entities = [
            entity("code", 3, 4),
            entity("bold", 17, 9),
            entity("pre", 27, 17),
            entity("expandable_blockquote", 53, 4),
            entity("pre", 53, 4),
        ];
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            shown(&blocks(text, &entities)),
            [
                (Frame::Plain, words(&["🔴 `disk` on web-1", "*2 matches*"])),
                (Frame::Pre, words(&["`1× full`", "`2× fuller`"])),
                (Frame::Plain, words(&["latest:"])),
                (Frame::Folded, words(&["`full`"])),
            ]
        );
    }

    #[test]
    fn nothing_between_two_blocks_is_no_paragraph() {
        let entities = [entity("pre", 0, 1), entity("expandable_blockquote", 2, 1)];
        let frames: Vec<_> = blocks("a\nb", &entities)
            .iter()
            .map(|block| block.frame)
            .collect();
        assert_eq!(frames, [Frame::Pre, Frame::Folded]);
    }
}
