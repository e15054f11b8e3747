//! System call names and numbers of every architecture in one table, so that a name is looked up once.

mod elsewhere;
mod syscalls;

use std::cmp::Ordering;

use super::abi::Abi;
use elsewhere::ELSEWHERE;
use syscalls::SYSCALLS;

/// In place of the number of a call that an architecture does not have.
const NONE: u32 = u32::MAX;

const COUNT: usize = SYSCALLS.len();

// A table of `&str` would be a thousand relocations, paid at each start of the runtime. The names
// are therefore laid end to end when this is compiled, with the place where each of them starts.
static NAMES: [u8; names_length()] = names();
static STARTS: [u16; COUNT + 1] = starts();
static NUMBERS: [[u32; 6]; COUNT] = numbers();

/// The numbers of one system call.
#[derive(Clone, Copy)]
pub(super) struct Numbers(&'static [u32; 6]);

impl Numbers {
    pub(super) fn number(self, abi: Abi) -> Option<u32> {
        let [x86_64, x86, x32, aarch64, arm, riscv64] = *self.0;
        let number = match abi {
            Abi::X86_64 => x86_64,
            Abi::X86 => x86,
            Abi::X32 => x32,
            Abi::Aarch64 => aarch64,
            Abi::Arm => arm,
            Abi::Riscv64 => riscv64,
        };
        (number != NONE).then_some(number)
    }
}

/// Finds the system call `name`, on whatever architecture it exists.
pub(super) fn find(name: &str) -> Option<Numbers> {
    let mut low = 0;
    let mut high = COUNT;
    while low < high {
        let middle = low.midpoint(high);
        match name_at(middle)?.cmp(name.as_bytes()) {
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
            Ordering::Equal => return NUMBERS.get(middle).map(Numbers),
        }
    }
    None
}

/// Whether only architectures without a table have the system call `name`: a profile that names it is not wrong.
pub(super) fn is_elsewhere(name: &str) -> bool {
    ELSEWHERE.contains(&name)
}

/// Every system call of `abi` with its number, by name.
pub(super) fn calls(abi: Abi) -> impl Iterator<Item = (&'static str, u32)> {
    NUMBERS.iter().enumerate().filter_map(move |(index, numbers)| {
        let name = std::str::from_utf8(name_at(index)?).ok()?;
        Some((name, Numbers(numbers).number(abi)?))
    })
}

fn name_at(index: usize) -> Option<&'static [u8]> {
    let start = usize::from(*STARTS.get(index)?);
    let end = usize::from(*STARTS.get(index + 1)?);
    NAMES.get(start..end)
}

const fn names_length() -> usize {
    let mut length = 0;
    let mut index = 0;
    while index < COUNT {
        length += row(index).0.len();
        index += 1;
    }
    length
}

const fn names() -> [u8; names_length()] {
    let mut bytes = [0; names_length()];
    let mut rest: &mut [u8] = &mut bytes;
    let mut index = 0;
    while index < COUNT {
        let name = row(index).0.as_bytes();
        let (place, after) = rest.split_at_mut(name.len());
        place.copy_from_slice(name);
        rest = after;
        index += 1;
    }
    bytes
}

#[allow(clippy::indexing_slicing, reason = "runs in the compiler, where a wrong index is an error")]
const fn starts() -> [u16; COUNT + 1] {
    assert!(names_length() <= u16::MAX as usize);
    let mut starts = [0; COUNT + 1];
    let mut index = 0;
    while index < COUNT {
        starts[index + 1] = starts[index] + row(index).0.len() as u16;
        index += 1;
    }
    starts
}

#[allow(clippy::indexing_slicing, reason = "runs in the compiler, where a wrong index is an error")]
const fn numbers() -> [[u32; 6]; COUNT] {
    let mut numbers = [[NONE; 6]; COUNT];
    let mut index = 0;
    while index < COUNT {
        numbers[index] = row(index).1;
        index += 1;
    }
    numbers
}

#[allow(clippy::indexing_slicing, reason = "runs in the compiler, where a wrong index is an error")]
const fn row(index: usize) -> (&'static str, [u32; 6]) {
    SYSCALLS[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_rows_are_sorted() {
        assert!(SYSCALLS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (name, numbers) in &SYSCALLS {
            assert_eq!(find(name).map(|found| *found.0), Some(*numbers), "{name}");
        }
        for name in ["", "a", "writ", "writew", "zzz", "READ"] {
            assert!(find(name).is_none(), "{name}");
        }
    }

    #[test]
    fn numbers_agree_with_the_c_library() {
        for (name, number) in [
            ("read", libc::SYS_read),
            ("clone3", libc::SYS_clone3),
            ("mount_setattr", libc::SYS_mount_setattr),
            ("fchmodat2", libc::SYS_fchmodat2),
            ("mseal", libc::SYS_mseal),
        ] {
            let abi = Abi::of(super::super::native_arch().unwrap()).unwrap();
            assert_eq!(find(name).unwrap().number(abi).map(i64::from), Some(number), "{name}");
        }
    }

    #[test]
    fn each_architecture_has_its_own_numbers() {
        let row = |name: &str| *find(name).unwrap().0;
        assert_eq!(row("read"), [0, 3, 0x4000_0000, 63, 3, 63]);
        assert_eq!(row("execve"), [59, 11, 0x4000_0000 + 520, 221, 11, 221]);
        assert_eq!(row("set_tls"), [NONE, NONE, NONE, NONE, 0xf_0005, NONE]);
        assert_eq!(row("open_tree_attr"), [467, 467, 0x4000_0000 + 467, 467, 467, 467]);
    }
}
