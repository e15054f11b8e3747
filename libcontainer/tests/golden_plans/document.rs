//! docs/plan-format.md says what the code does.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::case::{Case, fixtures};
use crate::steps;

fn path() -> PathBuf {
    fixtures().join("../docs/plan-format.md")
}

fn document() -> String {
    fs::read_to_string(path()).unwrap()
}

/// The text between the line `open` after `start` and the end of that block.
fn block<'a>(document: &'a str, start: &str, open: &str) -> &'a str {
    let (_, rest) = document.split_once(start).unwrap_or_else(|| panic!("no {start:?}"));
    let (_, rest) = rest.split_once(&format!("{open}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// The cases whose plans the document shows.
const SHOWN: [&str; 2] = ["v2", "exec-v2"];

fn case(name: &str) -> Case {
    Case { folder: fixtures().join("plans").join(name) }
}

/// What comes before the plan of the case `name`.
fn mark(name: &str) -> String {
    format!("<!-- example: fixtures/plans/{name} -->\n```\n")
}

/// Puts the plans of today into the document.
pub(crate) fn update() {
    let put = |document: String, name: &str| {
        let mark = mark(name);
        let (before, rest) = document.split_once(&mark).unwrap();
        let (_, after) = rest.split_once("```").unwrap();
        format!("{before}{mark}{}```{after}", case(name).read("plan.txt").unwrap())
    };
    fs::write(path(), SHOWN.into_iter().fold(document(), put)).unwrap();
}

/// What `document` does not say of the steps that the source declares.
fn missing_steps(document: &str) -> Vec<String> {
    let row = |name: &str| document.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
    let mut missing = Vec::new();
    for step in steps::all() {
        let text = if step.for_tests { Some(document) } else { row(&step.name) };
        let Some(text) = text.filter(|text| text.contains(&format!("`{}`", step.name))) else {
            missing.push(step.name);
            continue;
        };
        let unsaid = step.operands.iter().filter(|operand| !text.contains(&format!("`{operand}`")));
        missing.extend(unsaid.map(|operand| format!("{}.{operand}", step.name)));
    }
    missing
}

#[test]
fn every_step_and_operand_is_in_the_document() {
    assert_eq!(missing_steps(&document()), Vec::<String>::new());
}

#[test]
fn a_step_or_operand_that_is_not_in_the_document_is_found() {
    let document = document();
    let without_row: String = document.lines().filter(|line| !line.starts_with("| `Pivot` |")).collect();
    assert!(missing_steps(&without_row).contains(&"Pivot".to_owned()));
    let row = |text: &str| text.replace("| `Rlimit` | `resource`, `soft`, `hard` |", "| `Rlimit` | `soft` |");
    assert_eq!(missing_steps(&row(&document)), ["Rlimit.resource", "Rlimit.hard"]);
    assert_eq!(missing_steps(&document.replace("`Trip`", "Trip")), ["Trip"]);
}

#[test]
fn every_slot_is_in_the_document() {
    let source = fixtures().join("../libcontainer/init/src/slot.rs");
    let source = fs::read_to_string(source).unwrap();
    let slots: Vec<(&str, &str)> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(": Slot = Slot("))
        .map(|(name, rest)| (name, rest.trim_end_matches(");")))
        .collect();
    assert!(slots.len() > 5, "the source is read wrongly: {slots:?}");
    let document = document();
    for (name, number) in slots {
        assert!(document.contains(&format!("\n| `{name}` | {number} |")), "{name} {number}");
    }
}

#[test]
fn the_examples_are_real() {
    let document = document();
    for name in SHOWN {
        let (_, rest) = document.split_once(&mark(name)).unwrap();
        assert_eq!(rest.split_once("```").unwrap().0, case(name).read("plan.txt").unwrap());
    }

    let example: Value = serde_json::from_str(block(&document, "## JSON", "```json")).unwrap();
    let plan = case("v2").plan().unwrap().to_json();
    let entries = example["entries"].as_array().unwrap();
    assert!(!entries.is_empty());
    for entry in entries {
        let index = usize::try_from(entry["index"].as_u64().unwrap()).unwrap();
        assert_eq!(*entry, plan["entries"][index]);
    }
    assert_eq!((&example["id"], &example["warnings"]), (&plan["id"], &plan["warnings"]));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!((keys(&example), keys(&entries[0])), (keys(&plan), keys(&plan["entries"][0])));
}
