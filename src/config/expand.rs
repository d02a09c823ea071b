//! `${VAR}` and `${VAR:-default}` in string values.
//!
//! A `$` that is not followed by `{` stays, since patterns are full of them; `$${` writes `${`. The value of
//! a variable is taken as it is: nothing in it is expanded again.

use std::ops::Range;

use super::Environment;

/// What is wrong with a `${…}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ExpandError {
    /// Where, in bytes of the unexpanded text.
    pub(super) at: Range<usize>,
    pub(super) what: String,
    pub(super) help: String,
}

/// The text with its variables filled in.
pub(super) fn expand(text: &str, env: &Environment) -> Result<String, ExpandError> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let dollar = at + found;
        if text[at..dollar].ends_with('$') {
            // `$${`: the first dollar is the escape.
            out.push_str(&text[at..dollar]);
            out.push('{');
            at = dollar + 2;
            continue;
        }
        out.push_str(&text[at..dollar]);
        let end = text[dollar..]
            .find('}')
            .map(|length| dollar + length)
            .ok_or_else(|| unclosed(dollar, text.len()))?;
        out.push_str(
            &value(&text[dollar + 2..end], env).map_err(|(what, help)| ExpandError {
                at: dollar..end + 1,
                what,
                help,
            })?,
        );
        at = end + 1;
    }
    out.push_str(&text[at..]);
    Ok(out)
}

fn value(inside: &str, env: &Environment) -> Result<String, (String, String)> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_name(name) {
        let help = "write ${VAR} or ${VAR:-default}; to mean the characters themselves, write $${";
        return Err((format!("`{name}` is not the name of a variable"), help.into()));
    }
    match (env.get(name), default) {
        (Some(value), None) => Ok(value.to_owned()),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value.to_owned()),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err((
            format!("the environment variable {name} is not set"),
            unset(name, env),
        )),
    }
}

fn unset(name: &str, env: &Environment) -> String {
    let like = super::keys::nearest(name, env.names())
        .map_or(String::new(), |like| format!("; did you mean {like}?"));
    format!("set {name}, or give a default: ${{{name}:-default}}{like}")
}

fn unclosed(dollar: usize, end: usize) -> ExpandError {
    ExpandError {
        at: dollar..end,
        what: "`${` has no `}`".into(),
        help: "write ${VAR} or ${VAR:-default}; to mean the characters themselves, write $${".into(),
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn env() -> Environment {
        Environment::from([("A", "${B}"), ("EMPTY", ""), ("HOME", "/root")])
    }

    #[test]
    fn variables_and_defaults_are_filled_in_once() {
        let cases = [
            ("${A}", "${B}"),
            ("x${A}y${HOME}", "x${B}y/root"),
            ("${EMPTY}", ""),
            ("${EMPTY:-d}", "d"),
            ("${NONE:-}", ""),
            ("${NONE:-a:-b}", "a:-b"),
        ];
        for (text, expected) in cases {
            assert_eq!(expand(text, &env()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_dollar_that_no_brace_follows_stays() {
        for text in [r"^\d+$", "a$|b$", "$", "$$", "$HOME", "a{2}$", ""] {
            assert_eq!(expand(text, &env()).unwrap(), text);
        }
    }

    #[test]
    fn two_dollars_write_one_before_a_brace() {
        assert_eq!(expand("$${A} ${A}", &env()).unwrap(), "${A} ${B}");
        assert_eq!(expand("cost $$${", &env()).unwrap(), "cost $${");
    }

    #[test]
    fn an_unset_variable_is_named_with_its_place() {
        let error = expand("ab ${HOMES} c", &env()).unwrap_err();
        assert_eq!(
            (error.at, error.what.as_str()),
            (3..11, "the environment variable HOMES is not set")
        );
        assert!(error.help.ends_with("did you mean HOME?"), "{}", error.help);
    }

    #[test]
    fn a_brace_that_is_not_closed_or_holds_no_name_is_told() {
        assert_eq!(expand("a${B", &env()).unwrap_err().at, 1..4);
        for text in ["${}", "${1A}", "${A B}", "${A-b}"] {
            assert!(expand(text, &env()).is_err(), "{text}");
        }
    }
}
