//! Random profiles, compiled and simulated, against a plain reading of what they mean.

use oci_spec::runtime::{
    LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompOperator as Operator, LinuxSyscall,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;

use super::*;
use crate::seccomp::syscall_number;

const NATIVE: [Arch; 3] = [X86_64, Arch::ScmpArchAarch64, Arch::ScmpArchRiscv64];
const ARCHES: [Arch; 7] = [X86_64, X86, X32, NATIVE[1], Arch::ScmpArchArm, NATIVE[2], Arch::ScmpArchS390x];

/// Neighbours, first and last numbers, calls of one architecture only, multiplexed ones and no calls.
const NAMES: [&str; 26] = [
    "read",
    "write",
    "open",
    "close",
    "stat",
    "fstat",
    "lstat",
    "execve",
    "socket",
    "connect",
    "accept",
    "recv",
    "semget",
    "shmat",
    "ipc",
    "socketcall",
    "personality",
    "clone",
    "clone3",
    "statx",
    "set_tls",
    "pwritev2",
    "io_setup",
    "rseq_slice_yield",
    "listns",
    "frobnicate",
];

const VALUES: [u64; 12] = [
    0,
    1,
    2,
    5,
    10,
    0x7e02_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0001,
    0xff_0000_0005,
    u64::MAX - 1,
    u64::MAX,
];

const ACTIONS: [(Action, u32); 9] = [
    (Action::ScmpActKill, 0),
    (Action::ScmpActKillThread, 0),
    (Action::ScmpActKillProcess, 0x8000_0000),
    (Action::ScmpActTrap, 0x3_0000),
    (Action::ScmpActErrno, 0x5_0000),
    (Action::ScmpActNotify, 0x7fc0_0000),
    (Action::ScmpActTrace, 0x7ff0_0000),
    (Action::ScmpActLog, 0x7ffc_0000),
    (Action::ScmpActAllow, 0x7fff_0000),
];

/// From the strictest to the most lenient, as the kernel orders them.
const BY_STRICTNESS: [u32; 8] =
    [0x8000_0000, 0, 0x3_0000, 0x5_0000, 0x7fc0_0000, 0x7ff0_0000, 0x7ffc_0000, 0x7fff_0000];

fn value(action: Action, errno: Option<u32>) -> u32 {
    let (_, value) = *ACTIONS.iter().find(|(known, _)| *known == action).unwrap();
    match action {
        Action::ScmpActErrno | Action::ScmpActTrace => value + errno.unwrap_or(1),
        _ => value,
    }
}

fn holds(arg: &LinuxSeccompArg, args: &[u64; 6], bits: u32) -> bool {
    let cut = |value: u64| value & (u64::MAX >> (64 - bits));
    let (actual, value) = (cut(args[arg.index()]), cut(arg.value()));
    match arg.op() {
        Operator::ScmpCmpNe => actual != value,
        Operator::ScmpCmpLt => actual < value,
        Operator::ScmpCmpLe => actual <= value,
        Operator::ScmpCmpEq => actual == value,
        Operator::ScmpCmpGe => actual >= value,
        Operator::ScmpCmpGt => actual > value,
        Operator::ScmpCmpMaskedEq => actual & value == arg.value_two().unwrap_or(0) & value,
    }
}

fn matches(args: &[LinuxSeccompArg], data: &SeccompData, bits: u32) -> bool {
    let repeated =
        args.iter().any(|arg| args.iter().filter(|other| other.index() == arg.index()).count() > 1);
    let mut results = args.iter().map(|arg| holds(arg, &data.args, bits));
    if repeated { results.any(|result| result) } else { results.all(|result| result) }
}

/// Whether `data` is the call `name` made through `socketcall` or `ipc`.
fn is_multiplexed(name: &str, nr: i32, data: &SeccompData) -> bool {
    let call = match name {
        "socket" => (102, 1),
        "connect" => (102, 3),
        "accept" => (102, 5),
        "recv" => (102, 10),
        "semget" => (117, 2),
        "shmat" => (117, 21),
        _ => return false,
    };
    let first = data.args[0] as u32;
    call == (nr, if nr == 117 { first & 0xffff } else { first })
}

/// The architecture that makes the call, if the profile covers it.
fn caller(profile: &LinuxSeccomp, native: Arch, data: &SeccompData) -> Option<Arch> {
    let is_x32 = data.nr as u32 >= 0x4000_0000 && data.nr != -1;
    let arch = match data.arch {
        0xc000_003e if is_x32 => X32,
        0xc000_003e => X86_64,
        0x4000_0003 => X86,
        0xc000_00b7 => Arch::ScmpArchAarch64,
        0x4000_0028 => Arch::ScmpArchArm,
        0xc000_00f3 => Arch::ScmpArchRiscv64,
        _ => return None,
    };
    let guests: &[Arch] = match native {
        Arch::ScmpArchX86_64 => &[X86, X32],
        Arch::ScmpArchAarch64 => &[Arch::ScmpArchArm],
        _ => &[],
    };
    let listed =
        guests.contains(&arch) && profile.architectures().iter().flatten().any(|listed| *listed == arch);
    (arch == native || listed).then_some(arch)
}

fn expected(profile: &LinuxSeccomp, native: Arch, data: &SeccompData) -> u32 {
    let Some(arch) = caller(profile, native, data) else { return KILL_PROCESS };
    // Skipping a call by a tracer is judged as x86_64, or as x32 where that is there to be judged.
    let x32 = native == X86_64 && profile.architectures().iter().flatten().any(|listed| *listed == X32);
    let arch = if arch == X86_64 && data.nr == -1 && x32 { X32 } else { arch };
    let bits = if [X86, X32, Arch::ScmpArchArm].contains(&arch) { 32 } else { 64 };
    let default = value(profile.default_action(), profile.default_errno_ret());
    let rank = |value: u32| BY_STRICTNESS.iter().position(|action| *action == value & 0xffff_0000).unwrap();
    let (mut certain, mut conditional, mut newest) = (None, None, None);
    for rule in profile.syscalls().iter().flatten() {
        let result = value(rule.action(), rule.errno_ret());
        let args = rule.args().as_deref().unwrap_or_default();
        for name in rule.names() {
            let number = syscall_number(arch, name);
            let apart = match arch {
                X32 => number >= Some(0x4000_0200),
                Arch::ScmpArchArm => number >= Some(0xf_0000),
                _ => false,
            };
            newest = newest.max(number.filter(|_| !apart));
            if result == default {
                continue;
            }
            if number == Some(data.nr) && args.is_empty() {
                certain = certain.or(Some(result));
            } else if number == Some(data.nr) && matches(args, data, bits) {
                conditional = conditional.or(Some(result));
            }
            let covers = args.is_empty() || rank(result) < rank(default);
            if arch == X86 && covers && is_multiplexed(name, data.nr, data) {
                conditional = conditional.or(Some(result));
            }
        }
    }
    let named = |nr| {
        let rules = profile.syscalls().iter().flatten();
        let rules = rules.filter(|rule| value(rule.action(), rule.errno_ret()) != default);
        rules.flat_map(|rule| rule.names()).any(|name| syscall_number(arch, name) == Some(nr))
    };
    let permissive = rank(default) >= rank(0x7ff0_0000);
    let is_new = newest.is_some_and(|newest| data.nr as u32 > newest as u32) && !named(data.nr);
    let otherwise = if is_new && !permissive { errno(libc::ENOSYS) } else { default };
    certain.or(conditional).unwrap_or(otherwise)
}

fn action() -> impl Strategy<Value = (Action, Option<u32>)> {
    (select(&ACTIONS[..]), prop::option::of(select(vec![0u32, 1, 13, 38, 4095]))).prop_map(
        |((action, _), errno)| {
            let takes_errno = matches!(action, Action::ScmpActErrno | Action::ScmpActTrace);
            (action, errno.filter(|_| takes_errno))
        },
    )
}

fn rule() -> impl Strategy<Value = LinuxSyscall> {
    let operator = select(vec!["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"]);
    let arg = (0usize..6, select(&VALUES[..]), prop::option::of(select(&VALUES[..])), operator);
    let arg = arg.prop_map(|(index, value, two, operator)| {
        json!({"index": index, "value": value, "valueTwo": two, "op": format!("SCMP_CMP_{operator}")})
    });
    let names = subsequence(&NAMES[..], 1..8);
    (names, action(), prop::collection::vec(arg, 0..4)).prop_map(|(names, (action, errno), args)| {
        serde_json::from_value(json!({"names": names, "action": action, "errnoRet": errno, "args": args}))
            .unwrap()
    })
}

pub(super) fn any_profile() -> impl Strategy<Value = LinuxSeccomp> {
    let arches = subsequence(&ARCHES[..], 0..=ARCHES.len());
    let default = action().prop_filter("not by default", |(action, _)| *action != Action::ScmpActNotify);
    (default, arches, prop::collection::vec(rule(), 0..12)).prop_map(|((action, errno), arches, rules)| {
        profile(json!({"defaultAction": action, "defaultErrnoRet": errno, "architectures": arches,
                       "syscalls": rules, "listenerPath": "/run/agent.sock"}))
    })
}

/// A call that is likely to be near something that the profile is about.
fn data() -> impl Strategy<Value = SeccompData> {
    let audit = vec![0xc000_003eu32, 0xc000_003e, 0x4000_0003, 0xc000_00b7, 0x4000_0028, 0xc000_00f3, 7];
    let nr = (select(&NAMES[..]), select(&ARCHES[..6]), -1i32..=1)
        .prop_map(|(name, arch, offset)| syscall_number(arch, name).map_or(offset, |number| number + offset));
    let nr = prop_oneof![8 => nr, 1 => any::<i32>()];
    let args = || prop::array::uniform6(prop_oneof![select(&VALUES[..]), any::<u64>()]);
    let any = (select(audit), nr, args());
    let any = any.prop_map(|(arch, nr, args)| SeccompData { nr, arch, args, instruction_pointer: 0 });
    let first = select(vec![1, 2, 3, 5, 10, 21, 0x1_0002, 0x1_0015]);
    let multiplexed = (select(vec![102, 117]), first, args()).prop_map(|(nr, first, mut args)| {
        args[0] = first;
        SeccompData { nr, arch: 0x4000_0003, args, instruction_pointer: 0 }
    });
    prop_oneof![4 => any, 1 => multiplexed]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_compiled_profile_means_what_it_says(
        profile in any_profile(),
        native in select(&NATIVE[..]),
        calls in prop::collection::vec(data(), 40),
    ) {
        let filter = compile(&profile, native).unwrap();
        program::check(&filter.instructions);
        for data in calls {
            prop_assert_eq!(
                simulate(&filter.instructions, &data), expected(&profile, native, &data), "{:x?}", data
            );
        }
    }
}
