//! Control files as values. A file that is not there, or by now gone with its cgroup, has none.

use std::collections::BTreeMap;
use std::str::FromStr;

use rustix::io::Errno;

use crate::cgroup::CgroupError;
use crate::cgroup::dir::Dir;

/// The text of a file.
pub(super) fn text(dir: &Dir, file: &str) -> Result<Option<String>, CgroupError> {
    match dir.read_if_exists(file) {
        // Compiled in, and switched off at boot.
        Err(error) if error.errno() == Some(Errno::OPNOTSUPP) => Ok(None),
        text => text,
    }
}

/// The number that a file holds; `max` is the highest.
pub(super) fn number(dir: &Dir, file: &str) -> Result<Option<u64>, CgroupError> {
    let number = |text: String| match text.trim() {
        "max" => Ok(u64::MAX),
        // A counter that was read between two of its parts can be below zero for a moment.
        negative if negative.parse::<i64>().is_ok_and(i64::is_negative) => Ok(0),
        number => parse(dir, file, number),
    };
    text(dir, file)?.map(number).transpose()
}

/// As [`number`], and 0 where there is none.
pub(super) fn number_or_zero(dir: &Dir, file: &str) -> Result<u64, CgroupError> {
    Ok(number(dir, file)?.unwrap_or_default())
}

/// The lines of a file, each a key and a number.
pub(super) fn pairs(dir: &Dir, file: &str) -> Result<Option<Vec<(String, u64)>>, CgroupError> {
    let pair = |line: &str| match line.split_once(' ') {
        Some((key, value)) => Ok((key.to_owned(), parse(dir, file, value)?)),
        None => Err(malformed(dir, file, line)),
    };
    text(dir, file)?.map(|text| text.lines().map(pair).collect()).transpose()
}

/// The number behind `key` in such a file; 0 if there is none.
pub(super) fn value_of(pairs: &[(String, u64)], key: &str) -> u64 {
    pairs.iter().find(|(name, _)| name == key).map_or(0, |(_, value)| *value)
}

/// The numbers of a list like `0-3,7`.
pub(super) fn list(dir: &Dir, file: &str) -> Result<Vec<u16>, CgroupError> {
    let text = text(dir, file)?.unwrap_or_default();
    let mut numbers = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (parse(dir, file, first)?, parse(dir, file, last)?);
        // In ascending order, so that a list has no more numbers than there are.
        if first > last || numbers.last().is_some_and(|before| *before >= first) {
            return Err(malformed(dir, file, part));
        }
        numbers.extend(first..=last);
    }
    Ok(numbers)
}

/// The sizes of huge pages that have a control `hugetlb.KIND.name`, each with the kind to read: reservations (`2MB.rsvd`)
/// where the kernel counts them, for they are what a limit holds back, else the pages in use (`2MB`).
pub(super) fn kinds_of_huge_pages(dir: &Dir, name: &str) -> Result<BTreeMap<String, String>, CgroupError> {
    let mut kinds = BTreeMap::<String, String>::new();
    for file in dir.files()? {
        let kind = file.strip_prefix("hugetlb.").and_then(|rest| rest.strip_suffix(name)?.strip_suffix('.'));
        let Some(kind) = kind else { continue };
        match kind.strip_suffix(".rsvd") {
            Some(size) => {
                kinds.insert(size.to_owned(), kind.to_owned());
            }
            None => {
                kinds.entry(kind.to_owned()).or_insert_with(|| kind.to_owned());
            }
        }
    }
    Ok(kinds)
}

/// A word of a file as a number.
pub(super) fn parse<T: FromStr>(dir: &Dir, file: &str, word: &str) -> Result<T, CgroupError> {
    word.trim().parse().map_err(|_| malformed(dir, file, word))
}

/// The error of a file that does not hold what the kernel documents.
pub(super) fn malformed(dir: &Dir, file: &str, found: &str) -> CgroupError {
    const SHOWN: usize = 80;
    let found = found.chars().take(SHOWN).collect();
    CgroupError::Malformed { path: dir.path().join(file), found }
}
