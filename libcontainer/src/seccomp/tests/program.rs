//! The kernel's own rules for programs, and the shape of ours.

use serde_json::json;

use super::*;
use crate::seccomp::{Instruction, SeccompReason};

/// What `bpf_check_classic` and `seccomp_check_filter` require.
pub(super) fn check(program: &[Instruction]) {
    assert!((1..=4096).contains(&program.len()), "{} instructions", program.len());
    for (place, Instruction { code, jt, jf, k }) in program.iter().enumerate() {
        let behind = program.len() - place - 1;
        match code {
            0x20 => assert!(k % 4 == 0 && *k < 64, "load from {k} at {place}"),
            0x05 => assert!((*k as usize) < behind, "jump out of the program at {place}"),
            0x15 | 0x25 | 0x35 | 0x45 => {
                assert!(usize::from(*jt.max(jf)) < behind, "jump out of the program at {place}");
            }
            0x54 | 0x06 => {}
            _ => panic!("unknown instruction {code:#x} at {place}"),
        }
    }
    assert_eq!(program.last().map(|last| last.code), Some(0x06), "the last instruction must return");
}

#[test]
fn the_layout_is_that_of_sock_filter() {
    assert_eq!(size_of::<Instruction>(), size_of::<libc::sock_filter>());
    assert_eq!(align_of::<Instruction>(), align_of::<libc::sock_filter>());
    assert_eq!(std::mem::offset_of!(Instruction, k), std::mem::offset_of!(libc::sock_filter, k));
    assert_eq!(size_of::<SeccompData>(), 64);
}

/// Conditional rules for `getpid` that return 2, 3, …, one for each value of the first argument.
fn long_profile(rules: u32) -> LinuxSeccomp {
    let rules = (0..rules).map(|value| {
        json!({"names": ["getpid"], "action": "SCMP_ACT_ERRNO", "errnoRet": value % 4000 + 2,
               "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": value}]})
    });
    profile(json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"],
                   "syscalls": rules.collect::<Vec<_>>()}))
}

#[test]
fn jumps_reach_over_hundreds_of_instructions() {
    let filter = compile(&long_profile(300), X86_64).unwrap();
    check(&filter.instructions);
    assert!(filter.instructions.len() > 1000);
    for value in [0u32, 1, 150, 299, 300] {
        let expected = if value < 300 { errno(value as i32 + 2) } else { ALLOW };
        for arch in [X86_64, X86] {
            assert_eq!(verdict(&filter, arch, "getpid", &[value.into()]), expected, "{arch} {value}");
        }
        assert_eq!(verdict(&filter, X86, "getppid", &[]), ALLOW);
    }
}

#[test]
fn jumps_are_right_where_they_just_reach_and_just_do_not() {
    for rules in 40..140 {
        let filter = compile(&long_profile(rules), X86_64).unwrap();
        check(&filter.instructions);
        for arch in [X86_64, X86] {
            for value in [0, 1, rules / 2, rules - 2, rules - 1] {
                assert_eq!(
                    verdict(&filter, arch, "getpid", &[value.into()]),
                    errno(value as i32 + 2),
                    "{rules}"
                );
            }
            assert_eq!(verdict(&filter, arch, "getpid", &[rules.into()]), ALLOW, "{rules}");
        }
    }
}

#[test]
fn a_program_too_long_for_the_kernel_is_an_error() {
    let error = compile(&long_profile(2000), X86_64).unwrap_err();
    assert!(matches!(error.reason, SeccompReason::TooLong(length) if length > 4096));
    assert_eq!(error.pointer, "/linux/seccomp");
}

#[test]
fn a_broken_program_kills() {
    let jump_out = Instruction { code: 0x05, jt: 0, jf: 0, k: 9 };
    let store = Instruction { code: 0x02, jt: 0, jf: 0, k: 0 };
    for program in [&[][..], &[jump_out], &[store]] {
        assert_eq!(simulate(program, &SeccompData::default()), KILL_PROCESS);
    }
}
