//! Modules depend on each other one way: what is below in [`LAYERS`] never uses what is above.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod paths;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use paths::{Module, uses};

/// The modules from the bottom to the top, with what each may use. A path belongs to the longest name that fits.
const LAYERS: &[(&str, &[&str])] = &[
    ("status", &[]),
    ("error", &["status"]),
    ("id", &["error"]),
    ("sys", &["error"]),
    ("exe", &["error", "sys"]),
    ("spec", &["error"]),
    ("bundle", &["error", "spec"]),
    ("seccomp", &["error", "spec", "init"]),
    ("cgroup", &["error"]),
    ("resctrl", &["error", "cgroup"]),
    ("criu", &["error", "sys"]),
    ("facts", &["error", "sys", "spec", "cgroup", "resctrl"]),
    ("planner", &["status", "error", "spec", "seccomp", "cgroup", "resctrl", "facts", "init"]),
    ("container::record", &["error", "sys", "spec", "seccomp", "cgroup", "resctrl"]),
    ("container::store", &["error", "id", "sys", "container::record"]),
    (
        "launch",
        &[
            "status",
            "error",
            "id",
            "sys",
            "bundle",
            "spec",
            "seccomp",
            "cgroup",
            "resctrl",
            "criu",
            "facts",
            "planner",
            "container::record",
            "container::store",
            "init",
        ],
    ),
    (
        "container",
        &[
            "status",
            "error",
            "id",
            "sys",
            "exe",
            "bundle",
            "spec",
            "cgroup",
            "resctrl",
            "criu",
            "facts",
            "planner",
            "container::record",
            "container::store",
            "launch",
            "init",
        ],
    ),
];

/// What the planner, which is pure, may use of modules that are not.
const PLANNER_USES: &[(&str, &[&str])] = &[
    (
        "cgroup",
        &[
            "place",
            "writes",
            "devices",
            "systemd",
            "Placement",
            "Limits",
            "Write",
            "Writes",
            "Devices",
            "Controllers",
            "Layout",
            "Hierarchy",
        ],
    ),
    ("resctrl", &["Group", "Membership", "disagreement"]),
    ("facts", &["Facts", "PathFact", "Unprivileged", "Container", "Member"]),
    ("init", &["step", "slot", "attr", "Step", "Slot", "Text", "Words", "List"]),
];

/// What nothing that is pure may name.
const IMPURE: &[&str] = &[
    "rustix",
    "nix",
    "std::fs",
    "std::io",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
    "std::os",
];

/// The name in [`LAYERS`] that `path` belongs to: `["container", "store", "Claim"]` → `container::store`.
fn layer(path: &[String]) -> Option<&'static str> {
    if path.first().is_some_and(|first| first == "init") {
        return Some("init");
    }
    let fits = |name: &&str| name.split("::").eq(path.iter().take(name.split("::").count()));
    LAYERS.iter().map(|(name, _)| *name).filter(fits).max_by_key(|name| name.len())
}

/// What is wrong with the paths that `module` uses.
fn violations(module: &Module) -> Vec<String> {
    let own = layer(&module.path);
    let allowed = LAYERS.iter().find(|(name, _)| Some(*name) == own);
    let Some((own, allowed)) = allowed else {
        return vec![format!("{}: a module that LAYERS does not have", module.file)];
    };
    let mut wrong = Vec::new();
    for path in uses(module) {
        let shown = path.join("::");
        match layer(&path) {
            Some(used) if used == *own || allowed.contains(&used) => {}
            Some(used) => wrong.push(format!("{}: {own} must not use {used} ({shown})", module.file)),
            None => wrong.push(format!("{}: {shown} is in no layer", module.file)),
        }
        if *own == "planner" && !is_pure(&path) {
            wrong.push(format!("{}: the planner does no I/O and must not use {shown}", module.file));
        }
    }
    let names = |what: &&&str| module.text.contains(&format!("{what}::"));
    if *own == "planner" {
        let impure = IMPURE.iter().filter(names);
        wrong.extend(impure.map(|what| format!("{}: the planner must not use {what}", module.file)));
    }
    wrong
}

