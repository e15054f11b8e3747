//! Plans as lists that can be compared.

use libcontainer::Plan;
use libcontainer::planner::{Action, Entry};
use serde_json::Value;

/// Each entry as text, without the numbers of lent trees, which follow from all that is lent.
pub(crate) fn entries(plan: &Plan) -> Vec<String> {
    let json = plan.to_json();
    let entry = |entry: &Value| {
        let text = format!("{} {} {}", entry["actor"], entry["step"], entry["undo"]);
        let mut parts = text.split('#');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + "#" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
    };
    json["entries"].as_array().unwrap().iter().map(entry).collect()
}

/// Whether `few` can be had from `many` by leaving entries out.
pub(crate) fn is_part_of(few: &[String], many: &[String]) -> bool {
    let mut rest = many.iter();
    few.iter().all(|wanted| rest.any(|entry| entry == wanted))
}

/// The first word of the step as Rust prints it.
pub(crate) fn name(entry: &Entry) -> String {
    let text = match &entry.action {
        Action::Host(step) => format!("{step:?}"),
        Action::Child(step) => format!("{step:?}"),
    };
    text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// Every place of the document below its top.
pub(crate) fn places(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(document, "", &mut found);
    found
}

fn collect(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut child = |key: &str, value: &Value| {
        let place = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        collect(value, &place, found);
        found.push(place);
    };
    match value {
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, item)| child(&index.to_string(), item))
        }
        Value::Object(map) => map.iter().for_each(|(key, item)| child(key, item)),
        _ => {}
    }
}
