//! Every script arrives as it was written, and nothing from a log comes alive in a message.

use crate::support::{ME, Sandbox};

/// All texts that people saw, of all messages and all their versions.
fn everything_seen(sandbox: &Sandbox) -> String {
    let messages = sandbox.api.journal().messages(ME);
    let texts = messages.iter().flat_map(|message| {
        message
            .earlier
            .iter()
            .map(|version| version.text.clone())
            .chain([message.text.clone()])
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Nothing clickable, nothing that a person would mind, nothing refused.
#[track_caller]
fn nothing_lives(sandbox: &Sandbox) {
    let journal = sandbox.api.journal();
    assert_eq!(journal.live(), [], "{}", everything_seen(sandbox));
    assert_eq!(journal.complaints(), [""; 0]);
    assert!(journal.refusals().is_empty(), "{:?}", journal.refusals());
    assert_eq!(journal.floods(), 0);
}

#[test]
fn korean_chinese_and_emoji_are_found_by_rules_and_shown_as_written() {
    let sandbox = Sandbox::new();
    sandbox.rules(
        "[[rules]]\nname = \"디스크\"\nmatch = '디스크 (?P<상태>[가-힣]+)'\nby = [\"상태\"]\n\
         [[rules]]\nname = \"磁盘\"\nmatch = '磁盘(已满|错误)'\n\
         [[rules]]\nname = \"fire\"\nmatch = '🔥{2,}'\n\
         [[rules]]\nname = \"ÄRGER\"\nmatch = '(?i)ärger'\n",
    );
    let lines = [
        "2026-03-01 오류: 디스크 가득참 (서버 서울-1)",
        "2026-03-01 错误:磁盘已满,剩余 0 字节",
        "all is 🔥🔥🔥 👩‍👩‍👧‍👦 🇰🇷 here",
        "Es gibt ÄRGER mit der Größe",
    ];
    sandbox.append("로그-日志.log", &(lines.join("\n") + "\n디스크 정상 아님 없음\n"));
    sandbox.once();
    let seen = everything_seen(&sandbox);
    for line in lines {
        assert!(seen.contains(line), "{line:?} is not in {seen}");
    }
    for name in ["디스크", "磁盘", "ÄRGER", "가득참", "로그-日志.log"] {
        assert!(seen.contains(name), "{name:?} is not in {seen}");
    }
    nothing_lives(&sandbox);
}

#[test]
fn invalid_bytes_hide_nothing_beside_them() {
    use std::io::Write;
    let sandbox = Sandbox::new();
    sandbox.rules("[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nall = ['끝']\n");
    let mut file = sandbox.open("app.log");
    file.write_all(b"\xff\xfe\x00 garbage without a match \xc3\x28\n")
        .unwrap();
    file.write_all(b"ERROR \xff\xfe half a letter \xea\xb0 and a whole one ")
        .unwrap();
    file.write_all("가 끝\n".as_bytes()).unwrap();
    sandbox.once();
    let seen = everything_seen(&sandbox);
    assert!(seen.contains("half a letter"), "{seen}");
    assert!(seen.contains("and a whole one 가 끝"), "{seen}");
    assert!(
        seen.contains('\u{fffd}'),
        "what is no text is marked as such: {seen}"
    );
    assert!(!seen.contains("garbage"), "{seen}");
    nothing_lives(&sandbox);
}

#[test]
fn what_turns_hides_or_rings_becomes_visible() {
    let sandbox = Sandbox::new();
    sandbox.rules("[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\n");
    let hostile = "ERROR safe\u{202e}txt.exe\u{2066}iso\u{2069} zero\u{200b}width \u{7}bell \u{8}back \u{feff}bom \
                   del\u{7f} \u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7} nul\u{0}";
    sandbox.append("app.log", &format!("{hostile}\n"));
    sandbox.once();
    let seen = everything_seen(&sandbox);
    for bad in [
        '\u{202e}', '\u{2066}', '\u{2069}', '\u{200b}', '\u{7}', '\u{8}', '\u{feff}', '\u{7f}', '\u{1b}',
        '\0',
    ] {
        assert!(!seen.contains(bad), "{bad:?} reached the phone: {seen:?}");
    }
    for escape in ["⟨U+202E⟩", "⟨U+2066⟩", "⟨U+200B⟩", "⟨U+FEFF⟩", "␇", "␈", "␡", "␀"]
    {
        assert!(seen.contains(escape), "{escape} is not in {seen:?}");
    }
    assert!(
        seen.contains("red") && !seen.contains("[31m") && !seen.contains("title"),
        "what terminals swallow is dropped: {seen:?}"
    );
    nothing_lives(&sandbox);
}

#[test]
fn no_link_mention_tag_or_command_comes_from_a_log() {
    let sandbox = Sandbox::unlimited();
    sandbox.rules(
        "[[rules]]\nname = \"shape\"\nmatch = 'ERROR'\nby = [\"who\"]\nall = ['who=(?P<who>\\S+)']\n\
         [[rules]]\nname = \"every\"\nmatch = 'ERROR'\nring = \"all\"\nby = [\"file\"]\n\
         [[rules]]\nname = \"ends\"\nmatch = 'ERROR'\nresolve = 'RESOLVED'\n",
    );
    let hostile = [
        "ERROR @admin http://evil.example #tag /start <b>bold</b> who=@admin",
        "ERROR https://evil.example/?a=b&c=d $TSLA me@evil.example who=http://evil.example/x",
        "ERROR [click](http://evil.example) **bold** `code` ||spoiler|| who=/start@evil_bot",
        "ERROR </pre></code><a href=\"tg://user?id=1\">x</a> &lt;b&gt; #tag",
        "ERROR tg://resolve?domain=evil t.me/evil www.evil.example evil.example",
        "ERROR ```js\nERROR @second_line $TSLA```",
        "ERROR \u{202e}elpmaxe.live//:ptth\u{202c} @\u{200b}admin me@evil.example",
        "RESOLVED by @admin at http://evil.example/resolved #over /stop",
    ];
    for name in [
        "@admin evil.example #tag $TSLA.log",
        "start@evil_bot.log",
        "app.log",
    ] {
        sandbox.append(name, &(hostile.join("\n") + "\n"));
    }
    sandbox.once();
    let seen = everything_seen(&sandbox);
    for word in [
        "@admin",
        "http://evil.example",
        "#tag",
        "/start",
        "<b>bold</b>",
        "tg://user?id=1",
        "$TSLA",
    ] {
        assert!(seen.contains(word), "{word:?} is not in {seen}");
    }
    nothing_lives(&sandbox);
    no_entity_but_ours(&sandbox);
}

/// Formatting is ours alone: no link or mention entity at all.
fn no_entity_but_ours(sandbox: &Sandbox) {
    let ours = [
        "bold",
        "code",
        "pre",
        "expandable_blockquote",
        "blockquote",
        "italic",
    ];
    for message in sandbox.api.journal().messages(ME) {
        for entity in &message.entities {
            assert!(
                ours.contains(&entity.kind.as_str()),
                "{entity:?} in {}",
                message.text
            );
        }
    }
}
