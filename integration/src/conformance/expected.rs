//! What is expected of each test on each host: `fixtures/conformance/expected.txt`.

use std::collections::BTreeMap;
use std::fs;

use super::Host;
use super::outcome::Verdict;
use crate::xtask::{Error, Result, workspace};

/// What is expected of one test.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expected {
    /// `None` where it depends on more than the runtime.
    pub(super) verdict: Option<Verdict>,
    /// Why it cannot pass wholly.
    pub(super) reason: String,
}

impl Expected {
    /// Whether that is how the test should end.
    pub(super) fn is_met_by(&self, verdict: Verdict) -> bool {
        self.verdict.is_none_or(|expected| expected == verdict)
    }
}

/// `any`, or what [`Verdict::parse`] reads.
fn verdict(word: &str) -> Option<Option<Verdict>> {
    if word == "any" { Some(None) } else { Verdict::parse(word).map(Some) }
}

/// Reads what is expected on `host`, by the names of the tests.
pub(super) fn read(host: Host) -> Result<BTreeMap<String, Expected>> {
    let path = workspace().join("fixtures/conformance/expected.txt");
    let text = fs::read_to_string(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
    parse(&text, host)
}

fn parse(text: &str, host: Host) -> Result<BTreeMap<String, Expected>> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines = lines.map(|line| {
        line_of(line, host).ok_or_else(|| Error::NotMet(format!("cannot read what is expected: {line}")))
    });
    lines.collect()
}

/// A test, what is expected on each host, and the reason.
fn line_of(line: &str, host: Host) -> Option<(String, Expected)> {
    let mut words = line.split_whitespace();
    let name = words.next()?.to_owned();
    let verdicts: Vec<_> = words.by_ref().take(3).map(verdict).collect::<Option<_>>()?;
    let [plain, v1net, v2] = verdicts.try_into().ok()?;
    let verdict = match host {
        Host::Plain => plain,
        Host::V1Net => v1net,
        Host::V2 => v2,
    };
    let reason = words.collect::<Vec<_>>().join(" ");
    let all_pass = [plain, v1net, v2].iter().all(|verdict| *verdict == Some(Verdict::All));
    (all_pass == reason.is_empty()).then_some((name, Expected { verdict, reason }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read_and_gives_a_reason_for_whatever_does_not_pass() {
        for host in [Host::Plain, Host::V1Net, Host::V2] {
            assert_eq!(read(host).unwrap().len(), 58);
        }
        assert!(parse("create all all fails", Host::Plain).is_err());
        assert!(parse("create all", Host::Plain).is_err());
        let part = parse("memory 1/2 all fails no cgroup v2", Host::Plain).unwrap();
        let expected =
            Expected { verdict: Some(Verdict::Part { passed: 1, of: 2 }), reason: "no cgroup v2".to_owned() };
        assert_eq!(part.get("memory"), Some(&expected));
        let any = parse("race any any any a race", Host::V2).unwrap();
        assert!(any.get("race").unwrap().is_met_by(Verdict::Fails));
    }
}
