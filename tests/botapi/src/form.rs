//! Forms of several parts (RFC 7578), as clients send files.
//!
//! A form knows only texts, so those that stand for numbers, truth or JSON are made what they are in a JSON body, as the
//! real server does; what comes after that need not know how a request came. The trap: the line between parts belongs
//! to the part before it with its line end, and a file may hold anything else, its beginnings included.

use hyper::body::Bytes;
use serde_json::{Map, Value, json};

use crate::wire::Refusal;

/// Fields that hold JSON.
const JSON: [&str; 5] = [
    "caption_entities",
    "entities",
    "link_preview_options",
    "reply_markup",
    "reply_parameters",
];
/// Fields that are true or false.
const TRUTH: [&str; 2] = ["disable_notification", "protect_content"];

/// The boundary that a content type names.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let rest = content_type.strip_prefix("multipart/form-data")?;
    let named = rest
        .split(';')
        .find_map(|part| part.trim().strip_prefix("boundary="));
    Some(named.unwrap_or_default().trim_matches('"'))
}

/// The parameters of a form. A file becomes an object with its name and content.
pub(crate) fn parameters(boundary: &str, body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    if boundary.is_empty() {
        return Err(Refusal::bad("boundary not found"));
    }
    let mut params = Map::new();
    for part in parts(boundary, body).ok_or_else(broken)? {
        let (name, value) = field(part)?;
        if params.insert(name.to_owned(), value).is_some() {
            return Err(Refusal::bad(&format!("field \"{name}\" is there twice")));
        }
    }
    Ok(params)
}

fn broken() -> Refusal {
    Refusal::bad("can't parse multipart form data")
}

/// What stands between the boundaries; none if the form does not begin or end as it must.
fn parts<'b>(boundary: &str, body: &'b [u8]) -> Option<Vec<&'b [u8]>> {
    let first = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(first.as_bytes())?;
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let end = find(rest, between.as_bytes())?;
        parts.push(&rest[..end]);
        rest = &rest[end + between.len()..];
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The name and value of one part.
fn field(part: &[u8]) -> Result<(&str, Value), Refusal> {
    let end = find(part, b"\r\n\r\n").ok_or_else(broken)?;
    let head = std::str::from_utf8(&part[..end]).map_err(|_| broken())?;
    let content = &part[end + 4..];
    let name = attribute(head, "name").ok_or_else(broken)?;
    if let Some(file) = attribute(head, "filename") {
        let text = String::from_utf8_lossy(content);
        let utf8 = matches!(text, std::borrow::Cow::Borrowed(_));
        return Ok((
            name,
            json!({ "file_name": file, "bytes": content.len(), "content": text, "utf8": utf8 }),
        ));
    }
    let text = std::str::from_utf8(content).map_err(|_| Refusal::bad("strings must be encoded in UTF-8"))?;
    let value = match name {
        name if JSON.contains(&name) => serde_json::from_str(text)
            .map_err(|_| Refusal::bad(&format!("can't parse {name} JSON object")))?,
        name if TRUTH.contains(&name) => {
            json!(matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "1"))
        }
        _ => json!(text),
    };
    Ok((name, value))
}

/// A value in quotes of the line that says what a part is.
fn attribute<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.split("\r\n");
    let line = lines.find(|line| {
        line.to_ascii_lowercase()
            .starts_with("content-disposition: form-data")
    })?;
    let start = format!("{name}=\"");
    let mut attributes = line.split(';').map(str::trim);
    attributes.find_map(|attribute| attribute.strip_prefix(start.as_str())?.strip_suffix('"'))
}
