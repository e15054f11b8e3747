//! Our compiler against libseccomp: the same answers for the profiles of container managers and for random ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::collections::BTreeSet;
use std::path::Path;

use integration::libseccomp::{Layout, Library};
use integration::skip;
use libcontainer::seccomp::{Instruction, SeccompData, compile, simulate, syscall_number};
use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSyscall};
use serde_json::{Value, json};

const X86_64: u32 = 0xc000_003e;
const X86: u32 = 0x4000_0003;
const X32_BIT: u32 = 0x4000_0000;
const ENOSYS: u32 = 0x0005_0000 | libc::ENOSYS as u32;

/// A repeatable source of numbers (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// A profile as both compilers know it: libseccomp cannot resolve calls that are newer than itself.
fn known_to_both(library: &Library, mut profile: Value) -> Value {
    for rule in profile["syscalls"].as_array_mut().unwrap() {
        let on = |arch, name: &str| syscall_number(arch, name).is_none() || library.has(arch, name);
        rule["names"].as_array_mut().unwrap().retain(|name| {
            let name = name.as_str().unwrap();
            library.knows(name)
                && [Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32]
                    .iter()
                    .all(|arch| on(*arch, name))
        });
    }
    let rules = profile["syscalls"].as_array_mut().unwrap();
    rules.retain(|rule| !rule["names"].as_array().unwrap().is_empty());
    profile
}

fn parse(profile: &Value) -> LinuxSeccomp {
    serde_json::from_value(profile.clone()).unwrap()
}

/// What runc puts before libseccomp's program: a call newer than all that the profile names does not exist, unless the
/// default lets it happen. runc's own x86 guests follow the same rule.
struct Newest {
    applies: bool,
    x86_64: u32,
    x86: u32,
    x32: u32,
    /// Calls of x32 that are numbered apart from the others, and that a rule is about.
    apart: BTreeSet<u32>,
}

impl Newest {
    fn of(profile: &LinuxSeccomp) -> Self {
        let names = || profile.syscalls().iter().flatten().flat_map(|rule| rule.names());
        let newest = |arch: Arch, limit: i32| {
            let numbers =
                names().filter_map(|name| syscall_number(arch, name)).filter(|number| *number < limit);
            numbers.max().map_or(u32::MAX, |newest| newest as u32)
        };
        let default = profile.default_action().to_string();
        let is_default = |rule: &LinuxSyscall| {
            (rule.action(), rule.errno_ret().unwrap_or(1))
                == (profile.default_action(), profile.default_errno_ret().unwrap_or(1))
        };
        let effective = profile.syscalls().iter().flatten().filter(|rule| !is_default(rule));
        let numbers = effective
            .flat_map(|rule| rule.names())
            .filter_map(|name| syscall_number(Arch::ScmpArchX32, name));
        let apart = numbers.map(|number| number as u32).filter(|number| *number >= X32_BIT + 512).collect();
        Self {
            applies: !["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"].contains(&&*default),
            x86_64: newest(Arch::ScmpArchX86_64, i32::MAX),
            x86: newest(Arch::ScmpArchX86, i32::MAX),
            // Those from 512 on are numbered apart.
            x32: newest(Arch::ScmpArchX32, (X32_BIT + 512) as i32),
            apart,
        }
    }

    /// Whether the stub answers, and libseccomp's program is not asked.
    fn is_exceeded(&self, data: &SeccompData, [has_x86, has_x32]: [bool; 2]) -> bool {
        let number = data.nr as u32;
        // Without x32, -1 (a call that a tracer skips) is an x86_64 number, and all others of x32 are refused.
        let is_x32 = data.arch == X86_64 && number >= X32_BIT && (has_x32 || number != u32::MAX);
        self.applies
            && match data.arch {
                X86_64 if is_x32 => has_x32 && number > self.x32 && !self.apart.contains(&number),
                X86_64 => number > self.x86_64,
                X86 => has_x86 && number > self.x86,
                _ => false,
            }
    }
}

/// Values at which an answer may change, for each condition of the profile.
fn interesting(profile: &LinuxSeccomp) -> Vec<u64> {
    let mut values = BTreeSet::from([0, 1, 0xffff_ffff, 0x1_0000_0000, u64::MAX]);
    for arg in profile.syscalls().iter().flatten().flat_map(|rule| rule.args().iter().flatten()) {
        for value in [arg.value(), arg.value_two().unwrap_or_default()] {
            values.extend([value, value.wrapping_add(1), value.wrapping_sub(1)]);
            values.extend([value ^ 0x1_0000_0000, value & 0xffff_ffff, value | 0x8000_0000_0000_0000]);
        }
    }
    values.into_iter().collect()
}

