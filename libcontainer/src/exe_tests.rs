use super::*;

fn file(name: &str) -> OwnedFd {
    openat(CWD, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

#[test]
fn an_ordinary_file_is_writable_and_a_sealed_copy_is_not() {
    assert!(!is_unwritable(&file("/proc/self/exe")));
    let copy = sealed_copy().unwrap();
    assert!(is_unwritable(&copy));
    assert!(!is_read_only_mount(&copy));
    let write = reopen(&copy, OFlags::RDWR).and_then(|fd| io::write(fd, b"x"));
    assert_eq!(write, Err(Errno::PERM));
}

#[test]
fn a_memfd_with_one_seal_missing_is_writable() {
    let memfd = memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    fcntl_add_seals(&memfd, SEALS.difference(SealFlags::WRITE)).unwrap();
    assert!(!is_unwritable(&memfd));
}

#[test]
fn a_file_within_a_read_only_mount_does_not_count_but_a_read_only_mount_of_the_file_does() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("program"), b"").unwrap();
    let mount = match read_only_mount(&file(folder.path().join("program").to_str().unwrap())) {
        Ok(mount) => mount,
        Err(errno) => return println!("skipped: open_tree: {errno} (needs CAP_SYS_ADMIN)"),
    };
    assert!(is_unwritable(&mount));
    assert_eq!(reopen(&mount, OFlags::WRONLY).unwrap_err(), Errno::ROFS);

    let folder = read_only_mount(&file(folder.path().to_str().unwrap())).unwrap();
    let within = openat(&folder, "program", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    assert!(fstatvfs(&within).unwrap().f_flag.contains(StatVfsMountFlags::RDONLY));
    assert!(!is_unwritable(&within));
}

#[test]
fn the_arguments_of_the_kernel_are_those_that_the_program_was_given() {
    let given: Vec<CString> = std::env::args_os().filter_map(c_string).collect();
    assert_eq!(arguments().unwrap(), given);
}

#[test]
fn the_test_binary_is_not_sealed_and_the_error_says_what_to_do() {
    assert!(!is_sealed());
    let error = require_sealed().unwrap_err().to_string();
    assert!(error.contains("libcontainer::exe::seal()"), "{error}");
    assert!(error.contains("allow_unsealed_executable"), "{error}");
}
