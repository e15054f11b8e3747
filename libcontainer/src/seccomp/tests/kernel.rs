//! The same programs in the running kernel.
#![allow(unsafe_code, reason = "only a forked child can install a filter without keeping it")]

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::seccomp::{Call, blocked, native_arch};

/// How a child ended.
#[derive(Debug, PartialEq)]
enum End {
    Exited(i32),
    Killed(i32),
}

/// The exit code of a child that could not install its filter.
const NOT_INSTALLED: i32 = 120;

/// Forks, installs `filter` in the child and exits with what `act` returns there. `act` must not
/// allocate: another thread may have held the allocator's lock at the fork.
fn under(filter: &Filter, act: impl Fn() -> i32) -> End {
    // SAFETY: the child only makes system calls and ends without running this process's exit handlers.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        let code = if install(filter) { act() } else { NOT_INSTALLED };
        // SAFETY: ends the child.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(waited, pid);
    if libc::WIFSIGNALED(status) {
        End::Killed(libc::WTERMSIG(status))
    } else {
        End::Exited(libc::WEXITSTATUS(status))
    }
}

fn install(filter: &Filter) -> bool {
    let program = libc::sock_fprog {
        len: filter.instructions.len() as u16,
        filter: filter.instructions.as_ptr().cast_mut().cast(),
    };
    // SAFETY: the program has the kernel's layout and outlives the call, which only reads it.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                filter.flags,
                &raw const program,
            ) == 0
    }
}

/// The errno of the system call `number`, 0 if it succeeds. Only for calls that touch no memory.
fn errno_of(number: i64, first: u64) -> i32 {
    // SAFETY: each caller passes a number that the filter refuses or that takes no pointers.
    let result = unsafe { libc::syscall(number, first, 0, 0, 0, 0, 0) };
    if result == -1 { std::io::Error::last_os_error().raw_os_error().unwrap_or(-1) } else { 0 }
}

/// The filter for this machine, unless the test has to be skipped.
fn native(json: Value) -> Option<Filter> {
    if !Path::new("/proc/sys/kernel/seccomp/actions_avail").exists() {
        eprintln!("skipped: this kernel has no seccomp filters");
        return None;
    }
    let Some(arch) = native_arch() else {
        eprintln!("skipped: no table of system calls for this machine");
        return None;
    };
    Some(compile(&profile(json), arch).unwrap())
}

#[test]
fn refused_calls_fail_with_their_errno_and_others_work() {
    let rules = json!([
        {"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 71},
        {"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 72,
         "args": [{"index": 0, "value": 0x1_0000_0000u64, "op": "SCMP_CMP_GE"}]},
        {"names": ["getsid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 73,
         "args": [{"index": 0, "value": 0xff00, "valueTwo": 0x1200, "op": "SCMP_CMP_MASKED_EQ"}]},
    ]);
    let flags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"];
    let Some(filter) = native(json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": flags, "syscalls": rules}))
    else {
        return;
    };
    for (number, first, expected) in [
        (libc::SYS_getppid, 0, 71),
        (libc::SYS_getpid, 0, 0),
        (libc::SYS_getpgid, 0, 0),
        (libc::SYS_getpgid, 0xffff_ffff, libc::ESRCH),
        (libc::SYS_getpgid, 0x1_0000_0000, 72),
        (libc::SYS_getpgid, u64::MAX, 72),
        (libc::SYS_getsid, 0xabcd_12ef, 73),
        (libc::SYS_getsid, 0, 0),
    ] {
        assert_eq!(under(&filter, || errno_of(number, first)), End::Exited(expected), "{number} {first:#x}");
    }
}

#[test]
fn killing_actions_kill_and_the_simulation_knows() {
    for action in ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"] {
        let rule = json!({"names": ["getppid"], "action": action});
        let Some(filter) = native(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})) else {
            return;
        };
        assert_eq!(under(&filter, || errno_of(libc::SYS_getppid, 0)), End::Killed(libc::SIGSYS), "{action}");
        assert_eq!(under(&filter, || errno_of(libc::SYS_getpid, 0)), End::Exited(0), "{action}");
        let call = Call { name: "getppid", args: [0; 6] };
        assert_eq!(blocked(&filter.instructions, native_arch().unwrap(), &[call]).len(), 1);
    }
}

#[test]
fn dockers_profile_refuses_in_the_kernel_what_it_refuses_in_the_simulation() {
    let Some(filter) = native(serde_json::from_str(docker::PROFILE).unwrap()) else { return };
    let arch = SeccompData::new(native_arch().unwrap(), "read", [0; 6]).unwrap().arch;
    let mut refused = Vec::new();
    for nr in (0..600).chain(0x4000_0000..0x4000_0258) {
        let value = simulate(&filter.instructions, &SeccompData { nr, arch, ..Default::default() });
        // The kernel asks no filter about uretprobe and uprobe, which only it makes programs call.
        let is_exempt = cfg!(target_arch = "x86_64") && (335..=336).contains(&nr);
        if value & 0xffff_0000 == errno(0) && !is_exempt {
            refused.push((i64::from(nr), (value & 0xffff) as i32));
        }
    }
    assert!(refused.len() > 200);
    for part in refused.chunks(100) {
        let wrong = || part.iter().position(|(number, errno)| errno_of(*number, 0) != *errno);
        let end = under(&filter, || wrong().map_or(100, |index| index as i32));
        assert_eq!(end, End::Exited(100), "the index of the wrong one in {part:?}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_of_32_bit_code_follow_the_list_of_architectures() {
    /// `getppid` as 32-bit code calls it.
    fn getppid_of_x86() -> i32 {
        let result: i32;
        // SAFETY: the call takes no arguments and touches no memory.
        unsafe { std::arch::asm!("int 0x80", inlateout("eax") 64 => result, options(nostack)) };
        if result < 0 { -result } else { 0 }
    }
    let deny = |architectures: Value| {
        native(json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": architectures,
            "syscalls": [{"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 74}]}))
    };
    let (Some(listed), Some(not_listed)) = (deny(json!(["SCMP_ARCH_X86"])), deny(json!([]))) else { return };
    let end = under(&listed, getppid_of_x86);
    if end == End::Killed(libc::SIGSEGV) {
        eprintln!("skipped: this kernel runs no 32-bit code");
        return;
    }
    assert_eq!(end, End::Exited(74));
    assert_eq!(under(&not_listed, getppid_of_x86), End::Killed(libc::SIGSYS));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_kernel_takes_every_program(profile in oracle::any_profile()) {
        let Some(arch) = native_arch() else { return Ok(()) };
        let mut filter = compile(&profile, arch).unwrap();
        filter.flags = 0;
        // Such a filter may end the child at its next call, but only one that was refused lets it say so.
        prop_assert_ne!(under(&filter, || 0), End::Exited(NOT_INSTALLED));
    }
}
