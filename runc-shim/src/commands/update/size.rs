//! Sizes as Docker's units package reads them, which clients' users know: binary multiples, in either case, with or
//! without `b` and `ib`.

/// The bytes of `512m`, `1.5 GiB` or `-1`; `None` for what is none of the kind.
pub(super) fn parse(text: &str) -> Option<i64> {
    if text == "-1" {
        return Some(-1);
    }
    let end = text.rfind(|c: char| c.is_ascii_digit() || c == '.')? + 1;
    let (number, suffix) = text.split_at_checked(end)?;
    let suffix = suffix.strip_prefix(' ').unwrap_or(suffix).to_ascii_lowercase();
    let shift = shift(&suffix)?;
    // Exactly where that is possible: a float has no more than 53 bits.
    if let Ok(whole) = number.parse::<i64>() {
        return whole.checked_mul(1 << shift).filter(|_| !number.starts_with(['+', '-']));
    }
    let legal = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let bytes = number.parse::<f64>().ok().filter(|_| number.bytes().all(legal))? * (1_u64 << shift) as f64;
    (bytes < i64::MAX as f64).then_some(bytes as i64)
}

/// The power of two that a suffix stands for.
fn shift(suffix: &str) -> Option<u32> {
    if matches!(suffix, "" | "b") {
        return Some(0);
    }
    let mut letters = suffix.chars();
    let power = "kmgtp".chars().zip(1..).find_map({
        let unit = letters.next();
        move |(letter, power)| (Some(letter) == unit).then_some(power)
    })?;
    matches!(letters.as_str(), "" | "b" | "ib").then_some(power * 10)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_are_read_as_clients_write_them() {
        let sizes = [
            ("0", 0),
            ("4096", 4096),
            ("1b", 1),
            ("32k", 32 << 10),
            ("32K", 32 << 10),
            ("10 MB", 10 << 20),
            ("10MiB", 10 << 20),
            ("1.5g", 3 << 29),
            ("2t", 2 << 40),
            ("1P", 1 << 50),
            ("-1", -1),
            ("9007199254740993", 9_007_199_254_740_993),
        ];
        for (text, bytes) in sizes {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_none() {
        for text in
            ["", "k", "1x", "1kk", "-2", "+1", "1mm", "1bb", "1e3", "1.2.3", "99999999t", "1 2", "ten"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
