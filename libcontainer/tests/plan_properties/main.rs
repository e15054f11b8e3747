//! What holds of the plans of all valid configurations on all hosts.
//!
//! `PROPTEST_CASES=100000 cargo test --release -p libcontainer --test plan_properties` looks longer.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod configs;
mod hosts;
mod process;
mod shape;

use std::path::Path;

use libcontainer::facts::Facts;
use libcontainer::planner::{self, Options, Request};
use libcontainer::spec::{self, Config};
use libcontainer::{ErrorKind, Plan};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use shape::{entries, is_part_of};

/// Enough to meet each kind of entry often, and few enough for every run of the tests.
const CASES: u32 = 384;

fn cases() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(CASES),
    }
}

fn parse(document: &Value) -> Result<Config, TestCaseError> {
    spec::parse(document.to_string().as_bytes(), Path::new("/bundle"))
        .map_err(|error| TestCaseError::fail(format!("{error}\n{document}")))
}

/// The plan, or `None` if this host cannot do what the configuration says.
fn plan(config: &Config, options: &Options, facts: &Facts) -> Result<Option<Plan>, TestCaseError> {
    match planner::plan(&Request { id: "test", config, options, facts }) {
        Ok(plan) => Ok(Some(plan)),
        Err(error) => {
            let said = matches!(error.kind(), ErrorKind::InvalidSpec { .. } | ErrorKind::Unsupported { .. });
            prop_assert!(said, "{error:?}");
            Ok(None)
        }
    }
}

/// The plan of the document, which has one if the plan of `before` does.
fn changed(
    document: &Value,
    options: &Options,
    facts: &Facts,
    before: Option<&Plan>,
) -> Result<Option<Plan>, TestCaseError> {
    let plan = plan(&parse(document)?, options, facts)?;
    prop_assert_eq!(plan.is_some(), before.is_some());
    Ok(plan)
}

fn push(document: &mut Value, pointer: &str, item: Value) {
    document.pointer_mut(pointer).unwrap().as_array_mut().unwrap().push(item);
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_plan_breaks_no_rule_and_is_the_same_again(
        document in configs::any(), options in hosts::options(), facts in hosts::facts(),
    ) {
        let (one, other) = (parse(&document)?, parse(&document)?);
        let options = hosts::fitting(options, &one);
        let plans = (plan(&one, &options, &facts)?, plan(&other, &options, &facts)?);
        let (Some(one), Some(other)) = plans else {
            prop_assert!(plans.0.is_none() && plans.1.is_none());
            return Ok(());
        };
        prop_assert_eq!(planner::verify(&one), []);
        prop_assert_eq!(one.to_string(), other.to_string());
        prop_assert_eq!(one.to_json().to_string(), other.to_json().to_string());
        prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }

    #[test]
    fn one_more_masked_path_takes_nothing_away(
        mut document in configs::any(), options in hosts::options(), facts in hosts::facts(),
        read_only: bool, at in any::<prop::sample::Index>(),
    ) {
        let options = hosts::fitting(options, &parse(&document)?);
        let before = plan(&parse(&document)?, &options, &facts)?;
        let pointer = if read_only { "/linux/readonlyPaths" } else { "/linux/maskedPaths" };
        let list = document.pointer_mut(pointer).unwrap().as_array_mut().unwrap();
        list.insert(at.index(list.len() + 1), json!("/one/more"));
        let after = changed(&document, &options, &facts, before.as_ref())?;
        let (Some(before), Some(after)) = (before, after) else { return Ok(()) };
        prop_assert!(is_part_of(&entries(&before), &entries(&after)), "{before}\n{after}");
        prop_assert!(after.entries().len() > before.entries().len());
    }

    #[test]
    fn one_more_mount_takes_nothing_away(
        mut document in configs::any(), options in hosts::options(), mut facts in hosts::facts(),
        mount in configs::mount("/one/more"),
    ) {
        let config = parse(&document)?;
        // There a mount may be refused for its propagation.
        prop_assume!(config.namespaces.mount.membership != spec::Membership::Host);
        let options = hosts::fitting(options, &config);
        facts.sources.insert(config.mounts.len(), libcontainer::facts::PathFact::Folder);
        let before = plan(&config, &options, &facts)?;
        push(&mut document, "/mounts", mount);
        let after = changed(&document, &options, &facts, before.as_ref())?;
        let (Some(before), Some(after)) = (before, after) else { return Ok(()) };
        prop_assert!(is_part_of(&entries(&before), &entries(&after)), "{before}\n{after}");
        prop_assert!(after.entries().len() > before.entries().len());
    }

    #[test]
    fn values_of_any_kind_lead_to_a_plan_or_an_error(
        mut document in configs::any(), options in hosts::options(), facts in hosts::facts(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), configs::odd_value()), 1..4),
    ) {
        for (at, value) in changes {
            let places = shape::places(&document);
            *document.pointer_mut(&places[at.index(places.len())]).unwrap() = value;
        }
        let Ok(config) = spec::parse(document.to_string().as_bytes(), Path::new("/bundle")) else {
            return Ok(());
        };
        let options = hosts::fitting(options, &config);
        if let Some(plan) = plan(&config, &options, &facts)? {
            prop_assert!(plan.to_string().lines().count() >= plan.entries().len());
        }
    }
}

/// The properties would hold of nothing if hardly any of the configurations had a plan.
#[test]
fn most_of_the_configurations_have_a_plan_and_some_do_not() {
    let mut runner = TestRunner::deterministic();
    let strategy = (configs::any(), hosts::options(), hosts::facts());
    let mut planned = 0;
    let mut steps = std::collections::BTreeSet::new();
    for _ in 0..CASES {
        let (document, options, facts) = strategy.new_tree(&mut runner).unwrap().current();
        let config = parse(&document).unwrap();
        let options = hosts::fitting(options, &config);
        if let Some(plan) = plan(&config, &options, &facts).unwrap() {
            planned += 1;
            steps.extend(plan.entries().iter().map(shape::name));
        }
    }
    assert!((CASES / 2..CASES).contains(&planned), "{planned} of {CASES}");
    assert!(steps.len() > 40, "{steps:?}");
}

/// A `/dev` of the host has its own nodes: here a mount does take something away, and is found to.
#[test]
fn what_takes_entries_away_is_found() {
    let mut runner = TestRunner::deterministic();
    let mut facts = hosts::facts().new_tree(&mut runner).unwrap().current();
    facts.root = libcontainer::facts::PathFact::Folder;
    facts.sources.insert(0, libcontainer::facts::PathFact::Folder);
    let mut document = configs::least();
    let planned = |document: &Value| plan(&parse(document).unwrap(), &Options::default(), &facts).unwrap();
    let before = planned(&document).unwrap();
    push(&mut document, "/mounts", json!({"destination": "/dev", "type": "bind", "source": "/dev"}));
    let after = planned(&document).unwrap();
    assert!(is_part_of(&entries(&before), &entries(&before)));
    assert!(!is_part_of(&entries(&before), &entries(&after)));
}
