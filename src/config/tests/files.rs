//! Files that cannot be read, or are no text.

use super::{Environment, plain};
use crate::config::{MAX_FILE, load};

/// The problems of a file with these bytes, its folder cut away.
fn told(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    std::fs::write(&path, bytes).unwrap();
    let text = load(&path, &Environment::default()).unwrap_err().to_string();
    text.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn a_good_file_is_loaded_and_remembers_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    std::fs::write(&path, format!("\u{feff}{}", plain().replace('\n', "\r\n"))).unwrap();
    assert_eq!(load(&path, &Environment::default()).unwrap().path, path);
}

#[test]
fn a_missing_file_or_a_folder_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load(&folder.path().join("none"), &Environment::default())
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("none: cannot be read: No such file") && missing.contains("mounted"),
        "{missing}"
    );
    let directory = load(folder.path(), &Environment::default())
        .unwrap_err()
        .to_string();
    assert!(directory.contains("this is a directory"), "{directory}");
}

#[test]
fn a_huge_file_is_not_read() {
    let text = told(&vec![b'#'; MAX_FILE + 1]);
    insta::assert_snapshot!(text, @r"
    rules.toml: is larger than 1024 KiB
      = help: this is hardly a rules.toml; check the path

    1 problem
    ");
    let mut largest = plain().into_bytes();
    largest.resize(MAX_FILE, b'#');
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("r"), largest).unwrap();
    assert!(load(&folder.path().join("r"), &Environment::default()).is_ok());
}

#[test]
fn text_in_another_encoding_is_told_with_its_place() {
    insta::assert_snapshot!(told(b"host = \"web\"\n# Stra\xdfe\n"), @r"
    rules.toml:2:7: this is not UTF-8
      |
    2 | # Stra�e
      |       ^
      = help: save the file as UTF-8

    1 problem
    ");
}

#[test]
fn a_binary_file_is_told_from_text() {
    insta::assert_snapshot!(told(b"\x7fELF\x02\x01\x01\0\0\0\xff\xfe\x80"), @r"
    rules.toml:1:11: this is not UTF-8
      |
    1 | �ELF���������
      |           ^
      = help: this looks like a binary file or UTF-16; rules.toml is UTF-8 text

    1 problem
    ");
}
