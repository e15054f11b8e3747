use std::fs;

use rustix::fs::{CWD, Mode};

use crate::spec::{Config, parse, read};
use crate::{ErrorKind, Result};

const WHOLE_DOCUMENT: &str = "";

fn load(bundle: &std::path::Path) -> Result<Config> {
    parse(&read(bundle)?, bundle)
}

#[track_caller]
fn refused(bundle: &std::path::Path) -> String {
    let error = load(bundle).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidSpec { pointer: WHOLE_DOCUMENT.into() }, "{error}");
    assert!(error.to_string().starts_with(&bundle.join("config.json").display().to_string()), "{error}");
    error.to_string()
}

#[test]
fn the_file_of_a_bundle_is_read() {
    let bundle = tempfile::tempdir().unwrap();
    fs::write(bundle.path().join("config.json"), super::RUNC_SPEC).unwrap();
    assert_eq!(load(bundle.path()).unwrap().root.path, bundle.path().join("rootfs"));
}

#[test]
fn a_missing_file_is_named() {
    let bundle = tempfile::tempdir().unwrap();
    assert!(refused(bundle.path()).contains("no such file"));
    assert!(refused(&bundle.path().join("absent")).contains("no such file"));
}

#[test]
fn a_folder_or_a_fifo_is_not_a_configuration() {
    let bundle = tempfile::tempdir().unwrap();
    let file = bundle.path().join("config.json");
    fs::create_dir(&file).unwrap();
    assert!(refused(bundle.path()).contains("not a regular file"));
    fs::remove_dir(&file).unwrap();
    rustix::fs::mknodat(CWD, &file, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
    assert!(refused(bundle.path()).contains("not a regular file"));
}

#[test]
fn a_file_without_end_is_refused() {
    let bundle = tempfile::tempdir().unwrap();
    let file = fs::File::create(bundle.path().join("config.json")).unwrap();
    file.set_len(super::super::MAX_BYTES + 1).unwrap();
    assert!(refused(bundle.path()).contains("larger than 16 MiB"));
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_of_the_system() {
    let bundle = tempfile::tempdir().unwrap();
    let file = bundle.path().join("config.json");
    std::os::unix::fs::symlink("config.json", &file).unwrap();
    let error = load(bundle.path()).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Os);
    assert!(error.to_string().contains("ELOOP"), "{error}");
}
