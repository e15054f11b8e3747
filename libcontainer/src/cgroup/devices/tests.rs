use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::program::*;
use super::*;
use crate::cgroup::{Hierarchy, Unified};

fn v1_layout() -> Layout {
    let controllers = vec!["devices".to_owned()];
    Layout {
        v1: vec![Hierarchy { mount: "/cg/devices".into(), controllers, named: None, own: "/".into() }],
        v2: None,
    }
}

fn v2_layout() -> Layout {
    Layout { v1: vec![], v2: Some(Unified { mount: "/cg".into(), own: None, controllers: None }) }
}

fn planned(rules: serde_json::Value, layout: &Layout) -> Result<Devices, CgroupError> {
    let rules = serde_json::from_value::<Vec<LinuxDeviceCgroup>>(rules).unwrap();
    devices(&parse(&rules)?, layout)
}

fn v1_lines(rules: serde_json::Value) -> Vec<String> {
    let Devices::Writes(writes) = planned(rules, &v1_layout()).unwrap() else { panic!("not v1") };
    let show = |write: &Write| format!("{} {}", write.file.trim_start_matches("devices."), write.value);
    writes.iter().map(show).collect()
}

/// The rules' meaning, straight from its definition.
fn allowed(rules: &[Rule], kind: Kind, major: u32, minor: u32, access: u8) -> bool {
    let matches = |rule: &Rule| {
        (rule.kind == Kind::All || rule.kind == kind)
            && rule.major.is_none_or(|wanted| wanted == major)
            && rule.minor.is_none_or(|wanted| wanted == minor)
    };
    let bit_allowed = |bit: u8| {
        let decides = |rule: &&Rule| matches(rule) && rule.access & bit != 0;
        rules.iter().rev().find(decides).is_some_and(|rule| rule.allow)
    };
    [MKNOD, READ, WRITE].into_iter().filter(|bit| access & bit != 0).all(bit_allowed)
}

/// Runs a program as the kernel would.
fn run(program: &[Instruction], context: [u32; 3]) -> u64 {
    let mut registers = [0_u64; 11];
    let mut at = 0;
    for _ in 0..program.len() {
        let Instruction { code, registers: pair, offset, immediate } = program[at];
        let (to, from) = (usize::from(pair & 15), usize::from(pair >> 4));
        let narrow = u64::from(immediate.cast_unsigned());
        let wide = i64::from(immediate).cast_unsigned();
        let (old, other) = (registers[to], registers[from]);
        let lower = old & 0xffff_ffff;
        at += 1;
        registers[to] = match code {
            LOAD_WORD => u64::from(context[usize::try_from(offset).unwrap() / 4]),
            MOVE => narrow,
            MOVE_REGISTER => other & 0xffff_ffff,
            AND => lower & narrow,
            MULTIPLY => (lower * narrow) & 0xffff_ffff,
            XOR => lower ^ narrow,
            SHIFT_LEFT => (lower << narrow) & 0xffff_ffff,
            SHIFT_RIGHT => lower >> narrow,
            AND_REGISTER => (old & other) & 0xffff_ffff,
            OR_REGISTER => (old | other) & 0xffff_ffff,
            ADD_WIDE => old.wrapping_add(wide),
            SHIFT_RIGHT_WIDE => old >> wide,
            JUMP_IF_EQUAL if lower == narrow => {
                at += usize::try_from(offset).unwrap();
                old
            }
            JUMP_IF_EQUAL => old,
            EXIT => return registers[0],
            other => panic!("unknown operation {other:#x}"),
        };
    }
    panic!("the program does not end");
}

fn context(kind: Kind, major: u32, minor: u32, access: u8) -> [u32; 3] {
    [u32::from(access) << 16 | if kind == Kind::Block { 1 } else { 2 }, major, minor]
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::All), Just(Kind::Block), Just(Kind::Char)]
}

/// Few different numbers, so that rules meet; the last ones are those that no device can have.
fn any_number() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![
        Just(None),
        (0_u32..3).prop_map(Some),
        Just(Some(0xfff)),
        Just(Some(1 << 20)),
        Just(Some(u32::MAX))
    ]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    (any::<bool>(), any_kind(), any_number(), any_number(), 1..=ANY)
        .prop_map(|(allow, kind, major, minor, access)| Rule { allow, kind, major, minor, access })
}

fn every_request() -> impl Iterator<Item = (Kind, u32, u32, u8)> {
    let numbers = [0, 1, 2, 3, 0xfff];
    let kinds = [Kind::Block, Kind::Char];
    kinds.into_iter().flat_map(move |kind| {
        numbers.into_iter().flat_map(move |major| {
            numbers
                .into_iter()
                .flat_map(move |minor| (1..=ANY).map(move |access| (kind, major, minor, access)))
        })
    })
}

