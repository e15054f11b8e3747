//! Annotations `org.systemd.property.*`: properties of the unit that no field of the configuration has.

use std::collections::BTreeMap;

use super::super::CgroupError;
use super::text;
use super::value::Property;
use crate::cgroup::limits::pointer;

const PREFIX: &str = "org.systemd.property.";

/// The properties that annotations ask for.
///
/// A name that ends with `Sec` is one as unit files have it: the bus has it in microseconds and under another name.
///
/// # Errors
/// A value that cannot be read, with the annotation's JSON pointer.
pub fn properties(annotations: &BTreeMap<String, String>) -> Result<Vec<Property>, CgroupError> {
    let named = annotations.iter().filter_map(|(key, value)| Some((key, key.strip_prefix(PREFIX)?, value)));
    named
        .filter(|(_, name, _)| !name.is_empty())
        .map(|(key, name, value)| property(key, name, value))
        .collect()
}

fn property(key: &str, name: &str, given: &str) -> Result<Property, CgroupError> {
    let pointer = format!("/annotations/{}", pointer::token(key));
    let invalid = |reason: String| CgroupError::invalid(&pointer, format!("{given:?}"), reason);
    let value = text::parse(given).map_err(invalid)?;
    let property = match seconds(name) {
        None => Property::new(name, value),
        Some(stem) => {
            let value =
                value.in_microseconds().ok_or_else(|| invalid("is not a number of seconds".into()))?;
            Property::new(&format!("{stem}USec"), value)
        }
    };
    Ok(property.because_of(pointer))
}

/// `TimeoutStop` of `TimeoutStopSec`, but nothing of `TimeoutStopUSec`, nor of `Sec` alone.
fn seconds(name: &str) -> Option<&str> {
    name.strip_suffix("Sec").filter(|stem| stem.ends_with(|c: char| c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::systemd::value::Value;

    fn one(name: &str, value: &str) -> Result<Property, CgroupError> {
        let mut found = properties(&BTreeMap::from([
            (format!("{PREFIX}{name}"), value.to_owned()),
            ("org.x".into(), "y".into()),
        ]))?;
        assert_eq!(found.len(), 1, "{found:?}");
        Ok(found.remove(0))
    }

    #[test]
    fn annotations_become_properties() {
        let found = [
            ("CollectMode", "'inactive-or-failed'", "CollectMode=inactive-or-failed"),
            ("TimeoutStopUSec", "uint64 5", "TimeoutStopUSec=5"),
            ("TimeoutStopSec", "5", "TimeoutStopUSec=5000000"),
            ("TimeoutStopSec", "uint64 5", "TimeoutStopUSec=5000000"),
            ("TimeoutStopSec", "byte 5", "TimeoutStopUSec=5000000"),
            ("RuntimeMaxSec", "1.5", "RuntimeMaxUSec=1500000"),
            ("RuntimeMaxSec", "uint64 18446744073709551615", "RuntimeMaxUSec=infinity"),
            ("Sec", "5", "Sec=5"),
            ("XSec", "5", "XSec=5"),
            ("Wants", "['a.service']", "Wants=[a.service]"),
        ];
        for (name, value, shown) in found {
            let property = one(name, value).unwrap();
            assert_eq!(property.to_string(), shown, "{name}");
            assert_eq!(property.pointer, Some(format!("/annotations/{PREFIX}{name}")));
        }
        assert_eq!(one("TimeoutStopSec", "5").unwrap().value, Value::U64(5_000_000));
    }

    #[test]
    fn other_annotations_are_none() {
        let others =
            BTreeMap::from([(PREFIX.to_owned(), "5".to_owned()), ("org.criu.config".into(), "/x".into())]);
        assert_eq!(properties(&others).unwrap(), []);
    }

    #[test]
    fn what_cannot_be_read_names_the_annotation() {
        let error = one("CollectMode", "inactive").unwrap_err();
        assert_eq!(
            error.to_string(),
            "/annotations/org.systemd.property.CollectMode: \"inactive\": \"inactive\" is no value, at \"inactive\""
        );
        let error = one("TimeoutStopSec", "'5'").unwrap_err();
        assert!(error.to_string().ends_with("is not a number of seconds"), "{error}");
        assert_eq!(
            one("a/b~c", "").unwrap_err().pointer(),
            Some("/annotations/org.systemd.property.a~1b~0c")
        );
    }
}
