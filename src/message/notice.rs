//! What the program says about itself. Names, paths and the system's words stand in `code`, as log text does.

use std::time::Duration;

use super::Settings;
use super::clock::{Clock, between};
use super::fit;
use super::layout::SHORT;
use super::sanitise::Clean;
use super::text::TextBuilder;
use super::words::{counted, matches, thousands};
use crate::model::{Gap, GapKind, Notice, NoticeCard, Text};

/// Most UTF-16 units of a name or a path, and of a reason.
const NAME: usize = 100;
const WHY: usize = 100;
/// Every notice is shorter than this; where there is less room, the rest is counted.
const LONGEST: usize = 400;
/// What was noticed longer ago than this says when.
const LATE: Duration = Duration::from_mins(1);

/// Renders what waits. Pure; within all limits of Telegram, never empty.
pub fn notices(settings: &Settings, card: &NoticeCard<'_>) -> Text {
    let mut page = Page {
        host: name(&settings.host),
        clock: Clock::new(&settings.zone, card.now),
        out: TextBuilder::new(),
    };
    page.write(card);
    page.out.finish()
}

struct Page {
    host: Clean,
    clock: Clock,
    out: TextBuilder,
}

impl Page {
    fn write(&mut self, card: &NoticeCard<'_>) {
        let started = matches!(card.notices.front(), Some((_, Notice::Started { .. })));
        if !started {
            let trouble = card.notices.iter().any(|(_, notice)| is_trouble(notice));
            self.out.say(if trouble { "⚠ on " } else { "ℹ on " });
            self.out.code(&self.host);
        }
        if card.repeat {
            self.out.say(if started { "⚠ " } else { "\n⚠ " });
            self.out.bold("may repeat").say(" an earlier message");
            self.out.say(if started { "\n" } else { "" });
        }
        if card.short {
            self.out.narrow(SHORT);
        }
        let mut more = card.dropped;
        for (nth, (at, notice)) in card.notices.iter().enumerate() {
            if self.out.room() < LONGEST {
                more += 1;
                continue;
            }
            if let Notice::Started { .. } = notice {
                self.out.say(if nth == 0 { "ℹ " } else { "\nℹ " });
                // A start is told at once, or it says when it was.
                if between(*at, card.now) > LATE {
                    self.out.say(&self.clock.second(*at)).say(" ");
                }
            } else {
                self.out.say(&format!("\n{} ", self.clock.second(*at)));
            }
            self.notice(notice);
        }
        if more > 0 {
            self.out
                .say(&format!("\nand {} more, in the log", thousands(more)));
        }
        if card
            .notices
            .iter()
            .any(|(_, notice)| matches!(notice, Notice::Unreadable { .. }))
        {
            self.out.say("\ntailgram check --logs says what to change");
        }
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Started {
                files,
                rules,
                fresh,
                set_aside,
                rolled_back,
                earlier,
            } => {
                self.started(*files, *rules);
                self.lost(*fresh, *set_aside, *rolled_back);
                self.earlier(*earlier);
            }
            Notice::Unreadable { path, why } => self.named("cannot read ", path).why(why),
            Notice::Readable { path } => {
                self.named("reads ", path).out.say(" again");
            }
            Notice::Missing { log, globs } => {
                self.named("log ", log.as_str());
                self.named(": no file matches ", globs)
                    .out
                    .say("; waiting for one");
            }
            Notice::TooManyOpen => {
                self.out.say(
                    "more files match than this process may hold open: raise its limit (ulimit -n), or narrow the globs",
                );
            }
            Notice::Gap(gap) => self.gap(gap),
            Notice::Parked { chat, why } => {
                self.named("chat ", chat.as_str())
                    .out
                    .say(" takes no messages; what it is owed waits, and it is tried every hour");
                self.why(why);
            }
            Notice::Returned { chat } => {
                self.named("chat ", chat.as_str())
                    .out
                    .say(" takes messages again");
            }
            Notice::Moved { chat, to } => {
                self.named("the group of chat ", chat.as_str())
                    .out
                    .say(" became a supergroup; put ");
                self.out
                    .code(&name(&format!("id = {to}")))
                    .say(" into rules.toml");
            }
            Notice::Refused {
                rule,
                chat,
                matches: count,
            } => {
                self.named("Telegram refused a message of rule ", rule.as_str());
                self.named(" for chat ", chat.as_str())
                    .out
                    .say(&format!("; {} counted as failed", matches(*count)));
            }
        }
    }

    fn started(&mut self, files: u64, rules: u64) {
        let files = counted(files, "file", "files");
        let rules = counted(rules, "rule", "rules");
        self.out.say("started on ").code(&self.host);
        self.out.say(&format!(", following {files}, {rules}"));
    }

    /// What of the state the run did not find.
    fn lost(&mut self, fresh: Option<u64>, set_aside: u64, rolled_back: bool) {
        if set_aside > 0 {
            let pieces = counted(
                set_aside,
                "piece of the state is damaged and was",
                "pieces of the state are damaged and were",
            );
            self.out.say(&format!("\n{pieces} set aside; the log says which"));
        }
        if rolled_back {
            self.out
                .say("\nthe state is older than it was left; what happened since may be told again");
        }
        if let Some(at_end) = fresh {
            self.out.say("\nno state found");
            if at_end > 0 {
                let files = counted(
                    at_end,
                    "file is followed from its end",
                    "files are followed from their end",
                );
                self.out.say("; ").say(&files);
            }
        }
    }

    fn earlier(&mut self, earlier: u64) {
        if earlier > 0 {
            let starts = counted(
                earlier,
                "start before this one was",
                "starts before this one were",
            );
            self.out.say(&format!("\n{starts} not told"));
        }
    }

    fn gap(&mut self, gap: &Gap) {
        let what = match gap.kind {
            GapKind::Truncated => " was cut before it was read to its end",
            GapKind::Vanished => " was gone after a restart before it was read to its end",
        };
        self.named("", &gap.path).out.say(what);
        if gap.bytes > 0 {
            self.out.say(&format!(
                "; at least {} lost",
                counted(gap.bytes, "byte is", "bytes are")
            ));
        }
    }

    fn named(&mut self, words: &str, text: &str) -> &mut Self {
        self.out.say(words).code(&name(text));
        self
    }

    fn why(&mut self, why: &str) {
        self.out.say(": ").code(&fit::middle(&Clean::line(why), WHY).text);
    }
}

fn name(text: &str) -> Clean {
    fit::middle(&Clean::line(text), NAME).text
}

fn is_trouble(notice: &Notice) -> bool {
    !matches!(
        notice,
        Notice::Started { .. } | Notice::Readable { .. } | Notice::Returned { .. }
    )
}
