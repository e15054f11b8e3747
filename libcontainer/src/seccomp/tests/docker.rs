//! Known answers for Docker's default profile.

use super::*;

pub(super) const PROFILE: &str = include_str!("../../../../fixtures/seccomp/docker-default.json");

fn docker() -> Filter {
    let filter = compile(&serde_json::from_str(PROFILE).unwrap(), X86_64).unwrap();
    program::check(&filter.instructions);
    filter
}

#[test]
fn compiles_without_warnings_to_a_small_program() {
    let filter = docker();
    assert_eq!(filter.warnings, []);
    assert_eq!(filter.flags, 1 << 2);
    assert!(filter.instructions.len() < 600, "{} instructions", filter.instructions.len());
}

#[test]
fn ordinary_calls_are_allowed_on_every_architecture() {
    let filter = docker();
    for arch in [X86_64, X86, X32] {
        for name in ["read", "write", "execve", "openat", "exit_group", "mseal", "chroot", "clone"] {
            assert_eq!(verdict(&filter, arch, name, &[]), ALLOW, "{arch} {name}");
        }
        for name in ["mount", "reboot", "bpf", "unshare", "init_module", "lookup_dcookie", "keyctl"] {
            assert_eq!(verdict(&filter, arch, name, &[]), errno(libc::EPERM), "{arch} {name}");
        }
    }
    assert_eq!(verdict(&filter, X86, "socketcall", &[]), ALLOW);
}

#[test]
fn clone_allows_threads_but_no_namespaces() {
    let filter = docker();
    let clone = |flags: i32| verdict(&filter, X86_64, "clone", &[flags as u64]);
    assert_eq!(clone(libc::CLONE_VM | libc::CLONE_THREAD | libc::SIGCHLD), ALLOW);
    for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWPID, libc::CLONE_NEWCGROUP] {
        assert_eq!(clone(flag | libc::SIGCHLD), errno(libc::EPERM), "{flag:#x}");
    }
    assert_eq!(verdict(&filter, X86_64, "clone3", &[]), errno(libc::ENOSYS));
}

#[test]
fn only_some_personalities_and_socket_families_are_allowed() {
    let filter = docker();
    for arch in [X86_64, X86, X32] {
        for (value, expected) in [
            (0, ALLOW),
            (8, ALLOW),
            (0x2_0008, ALLOW),
            (0xffff_ffff, ALLOW),
            (4, errno(1)),
            (0x40000, errno(1)),
        ] {
            assert_eq!(verdict(&filter, arch, "personality", &[value]), expected, "{arch} {value:#x}");
        }
        for family in 0..64 {
            let refused = [12, 19, 20, 23, 25, 34, 37, libc::AF_ALG, libc::AF_VSOCK].contains(&family);
            let expected = if refused || family > 45 { errno(1) } else { ALLOW };
            assert_eq!(verdict(&filter, arch, "socket", &[family as u64]), expected, "{arch} {family}");
        }
    }
}

#[test]
fn calls_newer_than_the_profile_do_not_exist() {
    let filter = docker();
    // removexattrat is the newest that the profile names.
    assert_eq!(verdict_of_number(&filter, 466), ALLOW);
    for number in [467, 471, 511, 1000, 0x3fff_ffff] {
        assert_eq!(verdict_of_number(&filter, number), errno(libc::ENOSYS), "{number}");
        assert_eq!(verdict_of_number(&filter, 0x4000_0000 + number), errno(libc::ENOSYS), "x32 {number}");
    }
    // A hole below it is not taken for a newer call.
    assert_eq!(verdict_of_number(&filter, 400), errno(libc::EPERM));
}
