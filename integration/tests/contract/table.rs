//! docs/contract.md names tests that exist, and all of this program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use integration::xtask::workspace;

/// What the document says of a statement that nothing can be tested of yet.
const NOT_YET: &str = "not yet";

/// Statement and tests of every row.
fn rows(document: &str) -> Vec<(String, Vec<String>)> {
    let cells = |line: &str| {
        let (statement, tests) = line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | ")?;
        let tests: Vec<String> = match tests {
            NOT_YET => vec![NOT_YET.to_owned()],
            _ => tests.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
        };
        Some((statement.to_owned(), tests))
    };
    let is_head = |(statement, _): &(String, Vec<String>)| statement == "statement" || statement == "---";
    document.lines().filter_map(cells).filter(|row| !is_head(row)).collect()
}

/// Where the test `name` may be declared: `PROGRAM::…::TEST`, or `runc-shim::…::TEST`.
fn places(name: &str) -> Vec<PathBuf> {
    let parts: Vec<&str> = name.split("::").collect();
    let Some((_, modules)) = parts.split_last() else { return Vec::new() };
    let (roots, modules): (&[&str], _) = match modules {
        ["runc-shim", modules @ ..] => (&["runc-shim/src", "runc-shim/tests"], modules),
        modules => (&["integration/tests"], modules),
    };
    let modules = modules.strip_suffix(&["tests"]).unwrap_or(modules).join("/");
    let path = |root: &&str| {
        let path = workspace().join(root).join(&modules).display().to_string();
        [".rs", "_tests.rs", "/main.rs", "/mod.rs"].map(|end| PathBuf::from(format!("{path}{end}")))
    };
    roots.iter().flat_map(path).collect()
}

/// The names of the tests in a source.
fn tests(source: &str) -> BTreeSet<&str> {
    let lines = source.lines().map(str::trim);
    let is_test = |(before, line): &(&str, &str)| *before == "#[test]" || line.ends_with("(host: Host) {");
    let pairs = lines.clone().zip(lines.skip(1)).filter(is_test);
    pairs.filter_map(|(_, line)| Some(line.strip_prefix("fn ")?.split_once('(')?.0)).collect()
}

fn exists(name: &str) -> bool {
    let test = name.rsplit("::").next().unwrap_or_default();
    places(name)
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .any(|text| tests(&text).contains(test))
}

/// The tests of this program, this module's aside.
fn own() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract");
    let sources = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: PathBuf| {
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        tests(&text).iter().map(|test| format!("contract::{module}::{test}")).collect::<Vec<_>>()
    };
    sources.filter(|path| !path.ends_with("table.rs")).flat_map(named).collect()
}

/// What is wrong with the document.
fn problems(document: &str) -> Vec<String> {
    let rows = rows(document);
    let mut wrong = Vec::new();
    for (statement, tests) in &rows {
        if tests.is_empty() {
            wrong.push(format!("no test for: {statement}"));
        }
        let missing = tests.iter().filter(|test| *test != NOT_YET && !exists(test));
        wrong.extend(missing.map(|test| format!("no test {test} for: {statement}")));
    }
    let named = |test: &String| rows.iter().any(|(_, tests)| tests.contains(test));
    wrong.extend(
        own().into_iter().filter(|test| !named(test)).map(|test| format!("no statement for: {test}")),
    );
    wrong
}

fn document() -> String {
    fs::read_to_string(workspace().join("docs/contract.md")).unwrap()
}

#[test]
fn every_statement_has_tests_that_exist() {
    let document = document();
    assert!(rows(&document).len() > 70, "the tables were read");
    assert_eq!(problems(&document), Vec::<String>::new());
}

#[test]
fn a_document_that_promises_too_much_is_found() {
    let document = document();
    let found = |old: &str, new: &str| {
        assert!(document.contains(old), "{old}");
        let wrong = problems(&document.replace(old, new));
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        wrong.into_iter().next().unwrap()
    };
    let helper = "`run::keep_leaves_the_stopped_container`";
    assert!(found(helper, "`run::keep_leaves_nothing`").contains("no test run::keep_leaves_nothing"));
    assert!(found(helper, "`contract::order::holders`").contains("no test contract::order::holders"));
    assert!(found(helper, "").contains("no test for: BuildKit"));
    let only_here = "`contract::signals::every_name_is_known`";
    assert!(found(only_here, "").contains("no statement for: contract::signals::every_name_is_known"));
}
