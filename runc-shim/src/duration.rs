//! Lengths of time as Go writes them: `5s`, `100ms`, `1h2m3.5s`.

use std::time::Duration;

const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
];

/// The length of time; `None` for what is none, is below zero, or is more than the 292 years that Go can count.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut nanoseconds = 0_u64;
    loop {
        let (part, after) = first(rest)?;
        nanoseconds = nanoseconds.checked_add(part).filter(|sum| i64::try_from(*sum).is_ok())?;
        if after.is_empty() {
            return Some(Duration::from_nanos(nanoseconds));
        }
        rest = after;
    }
}

/// The nanoseconds of the first number and unit, and what follows.
fn first(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at_checked(end)?;
    let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (name, rest) = rest.split_at_checked(end)?;
    let (_, unit) = UNITS.iter().find(|(unit, _)| *unit == name)?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && decimals.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let nanoseconds = whole.checked_mul(*unit)?.checked_add(fraction(decimals, *unit)?)?;
    Some((nanoseconds, rest))
}

/// What decimals add, without what is less than a nanosecond.
fn fraction(decimals: &str, unit: u64) -> Option<u64> {
    let mut sum = 0;
    let mut place = unit;
    for digit in decimals.chars() {
        // The rounding of each place only ever loses less than a nanosecond.
        sum += u64::from(digit.to_digit(10)?) * place / 10;
        place /= 10;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_go_writes_is_understood() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("0s", 0),
            ("5s", 5_000_000_000),
            ("+5s", 5_000_000_000),
            ("100ms", 100_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1h2m3s4ms5us6ns", 3_723_004_005_006),
            ("7µs", 7_000),
            ("7μs", 7_000),
            ("0.000000001s", 1),
            ("0s1s", 1_000_000_000),
            ("2562047h47m16.854775807s", i64::MAX as u64),
        ] {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in [
            "",
            "5",
            "s",
            ".s",
            "-5s",
            "5 s",
            "5x",
            "1..5s",
            "1.2.3s",
            "5sec",
            "5s ",
            "5s3",
            "0x1s",
            "++5s",
            "2562047h47m16.854775808s",
            "99999999999999999999s",
            "9999999999h",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
