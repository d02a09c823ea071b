//! `tailgram schema`.

use super::Failure;

pub(super) fn run() -> Result<(), Failure> {
    super::print(crate::config::schema().as_bytes())
}