fn compare(name: &str, library: &Library, profile: &Value, samples: usize, random: &mut Random) {
    let parsed = parse(profile);
    let ours = compile(&parsed, Arch::ScmpArchX86_64).unwrap().instructions;
    let values = interesting(&parsed);
    let newest = Newest::of(&parsed);
    let listed = |arch: Arch| parsed.architectures().iter().flatten().any(|listed| *listed == arch);
    let guests = [Arch::ScmpArchX86, Arch::ScmpArchX32].map(listed);
    for layout in [Layout::List, Layout::Tree] {
        let filter = library.filter(&parsed, layout);
        assert_eq!(filter.refused, Vec::<usize>::new(), "{name}: {profile}");
        let theirs = filter.program();
        let check = |data: &SeccompData| {
            let expected = if newest.is_exceeded(data, guests) { ENOSYS } else { simulate(&theirs, data) };
            let found = simulate(&ours, data);
            assert_eq!(
                found, expected,
                "{name}, {layout:?}: {data:x?}: {found:#x}, not {expected:#x}\n{profile}"
            );
        };
        for number in 0..600u32 {
            for (arch, number) in
                [(X86_64, number), (X86, number), (X86_64, X32_BIT + number), (0xc000_00b7, number)]
            {
                check(&call(arch, number, random, &values));
            }
        }
        for _ in 0..samples {
            let arch = random.pick(&[X86_64, X86_64, X86, 0xc000_00b7, 0]);
            let number = match random.below(8) {
                0 => random.next() as u32,
                1 => u32::MAX,
                2 => X32_BIT + random.below(600) as u32,
                _ => random.below(480) as u32,
            };
            check(&call(arch, number, random, &values));
        }
    }
}

fn call(arch: u32, number: u32, random: &mut Random, values: &[u64]) -> SeccompData {
    let mut args = [0; 6];
    for arg in &mut args {
        *arg = if random.one_in(8) { random.next() } else { random.pick(values) };
    }
    SeccompData { nr: number as i32, arch, args, ..SeccompData::default() }
}

fn library() -> Option<Library> {
    let library = Library::open();
    if library.is_none() {
        integration::harness::print_skipped("libseccomp.so.2 is not installed");
    }
    library
}

#[test]
#[cfg(target_arch = "x86_64")]
fn default_profiles_of_container_managers() {
    let Some(library) = library() else { return };
    for name in ["docker", "containerd", "podman"] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fixtures/seccomp/{name}-default.json"));
        let profile: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let whole = compile(&parse(&profile), Arch::ScmpArchX86_64).unwrap();
        assert_eq!(whole.warnings, [], "{name}");
        compare(name, &library, &known_to_both(&library, profile), 200_000, &mut Random(7));
    }
}

const NAMES: [&str; 40] = [
    "read",
    "write",
    "open",
    "close",
    "stat",
    "fstat",
    "lstat",
    "poll",
    "lseek",
    "mmap",
    "mprotect",
    "ioctl",
    "pread64",
    "access",
    "pipe",
    "select",
    "sched_yield",
    "dup",
    "dup2",
    "getpid",
    "clone",
    "fork",
    "execve",
    "exit",
    "kill",
    "fcntl",
    "personality",
    "prctl",
    "arch_prctl",
    "ptrace",
    "futex",
    "epoll_wait",
    "openat",
    "unshare",
    "statx",
    "clone3",
    "io_uring_setup",
    "pwritev2",
    "preadv2",
    "waitid",
];

const VALUES: [u64; 10] =
    [0, 1, 2, 8, 0x7e02_0000, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, 0xff_0000_0008, u64::MAX];

const ACTIONS: [&str; 8] = ["KILL", "KILL_PROCESS", "TRAP", "ERRNO", "NOTIFY", "TRACE", "LOG", "ALLOW"];

fn action(random: &mut Random) -> (String, Option<u64>) {
    let action = random.pick(&ACTIONS);
    let errno = matches!(action, "ERRNO" | "TRACE").then(|| random.pick(&[1, 13, 38, 4094]));
    (format!("SCMP_ACT_{action}"), errno)
}

const OPERATORS: [&str; 7] = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];

