//! The steps that a plan can have, read from the source that declares them.

use std::fs;
use std::path::Path;

/// A variant of `Step` or `HostStep`.
#[derive(Debug)]
pub(crate) struct Declared {
    /// `Mount`.
    pub name: String,
    /// `fs`, `attr`, …; none if it has no named ones.
    pub operands: Vec<String>,
    /// Whether only builds for tests have it.
    pub for_tests: bool,
}

/// Every step: of children, then of the host.
pub(crate) fn all() -> Vec<Declared> {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(crate_root.join(file)).unwrap();
    let mut steps = declared(&read("init/src/step.rs"), "pub enum Step {");
    steps.extend(declared(&read("src/planner/entry.rs"), "pub enum HostStep {"));
    assert!(steps.len() > 50, "the source is read wrongly: {steps:?}");
    steps
}

/// The variants of the enum that begins with the line `head`, as rustfmt lays them out.
fn declared(source: &str, head: &str) -> Vec<Declared> {
    let body = source.lines().skip_while(|line| *line != head).skip(1).take_while(|line| *line != "}");
    let mut steps: Vec<Declared> = Vec::new();
    let mut for_tests = false;
    for line in body {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim_start();
        let word = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap();
        match (indent, word) {
            (4, "") => for_tests |= line.starts_with("#[cfg(feature = \"fault-injection\")]"),
            (4, name) => {
                steps.push(Declared { name: name.to_owned(), operands: Vec::new(), for_tests });
                for_tests = false;
            }
            (8, operand) if !operand.is_empty() => {
                steps.last_mut().unwrap().operands.push(operand.to_owned());
            }
            _ => {}
        }
    }
    steps
}
