//! Secrets that are known by their own looks, wherever they stand.
//!
//! Each entry is a prefix that its maker chose to be recognised by, and enough of what follows that no ordinary
//! word has it. Repetitions are open at the end, so that a longer secret never keeps its tail.
//!
//! The trap: no entry may need to read far beyond its own match to make up its mind, or many near misses on one
//! line would cost more than linear time.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

/// What may stand before a secret: no letter or digit, except those of an escape.
const LEFT: &str = r"(?:\b{start-half}|_|%[0-9A-Fa-f]{2}|\\[nrt])";

/// Hidden as a whole.
const SHAPES: &[&str] = &[
    // JSON Web Tokens, encrypted ones (empty second part) and unsigned ones too.
    r"eyJ[A-Za-z0-9_-]{8,}\.(?:[A-Za-z0-9_-]{4,}|\.[A-Za-z0-9_-]+)(?:\.[A-Za-z0-9_-]+)*",
    // AWS key ids. The secret half has no looks of its own; it is found by its name.
    r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16,}",
    // Google: API keys, OAuth access tokens, OAuth client secrets.
    r"AIza[A-Za-z0-9_-]{30,}",
    r"ya29\.[A-Za-z0-9_-]{20,}",
    r"GOCSPX-[A-Za-z0-9_-]{20,}",
    // Code hosts: GitHub, GitLab, Atlassian.
    r"gh[opusr]_[A-Za-z0-9]{20,}",
    r"github_pat_[A-Za-z0-9_]{20,}",
    r"gl(?:pat|ptt|dt|rt|cbt|ft|imt|oas|soat|agent)-[A-Za-z0-9_-]{16,}",
    r"ATATT3[A-Za-z0-9_=-]{30,}",
    // Slack.
    r"xox[a-z]-[A-Za-z0-9-]{10,}",
    r"xapp-[0-9]-[A-Za-z0-9-]{10,}",
    // Money: Stripe, Square, Shopify. Publishable keys (pk_) are public.
    r"[sr]k_(?:live|test)_[A-Za-z0-9]{10,}",
    r"whsec_[A-Za-z0-9+/=]{20,}",
    r"sq0[a-z]{3}-[A-Za-z0-9_-]{20,}",
    r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{24,}",
    // Language models and their kin.
    r"sk-[A-Za-z0-9_-]{20,}",
    r"hf_[A-Za-z0-9]{30,}",
    // Package registries and build farms.
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-[A-Za-z0-9_-]{30,}",
    r"dckr_pat_[A-Za-z0-9_-]{20,}",
    // Mail and telephones: SendGrid, Mailgun, Twilio.
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"key-[0-9a-f]{32,}",
    r"SK[0-9a-f]{32,}",
    // Operations: Vault, DigitalOcean, Databricks, Grafana, Tailscale, New Relic, age.
    r"hv[sbr]\.[A-Za-z0-9_-]{20,}",
    r"do[opr]_v1_[0-9a-f]{32,}",
    r"dapi[0-9a-f]{32,}",
    r"gl(?:sa|c)_[A-Za-z0-9_=+/]{24,}",
    r"tskey-[a-z]+-[A-Za-z0-9-]{10,}",
    r"NRAK-[A-Z0-9]{20,}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{40,}",
];

/// Hidden in part: only the group.
const PARTS: &[&str] = &[
    // Addresses to which anyone may post.
    r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{8,})",
    r"discord(?:app)?\.com/api/webhooks/([A-Za-z0-9/_-]{8,})",
    r"webhook\.office\.com/webhookb2/([A-Za-z0-9/@_-]{8,})",
];

/// Telegram bots, also with the colon encoded. A bot's address has letters right before the number, so this one
/// needs no free left side.
const TELEGRAM: &str = r"([0-9]{8,10}(?::|%3[Aa])(?:AA[A-Za-z0-9_-]{30,}|[A-Za-z0-9_-]{35}\b{end-half}))";
/// Azure client secrets.
const AZURE: &str = r"([A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{30,})";
/// The same two for the gate, from their telling letters on: counting all digits and all beginnings of words
/// would need a state for each, and a search whose states outgrow the processor's cache is slow.
const TELLING: &str = "[0-9](?::|%3[Aa])[A-Za-z0-9_-]{30}|[0-9]Q~";

/// The word of an `Authorization` header and what follows it, without the header's name.
const SCHEME: &str = r"\b{start-half}(?i:bearer|basic)(?:[ \t]+|%20)([A-Za-z0-9._~+/-]{8,}=*)";

/// What is longer than this in place of a credential is one, whatever letters it has.
const LONG: usize = 24;

/// Private keys begin so. Their newlines may be spelled out, so nothing is asked of what follows.
const BEGIN: &str = "-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----";
/// And end so.
const END: &str = "-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----";

static TOKENS: LazyLock<Regex> = LazyLock::new(|| super::compiled(&tokens()));
static SCHEMES: LazyLock<Regex> = LazyLock::new(|| super::compiled(SCHEME));
static BEGINS: LazyLock<Regex> = LazyLock::new(|| super::compiled(BEGIN));
static ENDS: LazyLock<Regex> = LazyLock::new(|| super::compiled(END));

/// Everything of this file, for the gate.
pub(super) fn source() -> String {
    format!("{}|{TELLING}|{SCHEME}|{BEGIN}", lists())
}

/// Everything whose match is a span.
fn tokens() -> String {
    format!("{}|{TELEGRAM}|{AZURE}", lists())
}

/// All shapes and parts as one pattern.
fn lists() -> String {
    format!("{LEFT}({})|{}", SHAPES.join("|"), PARTS.join("|"))
}

/// Adds the spans of everything with known looks.
pub(super) fn find(text: &str, spans: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    for found in TOKENS.captures_iter(bytes) {
        spans.extend(found.iter().skip(1).flatten().map(|group| group.range()));
    }
    for found in SCHEMES.captures_iter(bytes) {
        spans.extend(
            found
                .get(1)
                .map(|group| group.range())
                .filter(|group| is_credential(&bytes[group.clone()])),
        );
    }
    private_keys(bytes, spans);
}

/// Whether what follows `Bearer` or `Basic` is no word of a sentence ("Bearer authentication failed").
fn is_credential(word: &[u8]) -> bool {
    let camel = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
    word.len() >= LONG
        || word.iter().any(|byte| byte.is_ascii_digit() || *byte == b'=')
        || word.windows(2).any(camel)
}

/// Adds the spans of private keys, from their first line to their last or to the end of the text.
fn private_keys(bytes: &[u8], spans: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(begin) = BEGINS.find_at(bytes, at) {
        at = ENDS
            .find_at(bytes, begin.end())
            .map_or(bytes.len(), |end| end.end());
        spans.push(begin.start()..at);
    }
}
