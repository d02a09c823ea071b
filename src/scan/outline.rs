//! What of an event of several lines tells it from others: the lines of text, and of each stack trace the frame in
//! which it happened. The other frames are how it came there, and differ where nothing else does.

use std::borrow::Cow;

/// So many lines are enough.
const LINES: usize = 12;

/// The telling lines of a text; all of a text of one line.
pub fn outline(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') {
        return Cow::Borrowed(text);
    }
    let mut outline = Outline::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        outline.take(line);
        if outline.lines.len() >= LINES {
            break;
        }
    }
    Cow::Owned(outline.lines.join("\n"))
}

#[derive(Default)]
struct Outline<'t> {
    lines: Vec<&'t str>,
    /// Of Python, the innermost frame stands last.
    last_frame: Option<&'t str>,
    /// Of all others, it stands first.
    has_frame: bool,
}

impl<'t> Outline<'t> {
    fn take(&mut self, line: &'t str) {
        let text = line.trim_start();
        let indented = text.len() < line.len();
        if indented && text.starts_with("File \"") {
            self.last_frame = Some(line);
        } else if indented || is_frame(line) {
            let frame = !indented || text.starts_with("at ") || text.starts_with("from ");
            if frame && !std::mem::replace(&mut self.has_frame, true) {
                self.lines.push(line);
            }
        } else if !line.starts_with("goroutine ") {
            self.lines.extend(self.last_frame.take());
            self.lines.push(line);
            self.has_frame = false;
        }
    }
}

/// A frame that begins where lines begin: of PHP, or a function of Go.
fn is_frame(line: &str) -> bool {
    let php = line
        .strip_prefix('#')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let name = line.split('(').next().unwrap_or_default();
    let go = line.ends_with(')') && line.contains('(') && name.contains('.') && !name.contains(' ');
    php || go || line.starts_with("created by ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_line_is_all_of_itself() {
        assert_eq!(outline("  at x (y)"), "  at x (y)");
    }

    #[test]
    fn how_deep_a_trace_is_does_not_tell_it_from_others() {
        let python = |depth: usize| {
            let frames = "  File \"/srv/a.py\", line 1, in step\n    step()\n".repeat(depth);
            format!(
                "ERROR no\nTraceback (most recent call last):\n{frames}  File \"/srv/a.py\", line 7, in sell\n    x[1]\nKeyError: 1"
            )
        };
        assert_eq!(
            outline(&python(2)),
            "ERROR no\nTraceback (most recent call last):\n  File \"/srv/a.py\", line 7, in sell\nKeyError: 1"
        );
        assert_eq!(outline(&python(2)), outline(&python(40)));
        let java = "ERROR no\njava.io.IOException: x\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)\nCaused by: x.Y: z\n\tat q.R.s(R.java:3)\n\t... 3 more";
        assert_eq!(
            outline(java),
            "ERROR no\njava.io.IOException: x\n\tat a.B.c(B.java:1)\nCaused by: x.Y: z\n\tat q.R.s(R.java:3)"
        );
        let go = "panic: x\n\ngoroutine 1 [running]:\nmain.sell(0x1)\n\t/srv/a.go:1\nmain.main()\n\t/srv/a.go:2\ngoroutine 7 [select]:\nmain.wait()";
        assert_eq!(outline(go), "panic: x\nmain.sell(0x1)");
    }
}