/// What the v1 controller does with its default and exceptions (security/device_cgroup.c).
fn v1_allows(writes: &[Write], kind: Kind, major: u32, minor: u32, access: u8) -> bool {
    let allow_all = writes[0].file == "devices.allow";
    let bits = |write: &Write| {
        let fields: Vec<_> = write.value.split([' ', ':']).collect();
        let same = fields[0] == if kind == Kind::Block { "b" } else { "c" };
        let number = |field: &str, wanted: u32| field == "*" || field == wanted.to_string();
        let matches = same && number(fields[1], major) && number(fields[2], minor);
        if matches { super::access(fields[3], 0).unwrap() } else { 0 }
    };
    let exceptions = &writes[1..];
    if allow_all {
        exceptions.iter().all(|write| bits(write) & access == 0)
    } else {
        // The kernel wants one exception for the whole access; asked bit by bit it is the same question.
        exceptions.iter().any(|write| bits(write) & access == access)
    }
}

/// What the v1 controller remembers of what is written to it (security/device_cgroup.c).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct V1State {
    allow: bool,
    exceptions: BTreeMap<String, u8>,
}

impl V1State {
    fn write(&mut self, write: &Write) {
        let allow = write.file == "devices.allow";
        if write.value == "a" {
            *self = Self { allow, exceptions: BTreeMap::new() };
            return;
        }
        let (device, letters) = write.value.rsplit_once(' ').unwrap();
        let access = access(letters, 0).unwrap();
        let exception = self.exceptions.entry(device.to_owned()).or_default();
        *exception = if allow == self.allow { *exception & !access } else { *exception | access };
        self.exceptions.retain(|_, access| *access != 0);
    }

