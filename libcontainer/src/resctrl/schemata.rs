//! What lines like `L3:0=ff;1=c0` mean, as far as two of them are compared.

use std::collections::BTreeMap;

/// The share of one resource in one domain (`L3`, `0`).
type Share<'a> = (&'a str, &'a str);

/// The first share that `wanted` has and `existing` has not or not so, as `L3:0=ff`.
pub(crate) fn disagreement(wanted: &[String], existing: &str) -> Option<String> {
    let existing = shares(existing.lines());
    let wanted = shares(wanted.iter().map(String::as_str));
    let differs = |(share, value): &(&Share<'_>, &String)| existing.get(share) != Some(value);
    wanted.iter().find(differs).map(|((resource, domain), value)| format!("{resource}:{domain}={value}"))
}

/// Later lines override earlier ones, as they do when they are written.
fn shares<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<Share<'a>, String> {
    let mut shares = BTreeMap::new();
    for line in lines {
        let (resource, domains) = line.split_once(':').unwrap_or((line, ""));
        for domain in domains.split(';') {
            let (domain, value) = domain.split_once('=').unwrap_or((domain, ""));
            shares.insert((resource.trim(), domain.trim()), number(value.trim()));
        }
    }
    shares
}

/// Bit masks are hexadecimal, and the kernel prints them with as many digits as the widest has.
fn number(text: &str) -> String {
    match text.trim_start_matches('0') {
        "" if !text.is_empty() => "0".into(),
        digits => digits.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXISTING: &str = "    MB:0= 20;1= 70\n    L3:0=007f0;1=0001f\n";

    #[test]
    fn the_same_shares_in_another_spelling_agree() {
        for wanted in ["L3:0=7f0;1=1f", "L3:1=1F;0=7F0", "L3:0=7f0", "MB:0=20;1=70", " L3 : 0 = 7f0"] {
            assert_eq!(disagreement(&[wanted.to_owned()], EXISTING), None, "{wanted}");
        }
        assert_eq!(disagreement(&[], EXISTING), None);
    }

    #[test]
    fn what_differs_is_named() {
        let cases = [
            ("L3:0=7f0;1=2f", "L3:1=2f"),
            ("L3:2=1", "L3:2=1"),
            ("L2:0=1", "L2:0=1"),
            ("MB:0=0", "MB:0=0"),
            ("nonsense", "nonsense:="),
        ];
        for (wanted, named) in cases {
            assert_eq!(disagreement(&[wanted.to_owned()], EXISTING).as_deref(), Some(named));
        }
    }

    #[test]
    fn the_last_line_of_a_resource_counts() {
        let wanted = ["L3:0=1;1=1f".to_owned(), "L3:0=7f0".to_owned()];
        assert_eq!(disagreement(&wanted, EXISTING), None);
    }
}
