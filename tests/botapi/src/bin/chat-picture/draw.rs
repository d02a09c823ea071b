//! The screen around the bubbles.

use botapi::Message;

use crate::bubble::{BUBBLE, Bubble};
use crate::measure::Sizes;
use crate::pen::{At, BOLD, PLAIN, Pen, escaped};

const WIDTH: f64 = 440.0;
const HEADER: f64 = 58.0;
/// Around the bubbles.
const MARGIN: f64 = 12.0;
/// Between the bubbles.
const GAP: f64 = 8.0;
/// The middle of the bells.
const BELLS: f64 = MARGIN + BUBBLE + (WIDTH - MARGIN - BUBBLE) / 2.0;

const STYLE: &str = "
  text { white-space: pre; font-family: -apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif; fill: #14181c }
  .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace }
  .bold { font-weight: 600 }
  .screen { fill: #dde6ee } .edge { fill: none; stroke: #c3ced8 }
  .header { fill: #ffffff } .rule { stroke: #d4dde5 } .bubble { fill: #ffffff }
  .faint { fill: #7f8b96 } .accent { fill: #2f7cc4 } .inline { fill: #a8432f }
  .block { fill: #2f7cc4; fill-opacity: .09 } .bar { fill: #2f7cc4 }
  .rang { fill: #e0982a } .silent { fill: #8e9aa5 } .slash { stroke: #8e9aa5 } .cut { stroke: #dde6ee }
  .more { fill: none; stroke: #2f7cc4; stroke-width: 1.8; stroke-linecap: round }
  @media (prefers-color-scheme: dark) {
    text { fill: #eef2f5 }
    .screen { fill: #0e1620 } .edge { stroke: #2b3948 }
    .header { fill: #17212c } .rule { stroke: #0a1119 } .bubble { fill: #1b2733 }
    .faint { fill: #7d8d9c } .accent { fill: #6cb4f2 } .inline { fill: #f0a48f }
    .block { fill: #6cb4f2; fill-opacity: .1 } .bar { fill: #6cb4f2 }
    .more { stroke: #6cb4f2 }
    .rang { fill: #f0b44c } .silent { fill: #6b7a89 } .slash { stroke: #6b7a89 } .cut { stroke: #0e1620 }
  }
";

/// A bell in a box of 16 by 16.
const BELL: &str = "M8 1.2a1 1 0 0 1 1 1v.5a4.4 4.4 0 0 1 3.4 4.3v3l1.3 1.9a.6.6 0 0 1-.5 1H2.8a.6.6 0 0 1-.5-1l1.3-1.9v-3A4.4 \
     4.4 0 0 1 7 2.7v-.5a1 1 0 0 1 1-1zM6.3 13.8h3.4a1.7 1.7 0 0 1-3.4 0z";

/// The whole picture.
pub(crate) fn chat(title: &str, messages: &[Message]) -> String {
    let bubbles: Vec<Bubble> = messages
        .iter()
        .map(|message| Bubble::of(message, answered(message, messages), title))
        .collect();
    let heights: f64 = bubbles.iter().map(|bubble| bubble.height + GAP).sum();
    let height = HEADER + MARGIN + heights - GAP + MARGIN + 4.0;
    let mut pen = Pen::default();
    pen.raw(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\">\n<title>What the phone shows</title>\n\
         <style>{STYLE}</style>\n\
         <clipPath id=\"screen\"><rect width=\"{WIDTH}\" height=\"{height:.0}\" rx=\"18\"/></clipPath>\n\
         <g clip-path=\"url(#screen)\">\n<rect class=\"screen\" width=\"{WIDTH}\" height=\"{height:.0}\"/>"
    ));
    header(&mut pen, title);
    let mut y = HEADER + MARGIN;
    for (bubble, message) in bubbles.iter().zip(messages) {
        pen.raw(format_args!(
            "<g class=\"message\" transform=\"translate({MARGIN} {y:.1})\">"
        ));
        bubble.draw(&mut pen);
        pen.raw(format_args!("</g>"));
        bell(&mut pen, message.silent, y + bubble.height / 2.0 - 16.0);
        y += bubble.height + GAP;
    }
    pen.raw(format_args!(
        "</g>\n<rect class=\"edge\" x=\".5\" y=\".5\" width=\"{}\" height=\"{:.0}\" rx=\"17.5\"/>\n</svg>",
        WIDTH - 1.0,
        height - 1.0
    ));
    pen.svg
}

/// The message that a message answers.
fn answered<'a>(message: &Message, messages: &'a [Message]) -> Option<&'a Message> {
    messages
        .iter()
        .find(|other| Some(other.message_id) == message.reply_to)
}

fn header(pen: &mut Pen, title: &str) {
    let letter: String = title.chars().take(1).flat_map(char::to_lowercase).collect();
    let middle = HEADER / 2.0;
    pen.raw(format_args!(
        "<rect class=\"header\" width=\"{WIDTH}\" height=\"{HEADER}\"/>\
         <path class=\"rule\" d=\"M0 {HEADER}h{WIDTH}\"/><circle class=\"bar\" cx=\"36\" cy=\"{middle}\" r=\"19\"/>\
         <text class=\"bold\" x=\"36\" y=\"{}\" font-size=\"19\" text-anchor=\"middle\" style=\"fill:#fff\">{}</text>",
        middle + 6.5,
        escaped(&letter)
    ));
    let sizes = |plain| Sizes { plain, mono: plain };
    pen.text(title, BOLD, sizes(16.0), At(67.0, middle - 3.0), "bold");
    pen.text("bot", PLAIN, sizes(12.5), At(67.0, middle + 14.5), "faint");
}

/// Whether the phone made a sound.
fn bell(pen: &mut Pen, silent: bool, y: f64) {
    let (class, word) = if silent {
        ("silent", "silent")
    } else {
        ("rang", "rings")
    };
    pen.raw(format_args!(
        "<g transform=\"translate({} {y:.1})\"><path class=\"{class}\" transform=\"scale(1.25)\" d=\"{BELL}\"/>",
        BELLS - 10.0
    ));
    if silent {
        pen.raw(format_args!(
            "<path class=\"cut\" d=\"M3.4 1.2L19 18\" stroke-width=\"4\"/>\
             <path class=\"slash\" d=\"M2 2L18 19\" stroke-width=\"1.7\" stroke-linecap=\"round\"/>"
        ));
    }
    pen.raw(format_args!(
        "<text class=\"{class}\" x=\"10\" y=\"31\" font-size=\"10.5\" text-anchor=\"middle\">{word}</text></g>"
    ));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn message(id: i64, text: &str, silent: bool, reply_to: Option<i64>) -> Message {
        serde_json::from_value(json!({
            "chat": 7, "message_id": id, "text": text, "silent": silent, "reply_to": reply_to, "sent_at": 3_660_000,
            "edited_at": (id == 1).then_some(7_260_000), "thread": null, "earlier": [], "live": [], "protected": false,
            "entities": [{ "type": "bold", "offset": 0, "length": 1 }], "keyboard": null, "complaints": [],
            "request": 1, "edits": [], "deleted": false,
        }))
        .unwrap()
    }

    #[test]
    fn a_picture_says_what_was_edited_answered_and_silent() {
        let messages = [
            message(1, "first", false, None),
            message(2, "second", true, Some(1)),
        ];
        let svg = chat("tailgram", &messages);
        for words in [">edited 02:01<", ">01:01<", ">rings<", ">silent<", ">tailgram<"] {
            assert!(svg.contains(words), "{words}");
        }
        assert_eq!(
            svg.matches(">first<").count(),
            1,
            "in the answer's header only, whole"
        );
    }

    #[test]
    fn text_cannot_become_markup() {
        let svg = chat("<t>", &[message(1, "a </text><script>&amp;\"", false, None)]);
        assert!(
            !svg.contains("<script") && svg.contains("&lt;script&gt;&amp;amp;"),
            "{svg}"
        );
        assert!(svg.contains("&lt;t&gt;"), "{svg}");
    }
}
