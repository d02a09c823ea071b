//! What an error of `SQLite` means to us. Sorted once, here; nobody else looks at its codes.

use rusqlite::ErrorCode;

/// The kinds of failure that are treated differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No room on the disk. The transaction can be rolled back and tried again.
    Full,
    /// Writing is forbidden.
    ReadOnly,
    /// What is in the file makes no sense.
    Damaged,
    /// Another program holds the file. Never one of ours: those stop at the lock.
    Busy,
    /// The disk or the system failed; the connection is in doubt.
    Io,
}

/// Sorts an error. What is unknown counts as a failing system, since that never condemns the file.
pub(super) fn sort(error: &rusqlite::Error) -> Fault {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull => Fault::Full,
            // Someone moved the file away under us; no mount will cure that.
            _ if failure.extended_code == rusqlite::ffi::SQLITE_READONLY_DBMOVED => Fault::Damaged,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Fault::ReadOnly,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Fault::Damaged,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Fault::Busy,
            // A file that was cut.
            _ if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHORT_READ => Fault::Damaged,
            _ if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_CORRUPTFS => Fault::Damaged,
            // Our statements are fixed. One that cannot be prepared was written for other tables.
            _ if failure.extended_code == rusqlite::ffi::SQLITE_ERROR => Fault::Damaged,
            _ => Fault::Io,
        },
        // The statements are ours and fixed: values of another type can only come from the file.
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..)
        | rusqlite::Error::QueryReturnedNoRows
        | rusqlite::Error::SqlInputError { .. } => Fault::Damaged,
        _ => Fault::Io,
    }
}