/// Rules for one call: one without conditions, one with several, or several that each ask one argument for a value. Of
/// several rules that compare otherwise libseccomp 2.5.4 makes programs that mean something else: it answers
/// `0xffffffff` as if it were at most 8 when another rule asks for at least 2^32.
fn rules_for(name: &str, random: &mut Random, rules: &mut Vec<Value>) {
    let (action, errno) = action(random);
    let mut rule = json!({"names": [name], "action": action});
    if let Some(errno) = errno {
        rule["errnoRet"] = json!(errno);
    }
    let condition = |index: usize, operator: &str, random: &mut Random| {
        json!({"index": index, "op": format!("SCMP_CMP_{operator}"),
            "value": random.pick(&VALUES), "valueTwo": random.pick(&VALUES)})
    };
    match random.below(4) {
        0 => rules.push(rule),
        1 | 2 => {
            let mut arguments = BTreeSet::new();
            for _ in 0..=random.below(3) {
                arguments.insert(random.below(6));
            }
            rule["args"] = arguments
                .into_iter()
                .map(|index| {
                    let operator = random.pick(&OPERATORS);
                    condition(index, operator, random)
                })
                .collect();
            rules.push(rule);
        }
        _ => {
            let index = random.below(6);
            let conditions: Vec<Value> =
                (0..2 + random.below(5)).map(|_| condition(index, "EQ", random)).collect();
            if random.one_in(2) {
                rule["args"] = json!(conditions);
                rules.push(rule);
                return;
            }
            for condition in conditions {
                rule["args"] = json!([condition]);
                rules.push(rule.clone());
            }
        }
    }
}

/// Leaves out the rules that libseccomp refuses beside the others.
fn taken_by(library: &Library, profile: &mut Value) {
    loop {
        let refused = library.filter(&parse(profile), Layout::List).refused.clone();
        if refused.is_empty() {
            return;
        }
        let rules = profile["syscalls"].as_array_mut().unwrap();
        for place in refused.into_iter().rev() {
            rules.remove(place);
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn random_profiles() {
    let Some(library) = library() else { return };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for number in 0..3000 {
        let (default, errno) = loop {
            let found = action(&mut random);
            if found.0 != "SCMP_ACT_NOTIFY" {
                break found;
            }
        };
        let mut names = BTreeSet::new();
        for _ in 0..random.below(30) {
            names.insert(random.pick(&NAMES));
        }
        let mut rules = Vec::new();
        names.iter().for_each(|name| rules_for(name, &mut random, &mut rules));
        let guests =
            ["SCMP_ARCH_X86", "SCMP_ARCH_X32"].into_iter().filter(|_| random.one_in(2)).collect::<Vec<_>>();
        let mut profile = json!({"defaultAction": default, "architectures": guests, "syscalls": rules,
            "listenerPath": "/run/agent.sock"});
        if let Some(errno) = errno {
            profile["defaultErrnoRet"] = json!(errno);
        }
        taken_by(&library, &mut profile);
        compare(&format!("profile {number}"), &library, &profile, 300, &mut random);
    }
}

/// The names of calls that only other architectures have are neither forgotten nor invented.
#[test]
fn names_are_known_to_both() {
    let Some(library) = library() else { return };
    let warnings = |name: &str| {
        let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [name], "action": "SCMP_ACT_ERRNO"}]});
        compile(&parse(&profile), Arch::ScmpArchX86_64).unwrap().warnings.len()
    };
    for name in
        ["swapcontext", "timerfd", "s390_pci_mmio_read", "spu_run", "rtas", "cachectl", "sync_file_range2"]
    {
        assert!(library.knows(name), "{name}");
        assert_eq!(warnings(name), 0, "{name}");
    }
    for name in ["swapcontexts", "frobnicate"] {
        assert!(!library.knows(name), "{name}");
        assert_eq!(warnings(name), 1, "{name}");
    }
}

/// The comparison notices a difference: a program with one answer changed is not the same.
#[test]
#[cfg(target_arch = "x86_64")]
fn a_wrong_answer_is_noticed() {
    let Some(library) = library() else { return };
    let profile = parse(&json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["getpid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7}]}));
    let theirs = library.filter(&profile, Layout::List).program();
    let mut ours: Vec<Instruction> = compile(&profile, Arch::ScmpArchX86_64).unwrap().instructions;
    let data = SeccompData { nr: 39, arch: X86_64, ..SeccompData::default() };
    assert_eq!(simulate(&ours, &data), simulate(&theirs, &data));
    let answer = ours.iter_mut().find(|instruction| instruction.k == 0x0005_0007).unwrap();
    answer.k += 1;
    assert_ne!(simulate(&ours, &data), simulate(&theirs, &data));
    if library.knows("frobnicate") {
        skip!("this library knows everything");
    }
}
