//! What one test printed, and what that means.

use std::fmt;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every result is a success.
    All,
    /// The test ran to its end, and some results are failures.
    Part {
        /// The number of successes.
        passed: usize,
        /// The number of results.
        of: usize,
    },
    /// The test gave up, or has no results to tell by and reports an error.
    Fails,
}

impl Verdict {
    /// Reads `all`, `fails` or `48/54`.
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "all" => Some(Self::All),
            "fails" => Some(Self::Fails),
            _ => {
                let (passed, of) = word.split_once('/')?;
                Some(Self::Part { passed: passed.parse().ok()?, of: of.parse().ok()? })
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Part { passed, of } => write!(f, "{passed}/{of}"),
            Self::Fails => f.write_str("fails"),
        }
    }
}

/// Judges a test by whether it ended well and what it printed: the Test Anything Protocol.
///
/// Some tests print no result at all. They report what is wrong as a detail that is named `error`, and end well.
pub(super) fn judge(ended_well: bool, output: &str) -> Verdict {
    let (mut passed, mut failed) = (0, 0);
    for line in output.lines() {
        if line.starts_with("ok ") {
            passed += 1;
        } else if line.starts_with("not ok ") && !line.contains("# TODO") {
            failed += 1;
        }
    }
    match (ended_well, passed + failed) {
        (false, _) => Verdict::Fails,
        (true, 0) if output.contains("\"error\":") => Verdict::Fails,
        (true, _) if failed == 0 => Verdict::All,
        (true, of) => Verdict::Part { passed, of },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_decide_and_errors_where_there_are_none() {
        let part = Verdict::Part { passed: 1, of: 2 };
        assert_eq!(judge(true, "TAP version 13\nok 1 - a\nnot ok 2 - b\n1..2\n"), part);
        assert_eq!(
            judge(true, "ok 1 - a\n  ---\n  {\n  \"error\": \"as it should\"\n  }\n1..1\n"),
            Verdict::All
        );
        assert_eq!(judge(true, "ok 1 - a\nnot ok 2 - b # TODO\nok 3 # SKIP c\n"), Verdict::All);
        assert_eq!(judge(true, "  {\n    \"error\": \"hooks\"\n  }\n1..0\n"), Verdict::Fails);
        assert_eq!(judge(true, "TAP version 13\n1..0\n"), Verdict::All);
        assert_eq!(judge(false, "ok 1 - a\n"), Verdict::Fails);
    }

    #[test]
    fn words_of_the_table_are_read_as_they_are_printed() {
        for word in ["all", "fails", "48/54"] {
            assert_eq!(Verdict::parse(word).unwrap().to_string(), word);
        }
        assert_eq!(Verdict::parse("some"), None);
    }
}
