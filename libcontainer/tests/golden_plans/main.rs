//! Plans of real configurations on hosts of every kind, compared with the texts in `fixtures/plans`.
//!
//! They need no privilege and no kernel. After a change that is meant to change plans, run
//! `UPDATE_GOLDEN=1 cargo test -p libcontainer --test golden_plans` and read the difference.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod case;
mod document;
mod steps;

use std::collections::BTreeSet;
use std::fs;

use libcontainer::Plan;
use libcontainer::planner::{self, Action};

use case::{Case, fixtures};

fn report(results: impl IntoIterator<Item = Result<(), String>>) {
    let failed: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "(UPDATE_GOLDEN=1 rewrites the plans)\n{}", failed.join("\n"));
}

#[test]
fn plans_are_as_expected() {
    let cases = Case::all();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        for case in &cases {
            let text = case.text().unwrap_or_else(|problem| panic!("{problem}"));
            fs::write(case.folder.join("plan.txt"), text).unwrap();
        }
        document::update();
    }
    report(cases.iter().map(Case::check));
}

#[test]
fn a_plan_of_another_text_and_a_folder_without_a_file_are_found() {
    let copy = tempfile::tempdir().unwrap();
    let original = Case { folder: fixtures().join("plans/terminal") };
    let case = Case { folder: copy.path().to_owned() };
    for file in ["config.json", "facts.json", "options.json", "plan.txt"] {
        fs::write(copy.path().join(file), original.read(file).unwrap()).unwrap();
    }
    case.check().unwrap();

    let text = original.read("plan.txt").unwrap();
    fs::write(copy.path().join("plan.txt"), text.replace("pivot root", "pivot boot")).unwrap();
    assert!(case.check().unwrap_err().ends_with("pivot root"));
    fs::write(copy.path().join("plan.txt"), format!("{text}more\n")).unwrap();
    assert!(case.check().unwrap_err().ends_with("longer"));
    for file in ["facts.json", "config.json", "plan.txt"] {
        fs::remove_file(copy.path().join(file)).unwrap();
        assert!(case.check().unwrap_err().contains(file));
    }
}

#[test]
fn the_same_request_gives_the_same_plan() {
    for case in Case::all() {
        let (one, other) = (case.plan().unwrap(), case.plan().unwrap());
        assert_eq!(one.to_string(), other.to_string(), "{}", case.name());
        assert_eq!(one.to_json().to_string(), other.to_json().to_string(), "{}", case.name());
    }
}

#[test]
fn no_plan_breaks_a_rule() {
    for case in Case::all() {
        assert_eq!(planner::verify(&case.plan().unwrap()), [], "{}", case.name());
    }
}

#[test]
fn text_and_json_say_the_same() {
    for case in Case::all() {
        let plan = case.plan().unwrap();
        let text = plan.to_string();
        let json = plan.to_json();
        let entries = json["entries"].as_array().unwrap();
        for (index, (entry, line)) in entries.iter().zip(text.lines()).enumerate() {
            let word = |key: &str| entry[key].as_str().unwrap();
            let mark = if entry["meanwhile"].as_bool().unwrap() { "|" } else { "" };
            let actor = format!("{}{mark}", word("actor"));
            let mut expected = format!("{index:3} {actor:5} {}", word("step"));
            if let Some(undo) = entry["undo"].as_str() {
                expected = format!("{expected:<74} undo: {undo}");
            }
            assert_eq!((entry["index"].as_u64(), line), (Some(index as u64), expected.as_str()));
        }
        assert_eq!(entries.len(), plan.entries().len());
        let later = json["atDelete"].as_array().unwrap();
        for (step, line) in later.iter().zip(text.lines().skip(entries.len())) {
            assert_eq!(line, format!("at delete: {}", step.as_str().unwrap()));
        }
        let warnings = json["warnings"].as_array().unwrap();
        assert_eq!(text.lines().count(), entries.len() + later.len() + warnings.len(), "{}", case.name());
    }
}

/// The first word of a step as Rust prints it is its name.
fn step_names(plan: &Plan) -> impl Iterator<Item = String> {
    plan.entries().iter().map(|entry| {
        let debug = match &entry.action {
            Action::Host(step) => format!("{step:?}"),
            Action::Child(step) => format!("{step:?}"),
        };
        debug.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned()
    })
}

#[test]
fn every_step_is_in_some_plan() {
    let plans: Vec<Plan> = Case::all().iter().map(|case| case.plan().unwrap()).collect();
    let seen: BTreeSet<String> = plans.iter().flat_map(step_names).collect();
    let known: BTreeSet<String> =
        steps::all().into_iter().filter(|step| !step.for_tests).map(|step| step.name).collect();
    assert_eq!(seen, known, "each step belongs to a golden plan");
}