    fn list(&self) -> String {
        if self.allow {
            return "a *:* rwm\n".to_owned();
        }
        let letters = |access: u8| {
            [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')]
                .iter()
                .filter(|(bit, _)| access & bit != 0)
                .map(|(_, letter)| *letter)
                .collect::<String>()
        };
        self.exceptions.iter().map(|(device, access)| format!("{device} {}\n", letters(*access))).collect()
    }
}

proptest! {
    #[test]
    fn a_program_decides_as_the_rules_say(rules in prop::collection::vec(any_rule(), 0..8)) {
        let program = compile(&Effective::new(&rules)).unwrap();
        for (kind, major, minor, access) in every_request() {
            let said = run(&program, context(kind, major, minor, access)) == 1;
            prop_assert_eq!(said, allowed(&rules, kind, major, minor, access), "{:?} {} {} {}", kind, major, minor, access);
        }
    }

    #[test]
    fn v1_writes_decide_as_the_rules_say_or_are_refused(rules in prop::collection::vec(any_rule(), 0..5)) {
        if let Ok(writes) = v1::writes(&Effective::new(&rules)) {
            for (kind, major, minor, access) in every_request().filter(|request| request.3.count_ones() == 1) {
                let said = v1_allows(&writes, kind, major, minor, access);
                prop_assert_eq!(said, allowed(&rules, kind, major, minor, access), "{:?} {} {} {}", kind, major, minor, access);
            }
        }
    }

    #[test]
    fn a_transition_on_v1_ends_where_the_new_rules_begin_and_denies_nothing_that_both_allow(
        old in prop::collection::vec(any_rule(), 0..5),
        new in prop::collection::vec(any_rule(), 0..5),
    ) {
        if let (Ok(old), Ok(new)) = (v1::writes(&Effective::new(&old)), v1::writes(&Effective::new(&new))) {
            let mut state = V1State::default();
            old.iter().for_each(|write| state.write(write));
            let before = state.clone();
            let mut end = V1State::default();
            new.iter().for_each(|write| end.write(write));
            for write in v1::transition(&state.list(), &new) {
                state.write(&write);
                let kept = before.exceptions.iter().filter(|(device, _)| !before.allow && !end.allow && end.exceptions.contains_key(*device));
                for (device, access) in kept {
                    let both = access & end.exceptions[device];
                    prop_assert_eq!(state.exceptions[device] & both, both, "{}", device);
                }
            }
            prop_assert_eq!(state, end);
        }
    }

    #[test]
    fn only_rules_that_allow_everything_need_no_program(rules in prop::collection::vec(any_rule(), 0..4)) {
        if Effective::new(&rules).allows_everything() {
            prop_assert!(every_request().all(|(kind, major, minor, access)| allowed(&rules, kind, major, minor, access)));
        }
    }
}

#[test]
fn on_v1_what_is_equal_is_not_written_again() {
    let rules = |minors: &[u32]| -> Vec<Write> {
        let rule =
            |minor: &u32| json!({"allow": true, "type": "c", "major": 10, "minor": minor, "access": "rw"});
        let rules: Vec<_> = minors.iter().map(rule).collect();
        let Devices::Writes(writes) = planned(json!(rules), &v1_layout()).unwrap() else { panic!("not v1") };
        writes
    };
    let mut state = V1State::default();
    rules(&[1, 2]).iter().for_each(|write| state.write(write));
    let show = |writes: Vec<Write>| -> Vec<String> {
        writes.iter().map(|write| format!("{} {}", write.file, write.value)).collect()
    };
    assert_eq!(show(v1::transition(&state.list(), &rules(&[1, 2]))), [""; 0]);
    let changes = show(v1::transition(&state.list(), &rules(&[2, 3])));
    assert_eq!(changes, ["devices.allow c 10:3 rw", "devices.deny c 10:1 rw"]);
    assert_eq!(v1::transition("a *:* rwm\n", &rules(&[1])), rules(&[1]), "its exceptions are not shown");
    assert_eq!(v1::transition("nonsense", &rules(&[1])), rules(&[1]));
}

const RUNC_DEFAULT: &[&str] = &[
    "deny a",
    "allow c *:* m",
    "allow b *:* m",
    "allow c 1:3 rwm",
    "allow c 1:8 rwm",
    "allow c 1:7 rwm",
    "allow c 5:0 rwm",
    "allow c 1:5 rwm",
    "allow c 1:9 rwm",
    "allow c 136:* rwm",
    "allow c 5:2 rwm",
    "allow c 10:200 rwm",
];

#[test]
fn without_rules_only_the_defaults_are_allowed() {
    assert_eq!(v1_lines(json!([])), RUNC_DEFAULT);
    assert_eq!(v1_lines(json!([{"allow": false, "access": "rwm"}])), RUNC_DEFAULT);
    let Devices::Program(program) = planned(json!([]), &v2_layout()).unwrap() else { panic!("no program") };
    assert_eq!(run(&program, context(Kind::Char, 1, 3, ANY)), 1, "null");
    assert_eq!(run(&program, context(Kind::Char, 1, 1, READ)), 0, "mem");
    assert_eq!(run(&program, context(Kind::Block, 8, 0, READ)), 0, "sda");
    assert_eq!(run(&program, context(Kind::Block, 8, 0, MKNOD)), 1, "a node of sda");
}

#[test]
fn a_privileged_container_gets_no_program() {
    let rules = json!([{"allow": false, "access": "rwm"}, {"allow": true, "access": "rwm"}]);
    assert_eq!(planned(rules.clone(), &v2_layout()).unwrap(), Devices::Unrestricted);
    assert_eq!(planned(rules.clone(), &Layout::default()).unwrap(), Devices::Unrestricted);
    assert_eq!(v1_lines(rules), ["allow a"]);
}

#[test]
fn a_rule_about_all_types_with_numbers_does_not_open_everything_on_v1() {
    let lines = v1_lines(json!([{"allow": true, "type": "a", "major": 7, "access": "rw"}]));
    assert_eq!(lines[..3], ["deny a", "allow b 7:* rw", "allow c 7:* rw"]);
}

#[test]
fn a_hole_that_v1_would_ignore_is_refused_by_name() {
    let rules = json!([
        {"allow": true, "type": "c", "major": 10, "access": "rwm"},
        {"allow": false, "type": "c", "major": 10, "minor": 229, "access": "w"}
    ]);
    let error = planned(rules.clone(), &v1_layout()).unwrap_err();
    assert_eq!(error.pointer(), Some("/linux/resources/devices/1"));
    assert!(error.to_string().contains("rule 0 (c 10:* rwm)"), "{error}");
    assert!(planned(rules, &v2_layout()).is_ok());
}

#[test]
fn wrong_rules_are_refused_by_name() {
    let cases = [
        (json!({"access": ""}), "access"),
        (json!({}), "access"),
        (json!({"access": "rx"}), "access"),
        (json!({"access": "r", "type": "p"}), "type"),
        (json!({"access": "r", "major": -2}), "major"),
        (json!({"access": "r", "minor": 4_294_967_296_u64}), "minor"),
    ];
    for (rule, field) in cases {
        let error = planned(json!([rule]), &v2_layout()).unwrap_err();
        assert_eq!(error.pointer(), Some(format!("/linux/resources/devices/0/{field}").as_str()), "{error}");
    }
    let nowhere = planned(json!([]), &Layout::default()).unwrap_err();
    assert_eq!(nowhere.pointer(), Some(POINTER));
}
