mod docker;
mod errors;
mod explain;
mod kernel;
mod meaning;
mod oracle;
mod program;

use oci_spec::runtime::{Arch, LinuxSeccomp};
use serde_json::Value;

use super::{Filter, SeccompData, compile, simulate};

const X86_64: Arch = Arch::ScmpArchX86_64;
const X86: Arch = Arch::ScmpArchX86;
const X32: Arch = Arch::ScmpArchX32;

const ALLOW: u32 = 0x7fff_0000;
const LOG: u32 = 0x7ffc_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

const fn errno(number: i32) -> u32 {
    0x0005_0000 | number as u32
}

fn profile(json: Value) -> LinuxSeccomp {
    serde_json::from_value(json).unwrap()
}

fn filter(json: Value) -> Filter {
    let filter = compile(&profile(json), X86_64).unwrap();
    program::check(&filter.instructions);
    filter
}

/// What `filter` returns for the call `name`, whose first arguments are `args`.
fn verdict(filter: &Filter, arch: Arch, name: &str, args: &[u64]) -> u32 {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    simulate(&filter.instructions, &SeccompData::new(arch, name, all).unwrap())
}

/// What `filter` returns for `number` on x86_64.
fn verdict_of_number(filter: &Filter, number: u32) -> u32 {
    let data = SeccompData { nr: number as i32, arch: 0xc000_003e, ..Default::default() };
    simulate(&filter.instructions, &data)
}
