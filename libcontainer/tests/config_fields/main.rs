//! What becomes of every field that the runtime-spec has, found out by trying, is what docs/config.md says.
//!
//! After a change that is meant to change it, run
//! `UPDATE_GOLDEN=1 cargo test -p libcontainer --test config_fields` and read the difference.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod examples;
mod fate;
mod field;
mod table;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use examples::Examples;
use fate::Fates;
use field::{Field, Kind};
use table::Row;

/// The folder `fixtures/schema` of the workspace.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/schema")
}

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/config.md")
}

/// What the document should say of every field.
fn expected() -> Vec<(Field, Result<Fates, String>)> {
    let examples = Examples::read();
    Field::all("config-fields.txt")
        .into_iter()
        .map(|field| {
            let fates = Fates::of(&field, &examples);
            (field, fates)
        })
        .collect()
}

/// What is wrong with the rows.
fn differences(expected: &[(Field, Result<Fates, String>)], rows: &[Row]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (field, fates) in expected {
        let name = &field.pointer;
        let row = rows.iter().find(|row| row.field == *name);
        match (row, fates) {
            (_, Err(why)) => wrong.push(format!("{name}: {why}")),
            (None, Ok(fates)) => wrong.push(format!("{name} has no row, and is {fates}")),
            (Some(row), Ok(fates)) if row.fate != fates.to_string() => {
                wrong.push(format!("{name}: the row says {:?}, but it is {fates}", row.fate));
            }
            (Some(row), Ok(fates)) if fates.is_ignored_somewhere() && row.note.is_empty() => {
                wrong.push(format!("{name} is ignored, and no note says why"));
            }
            _ => {}
        }
    }
    let known = |row: &&Row| expected.iter().any(|(field, _)| field.pointer == row.field);
    wrong.extend(rows.iter().filter(|row| !known(row)).map(|row| format!("{} is no field", row.field)));
    let mut fields: Vec<&str> = rows.iter().map(|row| row.field.as_str()).collect();
    fields.sort_unstable();
    let twice = fields.windows(2).filter(|pair| pair[0] == pair[1]);
    wrong.extend(twice.map(|pair| format!("{} has two rows", pair[0])));
    wrong
}

#[test]
fn the_document_says_what_becomes_of_every_field() {
    let expected = expected();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = fs::read_to_string(document()).unwrap();
        fs::write(document(), table::updated(&text, &expected)).unwrap();
    }
    let rows = table::rows(&fs::read_to_string(document()).unwrap());
    let wrong = differences(&expected, &rows);
    assert!(wrong.is_empty(), "(UPDATE_GOLDEN=1 rewrites the table)\n{}", wrong.join("\n"));
}

#[test]
fn a_document_that_says_something_else_is_found() {
    let expected = expected();
    let text = fs::read_to_string(document()).unwrap();
    let rows = table::rows(&table::updated(&text, &expected));
    let found = |change: &dyn Fn(&mut Vec<Row>)| {
        let mut rows = rows.clone();
        change(&mut rows);
        let wrong = differences(&expected, &rows);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        wrong.into_iter().next().unwrap()
    };
    let place = |field: &str| rows.iter().position(|row| row.field == field).unwrap();
    let cwd = place("/process/cwd");
    assert!(found(&|rows| drop(rows.remove(cwd))).contains("/process/cwd has no row"));
    assert!(found(&|rows| rows[cwd].fate = "ignored".to_owned()).contains("but it is supported"));
    assert!(found(&|rows| rows.push(rows[cwd].clone())).contains("two rows"));
    let windows = place("/windows");
    assert!(found(&|rows| rows[windows].fate = "supported".to_owned()).contains("but it is refused"));
    let ignored = place("/process/commandLine");
    assert!(found(&|rows| rows[ignored].note.clear()).contains("no note"));
    let unknown = |rows: &mut Vec<Row>| {
        let row = Row { field: "/linux/unknown".to_owned(), ..rows[cwd].clone() };
        rows.push(row);
    };
    assert!(found(&unknown).contains("/linux/unknown is no field"));
}

#[test]
fn every_example_is_of_the_type_that_the_field_has() {
    let examples = Examples::read();
    let fields = Field::all("config-fields.txt");
    let mut wrong = Vec::new();
    for (name, example) in examples.all() {
        for (place, value) in field::leaves(example, &fields) {
            match fields.iter().find(|field| field.matches(&place)) {
                Some(field) if field.kind.holds(value) => {}
                Some(field) => wrong.push(format!("{name}{place}: {value} is not {:?}", field.kind)),
                None => wrong.push(format!("{name}{place} is no field")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!Kind::read("uint16").holds(&serde_json::json!(65_536)));
    assert!(!Kind::read("[string]").holds(&serde_json::json!([1])));
    assert!(!Kind::read("{string}").holds(&serde_json::json!({"a": 1})));
}