fn is_pure(path: &[String]) -> bool {
    let mut steps = path.iter();
    let (Some(module), item) = (steps.next(), steps.next()) else { return true };
    let rule = PLANNER_USES.iter().find(|(name, _)| name == module);
    rule.is_none_or(|(_, items)| item.is_none_or(|item| items.contains(&item.as_str())))
}

/// Every module of the library but its tests.
fn modules() -> Vec<Module> {
    let mut modules = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut Vec::new(), &mut modules);
    modules
}

fn collect(folder: &Path, prefix: &mut Vec<String>, modules: &mut Vec<Module>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let stem = name.trim_end_matches(".rs").to_owned();
        if stem.ends_with("tests") || stem == "fixture" || stem == "lib" {
            continue;
        }
        let is_folder = entry.path().is_dir();
        let adds_name = stem != "mod";
        if adds_name {
            prefix.push(stem);
        }
        if is_folder {
            collect(&entry.path(), prefix, modules);
        } else {
            let text = fs::read_to_string(entry.path()).unwrap();
            modules.push(Module::new(entry.path().to_str().unwrap(), prefix.clone(), &text));
        }
        if adds_name {
            prefix.pop();
        }
    }
}

#[test]
fn modules_use_only_what_is_below_them() {
    let wrong: Vec<String> = modules().iter().flat_map(violations).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_layers_have_an_order() {
    let mut below = vec!["init"];
    for (name, allowed) in LAYERS {
        assert!(allowed.iter().all(|used| below.contains(used)), "{name} may use what is not below it");
        below.push(name);
    }
}

#[test]
fn every_allowance_is_needed() {
    let mut used: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for module in modules() {
        let paths = uses(&module);
        used.entry(layer(&module.path).unwrap())
            .or_default()
            .extend(paths.iter().filter_map(|path| layer(path)));
    }
    for (name, allowed) in LAYERS {
        let needless: Vec<_> = allowed.iter().filter(|used_by| !used[name].contains(used_by)).collect();
        assert!(needless.is_empty(), "{name} does not use {needless:?}: forbid it");
    }
}

#[test]
fn a_use_upwards_is_found_however_it_is_written() {
    let found = |path: &[&str], text: &str| {
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        violations(&Module::new("x.rs", path, text))
    };
    let bad = [
        (&["spec", "check"][..], "use crate::planner::Plan;"),
        (&["spec", "check"], "use crate::{Error, launch::{self, Launch}};"),
        (&["spec", "check"], "fn f() -> crate::container::store::Claim {}"),
        (&["spec", "check"], "use super::super::facts::Facts;"),
        (&["spec", "check"], "use crate::Plan;"),
        (&["spec"], "use super::facts;"),
        (&["spec"], "use libcontainer_init::Step;"),
        (&["cgroup"], "use crate::ContainerId;"),
        (&["launch"], "use crate::container::Runtime;"),
        (&["container", "store"], "use super::handle::Container;"),
        (&["container", "record"], "use super::store::Claim;"),
        (&["novelty"], ""),
        (&["spec"], "use crate::novelty::Thing;"),
        (&["planner"], "use crate::facts::{PathFact, probe};"),
        (&["planner"], "let made = cgroup::x(crate::cgroup::create);"),
        (&["planner"], "use libcontainer_init::{Step, sys};"),
        (&["planner"], "let text = std::fs::read(path);"),
        (&["planner"], "use rustix::fs::open;"),
    ];
    for (path, text) in bad {
        assert!(!found(path, text).is_empty(), "{text}");
    }
    let good = [
        (&["launch"][..], "use crate::{Error, container::{record::Stored, store::{self, Claim}}, facts};"),
        (&["planner"], "use crate::facts::PathFact; use crate::{Result, cgroup::{self, Placement}};"),
        (
            &["spec", "check", "x"],
            "use super::super::config::Config; // not crate::launch\n/// [`crate::Plan`]",
        ),
        (&["spec"], "use super::Result;\n#[cfg(test)]\nmod tests {\n    use crate::planner::plan;\n}"),
    ];
    for (path, text) in good {
        assert_eq!(found(path, text), Vec::<String>::new(), "{text}");
    }
}
