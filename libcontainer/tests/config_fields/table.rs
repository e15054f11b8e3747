//! The table in docs/config.md.

use crate::Fates;
use crate::field::Field;

/// One line of the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) field: String,
    pub(crate) fate: String,
    pub(crate) note: String,
}

const HEAD: &str = "| field | what becomes of it | note |\n| --- | --- | --- |\n";

/// The rows of the document, in order.
pub(crate) fn rows(document: &str) -> Vec<Row> {
    let lines = document.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let row = |line: &str| {
        let mut cells = line.split(" | ").map(str::trim);
        let mut cell = || cells.next().unwrap_or_default().to_owned();
        Row { field: cell().trim_end_matches('`').to_owned(), fate: cell(), note: cell() }
    };
    lines.map(row).collect()
}

/// The document with the fates as they are and the notes as they were.
pub(crate) fn updated(document: &str, expected: &[(Field, Result<Fates, String>)]) -> String {
    let old = rows(document);
    let mut table = String::from(HEAD);
    for (field, fates) in expected {
        let Ok(fates) = fates else { continue };
        let note = old.iter().find(|row| row.field == field.pointer).map_or("", |row| &row.note);
        table += &format!("| `{}` | {fates} | {note} |\n", field.pointer);
    }
    let (before, _) = document.split_once(HEAD).unwrap_or_else(|| panic!("the table has another head"));
    let (_, rest) = document.split_once(HEAD).unwrap_or_default();
    let after: String =
        rest.lines().skip_while(|line| line.starts_with('|')).flat_map(|line| [line, "\n"]).collect();
    format!("{before}{table}{after}")
}
