//! What the program says about itself. Names, paths and the system's words stand in `code`, as log text does.

use std::time::Duration;

use super::Settings;
use super::clock::{Clock, between, duration};
use super::fit;
use super::sanitise::Clean;
use super::text::TextBuilder;
use super::words::{counted, matches, thousands};
use crate::model::{
    Bound, Changed, Changes, ChatName, Digest, Gap, GapKind, Hindsight, LogName, Names, Notice, NoticeCard,
    RuleName, RulesProblem, Text, Timestamp,
};

/// Most UTF-16 units of a name or a path, and of a reason.
const NAME: usize = 100;
const WHY: usize = 100;
/// Most UTF-16 units of a name that stands among others.
const LISTED: usize = 24;
/// A list of what changed is not begun anew where less room than this is left of [`LONGEST`].
const LISTING: usize = 3 * LISTED;
/// Every notice is shorter than this; where there is less room, the rest is counted.
const LONGEST: usize = 400;
/// A start has more to say than all others.
const LONGEST_START: usize = 450;
/// What may stand below them: how many more there are, and the command that helps.
const FOOT: usize = 100;
/// Below its headline a page that Telegram refused is sent once more as short as this: the first notice finds room.
const SHORT: usize = LONGEST_START + FOOT;
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
            let most = match notice {
                Notice::Started { .. } => LONGEST_START,
                _ => LONGEST,
            };
            if self.out.room() < most + FOOT {
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
            Notice::Deleted { files, bytes } => self.deleted(*files, *bytes),
            Notice::Gap(gap) => self.gap(gap),
            Notice::Parked { chat, why } => {
                self.named("chat ", chat.as_str())
                    .out
                    .say(" takes no messages; what it is owed waits, and it is tried every hour");
                self.why(why);
            }
            Notice::GivenUp {
                chat,
                since,
                until,
                matches,
            } => self.given_up(chat, *since, *until, *matches),
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
            Notice::Reloaded { changes, hindsight } => self.reloaded(changes, hindsight),
            Notice::NotReloaded {
                problem,
                more,
                at_start,
            } => self.not_reloaded(problem, *more, *at_start),
            Notice::Digest(digest) => self.digest(digest),
            Notice::Unreachable { from, to, incidents } => self.unreachable(*from, *to, *incidents),
            Notice::Unwritten { from, to } => self.unwritten(*from, *to),
            Notice::Overflow { rule, bound } => self.overflow(rule, *bound),
            Notice::Greedy { rule, log, percent } => self.greedy(rule, log, *percent),
            Notice::StaleMount { path } => self.stale_mount(path),
            Notice::SingleMounts { paths } => self.single_mounts(paths),
            Notice::ButtonsRefused { rule, why } => {
                self.named("Telegram refused the buttons of rule ", rule.as_str())
                    .out
                    .say("; its messages are sent without them");
                self.why(why);
            }
            Notice::DocumentRefused { rule, why } => {
                self.named("the lines of rule ", rule.as_str())
                    .out
                    .say(" could not be attached; the message stands without them");
                self.why(why);
            }
        }
    }

    fn given_up(&mut self, chat: &ChatName, since: Timestamp, until: Timestamp, count: u64) {
        let gone = duration(between(since, until));
        self.named("chat ", chat.as_str()).out.say(&format!(
            " has been gone for {gone}; {} given up and counted as failed",
            matches(count)
        ));
    }

    fn deleted(&mut self, files: u64, bytes: u64) {
        let files = counted(files, "file", "files");
        self.out.say(&format!(
            "deleted files are held open until they are read: {files}, {} MiB of disk",
            thousands(bytes >> 20)
        ));
    }

    fn stale_mount(&mut self, path: &str) {
        self.named("", path).out.say(
            " is mounted as a single file and was replaced outside: what is written there is not seen here. \
             Mount its folder instead, and restart",
        );
    }

    fn single_mounts(&mut self, paths: &Names) {
        self.names("mounted as single files: ", paths).out.say(
            ". When they are rotated outside, that is not seen here: mount their folder instead, and restart",
        );
    }

    fn digest(&mut self, digest: &Digest) {
        let Digest {
            from,
            to,
            incidents,
            rings,
            account,
            pending,
            noisiest,
            quiet,
        } = digest;
        let span = self.clock.minutes(*from, *to);
        let incidents = counted(*incidents, "incident", "incidents");
        let rings = counted(*rings, "ring", "rings");
        self.out.say(&format!(
            "digest of {span}: {incidents}, {rings}; {}",
            matches(account.matched)
        ));
        let mut separator = ": ";
        let columns = [
            ("shown", account.shown),
            ("counted", account.counted),
            ("muted", account.muted),
            ("failed", account.failed),
            ("pending", *pending),
        ];
        for (column, count) in columns.into_iter().filter(|(_, count)| *count > 0) {
            self.out.say(&format!("{separator}{} {column}", thousands(count)));
            separator = ", ";
        }
        let mut separator = "; most from ";
        for (rule, count) in noisiest {
            self.out
                .say(separator)
                .code(&fit::middle(&Clean::line(rule.as_str()), LISTED).text)
                .say(&format!(" ({})", thousands(*count)));
            separator = ", ";
        }
        if quiet.count > 0 {
            self.names("; nothing from ", quiet);
        }
    }

    fn unreachable(&mut self, from: Timestamp, to: Timestamp, incidents: u64) {
        let span = self.clock.minutes(from, to);
        let late = counted(incidents, "incident was", "incidents were");
        self.out
            .say(&format!("Telegram was unreachable {span}; {late} told late"));
    }

    fn unwritten(&mut self, from: Timestamp, to: Timestamp) {
        let span = self.clock.span(from, to);
        self.out.say(&format!(
            "the state could not be written {span}, and no log was read; what was written meanwhile is read now"
        ));
    }

    fn greedy(&mut self, rule: &RuleName, log: &LogName, percent: u64) {
        self.named("rule ", rule.as_str());
        self.named(
            &format!(" matches about {percent} % of the lines of log "),
            log.as_str(),
        )
        .out
        .say("; if that is not meant, narrow it down with ");
        self.out.code(&Clean::line("unless"));
    }

    fn overflow(&mut self, rule: &RuleName, bound: Bound) {
        self.named("rule ", rule.as_str());
        self.out.say(match bound {
            Bound::Incidents => {
                " has 1,000 open incidents; further ones share one named others. Fewer values of by, or a shorter quiet, \
                 help"
            }
            Bound::Shapes => {
                " has 200 kinds of lines in one incident; further kinds are counted and do not ring. Narrow it down, or \
                 tell incidents apart with by"
            }
            Bound::Lines => {
                " finds more than the chat takes: of the lines that wait some are counted and not sent. Narrow it down, or \
                 leave out ring = \"all\""
            }
        });
    }

    /// What changed first, then what could not change, then what it would have found.
    fn reloaded(&mut self, changes: &Changes, hindsight: &[Hindsight]) {
        self.out.say("rules reloaded");
        let start = self.out.units();
        let mut more = 0;
        let Changes {
            rules,
            logs,
            chats,
            others,
            restart,
        } = changes;
        let tables = [
            ("rule", "rules", rules),
            ("log", "logs", logs),
            ("chat", "chats", chats),
        ];
        let mut separator = ": ";
        for (one, many, table) in tables {
            let Changed {
                added,
                changed,
                removed,
            } = table;
            for (sign, names) in [("+", added), ("~", changed), ("-", removed)] {
                if names.count == 0 {
                    continue;
                }
                if self.out.units() - start > LONGEST - 200 - LISTING {
                    more = names.count.saturating_add(more);
                    continue;
                }
                let what = counted(names.count, one, many);
                self.names(&format!("{separator}{sign}{what} "), names);
                separator = ", ";
            }
        }
        if others.count > 0 {
            self.names(&format!("{separator}~"), others);
        }
        if more > 0 {
            self.out.say(&format!(", {} more, in the log", thousands(more)));
        }
        if restart.count > 0 {
            self.names("; only after a restart: ", restart);
        }
        for Hindsight { rule, found, of } in hindsight {
            if self.out.units() - start > LONGEST - LISTING {
                return;
            }
            self.out
                .say("; ")
                .code(&fit::middle(&Clean::line(rule), LISTED).text)
                .say(&format!(
                    " would have matched {} of the last {}",
                    thousands(*found),
                    counted(*of, "line", "lines")
                ));
        }
    }

    fn not_reloaded(&mut self, problem: &RulesProblem, more: u64, at_start: bool) {
        let RulesProblem {
            path,
            line,
            column,
            what,
            cure,
        } = problem;
        let place = match (line, column) {
            (Some(line), Some(column)) => format!(":{line}:{column}"),
            _ => String::new(),
        };
        self.out.say(if at_start {
            "rules broken, started with their last good copy: "
        } else {
            "rules broken, those in force stay: "
        });
        self.out
            .code(&fit::middle(&Clean::line(&format!("{path}{place}")), WHY - 20).text);
        self.why(what);
        self.out
            .say("; ")
            .code(&fit::middle(&Clean::line(cure), WHY).text);
        if more > 0 {
            let more = counted(more, "more problem", "more problems");
            self.out.say(&format!("; {more}"));
        }
    }

    /// A few names, and how many more there are.
    fn names(&mut self, words: &str, names: &Names) -> &mut Self {
        let listed = Clean::line(&names.first.join(", "));
        self.out.say(words).code(&fit::middle(&listed, LISTING).text);
        let more = names.count.saturating_sub(names.first.len() as u64);
        if more > 0 {
            self.out.say(&format!(" and {} more", thousands(more)));
        }
        self
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
        } else if rolled_back {
            self.out
                .say("\nthe state is older than it was left; some may be told again");
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
        Notice::Started { .. }
            | Notice::Readable { .. }
            | Notice::Returned { .. }
            | Notice::Reloaded { .. }
            | Notice::Digest(_)
    )
}
