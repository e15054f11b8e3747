//! Device rules in the words of systemd: a list of what is allowed.

use super::{ANY, DEFAULT_RULES, Effective, Kind, MKNOD, READ, Rule, WRITE};

/// What systemd can be told about devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cgroup) enum Listed {
    /// Everything is allowed.
    All,
    /// Only these are: names as in `DeviceAllow=`, and some of the letters `rwm`.
    Only(Vec<(String, String)>),
    /// What cannot be said as a list of what is allowed.
    Unsaid,
}

/// Lists what rules allow, with the [defaults](DEFAULT_RULES) behind them.
pub(in crate::cgroup) fn list(given: &[Rule]) -> Listed {
    let rules: Vec<_> = given.iter().copied().chain(DEFAULT_RULES).collect();
    let effective = Effective::new(&rules);
    if effective.allows_everything() {
        return Listed::All;
    }
    if effective.allow || effective.rules.iter().any(|rule| !rule.allow) {
        return Listed::Unsaid;
    }
    let mut listed: Vec<(String, u8)> = Vec::new();
    for rule in effective.rules {
        for name in names(rule) {
            // systemd takes the last that is said of a name.
            match listed.iter_mut().find(|(other, _)| *other == name) {
                Some((_, access)) => *access |= rule.access,
                None => listed.push((name, rule.access)),
            }
        }
    }
    Listed::Only(listed.into_iter().map(|(name, access)| (name, letters(access))).collect())
}

/// None for a minor number of any major, which systemd has no name for.
fn names(rule: &Rule) -> Vec<String> {
    let kinds: &[&str] = match rule.kind {
        Kind::All => &["block", "char"],
        Kind::Block => &["block"],
        Kind::Char => &["char"],
    };
    let name = |kind: &&str| match (rule.major, rule.minor) {
        (Some(major), Some(minor)) => Some(format!("/dev/{kind}/{major}:{minor}")),
        (Some(major), None) => Some(format!("{kind}-{major}")),
        (None, None) => Some(format!("{kind}-*")),
        (None, Some(_)) => None,
    };
    kinds.iter().filter_map(name).collect()
}

fn letters(access: u8) -> String {
    debug_assert_eq!(access & !ANY, 0);
    let letters = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')];
    letters.iter().filter(|(bit, _)| access & bit != 0).map(|(_, letter)| letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(allow: bool, kind: Kind, major: Option<u32>, minor: Option<u32>, access: u8) -> Rule {
        Rule { allow, kind, major, minor, access }
    }

    const NOTHING: Rule = Rule { allow: false, kind: Kind::All, major: None, minor: None, access: ANY };

    #[test]
    fn what_is_allowed_is_listed_with_the_defaults() {
        let rules = [
            rule(true, Kind::Block, None, None, ANY),
            NOTHING,
            rule(true, Kind::Char, Some(1), Some(3), READ),
            rule(true, Kind::All, Some(8), Some(1), READ | WRITE),
            rule(true, Kind::Char, Some(10), None, WRITE),
            // Has no name, so that only our own program allows it.
            rule(true, Kind::Char, None, Some(7), ANY),
        ];
        let Listed::Only(list) = list(&rules) else { panic!("not a list") };
        let list: Vec<String> = list.iter().map(|(name, access)| format!("{name} {access}")).collect();
        let expected = [
            "/dev/char/1:3 rwm",
            "/dev/block/8:1 rw",
            "/dev/char/8:1 rw",
            "char-10 w",
            "char-* m",
            "block-* m",
            "/dev/char/1:8 rwm",
            "/dev/char/1:7 rwm",
            "/dev/char/5:0 rwm",
            "/dev/char/1:5 rwm",
            "/dev/char/1:9 rwm",
            "char-136 rwm",
            "/dev/char/5:2 rwm",
            "/dev/char/10:200 rwm",
        ];
        assert_eq!(list, expected);
    }

    #[test]
    fn everything_is_everything_and_exceptions_are_unsaid() {
        let everything = rule(true, Kind::All, None, None, ANY);
        assert_eq!(list(&[everything]), Listed::All);
        let but_for_one = rule(false, Kind::Block, Some(8), None, ANY);
        assert_eq!(list(&[everything, but_for_one]), Listed::Unsaid);
        assert_eq!(list(&[rule(true, Kind::Char, Some(10), None, ANY), but_for_one]), Listed::Unsaid);
        assert_eq!(list(&[everything, NOTHING]), list(&[]));
    }
}
