//! JSON as Go's `encoding/json` reads it, in one pass over the text.
//!
//! Clients write `config.json` with Go and test it with runc, so what Go accepts must mean the same here: keys of
//! known structures in any case, unknown keys ignored, `null` like an absent value, the last of repeated keys.
//! [`Value`] wraps serde_json's deserializer for that; maps with the user's own keys (annotations, sysctl) keep them.

mod object;
mod place;
mod value;
mod visit;

use std::cell::{Cell, RefCell};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::problem::{Checked, Problem};
use place::{Here, Place};
use value::Value;

/// What all levels of one reading share.
#[derive(Default)]
struct Reading {
    /// Look ahead for repeated keys in every structure. Slower, and only needed if there are any.
    keep_last: bool,
    /// A structure had a key twice.
    repeated: Cell<bool>,
    /// Where the first error happened; the innermost level knows it and the outer ones leave it.
    failed_at: RefCell<Option<String>>,
}

/// Reads a whole document.
pub(super) fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Checked<T> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("not UTF-8 at byte {}; write it as JSON in UTF-8", error.valid_up_to());
        Problem::invalid("", message)
    })?;
    let reading = Reading::default();
    match read_with(text, &reading) {
        Err(_) if reading.repeated.get() => {
            let reading = Reading { keep_last: true, ..Reading::default() };
            read_with(text, &reading).map_err(|error| explain(text, &error, reading))
        }
        result => result.map_err(|error| explain(text, &error, reading)),
    }
}

fn read_with<'de, T: Deserialize<'de>>(text: &'de str, reading: &Reading) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(Value { json: &mut json, here: Here { place: &Place::Document, reading } })?;
    json.end()?;
    Ok(value)
}

/// serde_json reports some wrong types as syntax errors, so the text itself is asked which of the two it is.
fn explain(text: &str, error: &serde_json::Error, reading: Reading) -> Problem {
    if let Err(syntax) = serde_json::from_str::<IgnoredAny>(text) {
        let (line, column) = (syntax.line(), syntax.column());
        let message = format!("not JSON: {} at line {line}, column {column}", without_position(&syntax));
        return Problem::invalid("", message);
    }
    Problem::invalid(reading.failed_at.into_inner().unwrap_or_default(), without_position(error))
}

fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) if error.line() > 0 => text.get(..end).unwrap_or_default().to_owned(),
        _ => text,
    }
}
