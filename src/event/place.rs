//! What the path of a container's log says about the container.

/// Whether a path is that of a log of Docker's json-file driver: `ID-json.log`, perhaps with a rotator's number.
pub(super) fn is_docker(path: &str) -> bool {
    const ID: usize = 64;
    let name = path.rsplit('/').next().unwrap_or_default();
    let (Some(id), Some(rest)) = (name.get(..ID), name.get(ID..)) else {
        return false;
    };
    let numbered = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit());
    let rest = rest.strip_prefix("-json.log");
    id.bytes().all(|byte| byte.is_ascii_hexdigit())
        && rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('.').is_some_and(numbered))
}
