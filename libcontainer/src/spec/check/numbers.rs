//! Lists of CPUs and memory nodes in the form of cpuset(7): `0-3,7`.

use std::fmt::Arguments;

use super::text;
use crate::spec::config::Numbers;
use crate::spec::problem::{Checked, Problem};

/// Eight times what a kernel can be built for; a bound for what a number in a list can make us allocate.
pub(super) const LAST_CPU: u32 = 65_535;

/// set_mempolicy(2) takes a page of bits, of which the last one is not used.
pub(super) const LAST_NODE: u32 = 32_766;

/// More than the longest list that Linux itself writes.
const MAX_BYTES: usize = 65_536;

/// The numbers of a list, `None` if it is empty.
pub(super) fn numbers(list: &str, last: u32, pointer: Arguments<'_>) -> Checked<Option<Numbers>> {
    text::c_string(list, pointer)?;
    if list.len() > MAX_BYTES {
        return Err(Problem::invalid(
            pointer,
            format!("the list has {} bytes; at most {MAX_BYTES} are read", list.len()),
        ));
    }
    if list.trim().is_empty() {
        return Ok(None);
    }
    let mut numbers = Numbers::new();
    for part in list.split(',') {
        let (from, to) = range(part.trim()).ok_or_else(|| {
            Problem::invalid(pointer, format!("{part:?} is neither a number nor a range; write it as 0-3,7"))
        })?;
        if to > last {
            return Err(Problem::invalid(pointer, format!("{to} is too large; Linux knows at most {last}")));
        }
        if from > to {
            return Err(Problem::invalid(
                pointer,
                format!("the range {from}-{to} runs backwards; write {to}-{from}"),
            ));
        }
        insert(&mut numbers, from, to);
    }
    Ok(Some(numbers))
}

fn range(part: &str) -> Option<(u32, u32)> {
    match part.split_once('-') {
        Some((from, to)) => Some((number(from)?, number(to)?)),
        None => number(part).map(|number| (number, number)),
    }
}

/// Digits alone: `parse` would take a sign as well.
fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn insert(numbers: &mut Numbers, from: u32, to: u32) {
    let word = |number: u32| (number / u64::BITS) as usize;
    if numbers.len() <= word(to) {
        numbers.resize(word(to) + 1, 0);
    }
    for (index, bits) in numbers.iter_mut().enumerate().take(word(to) + 1).skip(word(from)) {
        let low = if index == word(from) { u64::MAX << (from % u64::BITS) } else { u64::MAX };
        let high = if index == word(to) { u64::MAX >> (u64::BITS - 1 - to % u64::BITS) } else { u64::MAX };
        *bits |= low & high;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Result<Option<Numbers>, String> {
        numbers(list, LAST_CPU, format_args!("/x")).map_err(|problem| problem.message)
    }

    fn set(numbers: &[u32]) -> Numbers {
        let mut words = vec![0; numbers.iter().max().map_or(0, |last| *last as usize / 64 + 1)];
        numbers.iter().for_each(|number| words[*number as usize / 64] |= 1 << (number % 64));
        words
    }

    #[test]
    fn lists_name_single_numbers_and_ranges_however_large() {
        let spans: [(&str, Vec<u32>); 7] = [
            ("0", vec![0]),
            ("0-3,7", vec![0, 1, 2, 3, 7]),
            (" 1 , 2-3 ", vec![1, 2, 3]),
            ("63-64", vec![63, 64]),
            ("10-200", (10..=200).collect()),
            ("1023,1024,4096-4100", vec![1023, 1024, 4096, 4097, 4098, 4099, 4100]),
            ("65535", vec![65_535]),
        ];
        for (list, expected) in spans {
            assert_eq!(read(list), Ok(Some(set(&expected))), "{list}");
        }
        assert_eq!(read(""), Ok(None));
        assert_eq!(read(" "), Ok(None));
    }

    #[test]
    fn what_is_not_a_list_says_why() {
        for bad in ["a", "1,", ",", "-", "1-", "-1", "+1", "1-2-3", "0x1", "1 2", "99999999999"] {
            assert!(read(bad).unwrap_err().contains("neither a number nor a range"), "{bad}");
        }
        assert!(read("65536").unwrap_err().contains("too large"));
        assert!(read("3-1").unwrap_err().contains("backwards"));
        assert!(read("0\0").unwrap_err().contains("NUL"));
        assert!(read(&"0-65535,".repeat(10_000)).unwrap_err().contains("bytes"));
    }
}
