//! `cargo xtask bench-seccomp`: Docker's default profile, compiled and loaded by us and by libseccomp.
#![allow(unsafe_code, reason = "only a forked child can load a filter without keeping it")]

use std::fs;
use std::hint::black_box;
use std::io::{Read, Write, pipe};
use std::time::{Duration, Instant};

use libcontainer::seccomp::{Instruction, SeccompData, compile, native_arch, trace};
use oci_spec::runtime::{Arch, LinuxSeccomp};

use super::numbers::Stats;
use crate::libseccomp::{Layout, Library};
use crate::xtask::{Error, Result, workspace};

const ROUNDS: usize = 200;

/// What programs do most.
const HOT: [&str; 10] = [
    "read",
    "write",
    "close",
    "mmap",
    "recvfrom",
    "sendto",
    "futex",
    "epoll_wait",
    "openat",
    "clock_gettime",
];

/// Somebody's way to make a program of a profile, and to load it.
struct Contender<'a> {
    name: &'static str,
    compile: Box<dyn Fn() -> Vec<Instruction> + 'a>,
    compile_and_load: Box<dyn Fn() -> bool + 'a>,
}

/// Measures and prints the tables.
pub fn run() -> Result<()> {
    let arch = native_arch()
        .ok_or_else(|| Error::Missing("no table of system calls for this machine".to_owned()))?;
    let path = workspace().join("fixtures/seccomp/docker-default.json");
    let text = fs::read_to_string(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
    let profile: LinuxSeccomp = serde_json::from_str(&text).map_err(Error::io("cannot read the profile"))?;
    let library = Library::open();
    if library.is_none() {
        println!("libseccomp.so.2 is not installed: there is nothing to compare with");
    }
    let contenders = contenders(&profile, arch, library.as_ref())?;
    print_times(&contenders)?;
    print_costs(&contenders, arch)
}

fn contenders<'a>(
    profile: &'a LinuxSeccomp,
    arch: Arch,
    library: Option<&'a Library>,
) -> Result<Vec<Contender<'a>>> {
    // What can go wrong does so here, and not in a measurement.
    let compiled = compile(profile, arch).map_err(|error| Error::NotMet(error.to_string()))?;
    let ours = move || compile(profile, arch).map(|filter| filter.instructions).unwrap_or_default();
    let flags = compiled.flags;
    let mut contenders = vec![Contender {
        name: "runc-shim",
        compile: Box::new(ours),
        compile_and_load: Box::new(move || load(&ours(), flags)),
    }];
    for (name, layout) in [("libseccomp", Layout::List), ("libseccomp, binary tree", Layout::Tree)] {
        let Some(library) = library else { continue };
        contenders.push(Contender {
            name,
            compile: Box::new(move || library.filter(profile, layout).program()),
            compile_and_load: Box::new(move || library.filter(profile, layout).load()),
        });
    }
    Ok(contenders)
}

fn print_times(contenders: &[Contender<'_>]) -> Result<()> {
    println!("| µs, median of {ROUNDS} | instructions | compile | load (kernel) | compile and load |");
    println!("| --- | --- | --- | --- | --- |");
    for contender in contenders {
        let program = (contender.compile)();
        let compile = median((0..ROUNDS).map(|_| Ok(time(|| !black_box((contender.compile)()).is_empty()))))?;
        let load_alone = median((0..ROUNDS).map(|_| in_child(|| time(|| load(&program, 0)))))?;
        let both = median((0..ROUNDS).map(|_| in_child(|| time(&contender.compile_and_load))))?;
        let (name, length) = (contender.name, program.len());
        println!("| {name} | {length} | {compile:.0} | {load_alone:.0} | {both:.0} |");
    }
    Ok(())
}

fn print_costs(contenders: &[Contender<'_>], arch: Arch) -> Result<()> {
    println!("\n| instructions for one call | {} |", HOT.join(" | "));
    println!("| --- |{}", " --- |".repeat(HOT.len()));
    for contender in contenders {
        let program = (contender.compile)();
        let cost = |name: &&str| {
            let data = SeccompData::new(arch, name, [0; 6])?;
            trace(&program, &data).map(|trace| trace.instructions.to_string())
        };
        let costs: Vec<String> =
            HOT.iter().map(|name| cost(name).unwrap_or_else(|| "–".to_owned())).collect();
        println!("| {} | {} |", contender.name, costs.join(" | "));
    }
    Ok(())
}

/// How long `work` took, or nothing if it did not work.
fn time(work: impl Fn() -> bool) -> Option<Duration> {
    let start = Instant::now();
    work().then(|| start.elapsed())
}

/// In microseconds.
fn median(samples: impl Iterator<Item = Result<Option<Duration>>>) -> Result<f64> {
    let samples: Vec<Duration> = samples.filter_map(Result::transpose).collect::<Result<_>>()?;
    let stats = Stats::of(&samples);
    stats
        .map(|stats| stats.median * 1000.0)
        .ok_or_else(|| Error::NotMet("no filter could be loaded".to_owned()))
}

/// What `measure` says in a forked child, which the filter dies with.
fn in_child(measure: impl FnOnce() -> Option<Duration>) -> Result<Option<Duration>> {
    let failed = |what: &'static str| Error::io(format!("cannot measure in a child: {what}"));
    let (mut reader, mut writer) = pipe().map_err(failed("pipe"))?;
    // SAFETY: this process has one thread, so the child may do whatever its parent may.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let nanoseconds = measure().map_or(0, |taken| u64::try_from(taken.as_nanos()).unwrap_or(0));
        let told = writer.write_all(&nanoseconds.to_ne_bytes()).is_ok();
        // SAFETY: ends the child without running what its parent has registered for its own end.
        unsafe { libc::_exit(i32::from(!told)) };
    }
    drop(writer);
    let mut bytes = [0; 8];
    let read = reader.read_exact(&mut bytes);
    // SAFETY: no status is asked for.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
    read.map_err(failed("the child said nothing"))?;
    let nanoseconds = u64::from_ne_bytes(bytes);
    Ok((nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds)))
}

/// Loads a program for good.
fn load(program: &[Instruction], flags: u32) -> bool {
    let Ok(length) = u16::try_from(program.len()) else { return false };
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: the program has the kernel's layout and outlives the call, which only reads it.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) == 0
    }
}
