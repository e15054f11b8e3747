//! Any bytes as a seccomp profile: compiled for each kind of machine, and judged by the kernel's rules for programs.

#![no_main]

use libcontainer::seccomp::{Instruction, SeccompData, compile, trace};
use libfuzzer_sys::fuzz_target;
use oci_spec::runtime::{Arch, LinuxSeccomp};

const MACHINES: [Arch; 3] = [Arch::ScmpArchX86_64, Arch::ScmpArchAarch64, Arch::ScmpArchRiscv64];

/// What `bpf_check_classic` and `seccomp_check_filter` of the kernel require.
fn check(program: &[Instruction]) {
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

fuzz_target!(|bytes: &[u8]| {
    let Ok(profile) = serde_json::from_slice::<LinuxSeccomp>(bytes) else { return };
    for machine in MACHINES {
        match compile(&profile, machine) {
            Ok(filter) => {
                check(&filter.instructions);
                let lines = filter.warnings.iter().map(|warning| &warning.message);
                lines.for_each(|line| assert!(!line.contains(char::is_control), "not one line: {line:?}"));
                for (nr, arch) in [(0, 0xc000_003e), (102, 0x4000_0003), (i32::MAX, 0xc000_00b7), (-1, 0)] {
                    let data = SeccompData { nr, arch, args: [u64::MAX, 0, 1, 2, 3, 4], ..SeccompData::default() };
                    assert!(trace(&filter.instructions, &data).is_some());
                }
            }
            Err(error) => assert!(!error.to_string().contains(char::is_control), "not one line: {error:?}"),
        }
    }
});
