//! The list of fields, and the places of a document that each of them names.

use std::fs;

use serde_json::Value;

use crate::folder;

/// A field that holds a value of its own.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// A JSON pointer with `N` for an index and `KEY` for a name that the user chooses.
    pub(crate) pointer: String,
    pub(crate) kind: Kind,
}

/// What a field holds.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Text,
    Bool,
    /// Within these bounds.
    Number(i128, i128),
    /// The block of another platform.
    Object,
    List(Box<Kind>),
    Map(Box<Kind>),
}

impl Kind {
    pub(crate) fn read(word: &str) -> Self {
        let inside = |open, close| word.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        if let Some(item) = inside('[', ']') {
            return Self::List(Box::new(Self::read(item)));
        }
        if let Some(item) = inside('{', '}') {
            return Self::Map(Box::new(Self::read(item)));
        }
        match word {
            "string" => Self::Text,
            "bool" => Self::Bool,
            "object" => Self::Object,
            "int32" => Self::Number(i32::MIN.into(), i32::MAX.into()),
            "int64" => Self::Number(i64::MIN.into(), i64::MAX.into()),
            "uint16" => Self::Number(0, u16::MAX.into()),
            "uint32" => Self::Number(0, u32::MAX.into()),
            "uint64" => Self::Number(0, u64::MAX.into()),
            word => panic!("{word:?} is no type"),
        }
    }

    pub(crate) fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Bool => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Number(min, max) => {
                let number = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
                number.is_some_and(|number| (min..=max).contains(&&number))
            }
            Self::List(kind) => value.as_array().is_some_and(|list| list.iter().all(|item| kind.holds(item))),
            Self::Map(kind) => value.as_object().is_some_and(|map| map.values().all(|item| kind.holds(item))),
        }
    }
}

impl Field {
    /// The fields of a file of `fixtures/schema`, in order.
    pub(crate) fn all(file: &str) -> Vec<Self> {
        let text = fs::read_to_string(folder().join(file)).unwrap();
        let field = |line: &str| {
            let (pointer, kind) = line.split_once(' ').unwrap();
            Self { pointer: pointer.to_owned(), kind: Kind::read(kind.trim()) }
        };
        text.lines().map(field).collect()
    }

    /// Whether the JSON pointer `place` leads to a value of this field.
    pub(crate) fn matches(&self, place: &str) -> bool {
        let fits = |(pattern, key): (&str, &str)| match pattern {
            "N" => key.parse::<usize>().is_ok(),
            "KEY" => true,
            pattern => pattern == key,
        };
        let count = |text: &str| text.split('/').count();
        count(&self.pointer) == count(place) && self.pointer.split('/').zip(place.split('/')).all(fits)
    }

    /// Where the document has this field.
    pub(crate) fn places(&self, document: &Value) -> Vec<String> {
        let mut places = Vec::new();
        walk(document, String::new(), &mut |place, _| {
            if self.matches(place) {
                places.push(place.to_owned());
            }
            true
        });
        places
    }
}

/// The values of `document` that are those of a field, and those that are of none.
pub(crate) fn leaves<'v>(document: &'v Value, fields: &[Field]) -> Vec<(String, &'v Value)> {
    let mut leaves = Vec::new();
    walk(document, String::new(), &mut |place, value| {
        let is_leaf = fields.iter().any(|field| field.matches(place)) || !is_branch(value);
        if is_leaf {
            leaves.push((place.to_owned(), value));
        }
        !is_leaf
    });
    leaves
}

fn is_branch(value: &Value) -> bool {
    value.as_array().is_some_and(|list| !list.is_empty())
        || value.as_object().is_some_and(|map| !map.is_empty())
}

/// Calls `visit` with every place below `place`; goes deeper where that says so.
fn walk<'v>(value: &'v Value, place: String, visit: &mut dyn FnMut(&str, &'v Value) -> bool) {
    if !visit(&place, value) {
        return;
    }
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, child)| walk(child, format!("{place}/{key}"), visit));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, child)| walk(child, format!("{place}/{index}"), visit));
        }
        _ => {}
    }
}
