//! Values of unit properties, as plain data that a plan can hold and print.

use std::fmt;

/// A property of a unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    /// Its name, `MemoryMax` for example.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// JSON pointer of the configuration value that it comes from, if there is one.
    pub pointer: Option<String>,
}

impl Property {
    pub(super) fn new(name: &str, value: impl Into<Value>) -> Self {
        Self { name: name.to_owned(), value: value.into(), pointer: None }
    }

    pub(super) fn because_of(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

/// A value of one of the types that properties have.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `b`
    Bool(bool),
    /// `y`
    Byte(u8),
    /// `n`
    I16(i16),
    /// `q`
    U16(u16),
    /// `i`
    I32(i32),
    /// `u`
    U32(u32),
    /// `x`
    I64(i64),
    /// `t`
    U64(u64),
    /// `d`
    F64(f64),
    /// `s`
    Text(String),
    /// `a…`
    Array(Type, Vec<Value>),
    /// `(…)`
    Tuple(Vec<Value>),
}

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `b`
    Bool,
    /// `y`
    Byte,
    /// `n`
    I16,
    /// `q`
    U16,
    /// `i`
    I32,
    /// `u`
    U32,
    /// `x`
    I64,
    /// `t`
    U64,
    /// `d`
    F64,
    /// `s`
    Text,
    /// `a…`
    Array(Box<Type>),
    /// `(…)`
    Tuple(Vec<Type>),
}

impl Value {
    /// A list of strings with a value each, such as the `a(ss)` of device rules.
    pub(super) fn pairs(pairs: impl IntoIterator<Item = (String, Value)>, second: Type) -> Self {
        let element = Type::Tuple(vec![Type::Text, second]);
        let items = pairs.into_iter().map(|(text, value)| Self::Tuple(vec![Self::Text(text), value]));
        Self::Array(element, items.collect())
    }

    pub(super) fn kind(&self) -> Type {
        match self {
            Self::Bool(_) => Type::Bool,
            Self::Byte(_) => Type::Byte,
            Self::I16(_) => Type::I16,
            Self::U16(_) => Type::U16,
            Self::I32(_) => Type::I32,
            Self::U32(_) => Type::U32,
            Self::I64(_) => Type::I64,
            Self::U64(_) => Type::U64,
            Self::F64(_) => Type::F64,
            Self::Text(_) => Type::Text,
            Self::Array(element, _) => Type::Array(Box::new(element.clone())),
            Self::Tuple(parts) => Type::Tuple(parts.iter().map(Self::kind).collect()),
        }
    }

    /// A number of seconds as one of microseconds, which is how the bus has it; `None` if it is no number.
    pub(super) fn in_microseconds(&self) -> Option<Self> {
        const SECOND: u64 = 1_000_000;
        let whole = |seconds: u64| Self::U64(seconds.saturating_mul(SECOND));
        // systemd refuses no negative time either: it is a very long one.
        Some(match *self {
            Self::Byte(seconds) => whole(seconds.into()),
            Self::U16(seconds) => whole(seconds.into()),
            Self::U32(seconds) => whole(seconds.into()),
            Self::U64(seconds) => whole(seconds),
            Self::I16(seconds) => whole(i64::from(seconds).cast_unsigned()),
            Self::I32(seconds) => whole(i64::from(seconds).cast_unsigned()),
            Self::I64(seconds) => whole(seconds.cast_unsigned()),
            Self::F64(seconds) => Self::U64((seconds * SECOND as f64) as u64),
            _ => return None,
        })
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from!(bool => Bool, u32 => U32, u64 => U64, &str => Text, String => Text);

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Array(Type::Byte, bytes.iter().map(|byte| Self::Byte(*byte)).collect())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(yes) => write!(f, "{}", if *yes { "yes" } else { "no" }),
            Self::U64(u64::MAX) => f.write_str("infinity"),
            Self::Byte(number) => write!(f, "{number}"),
            Self::I16(number) => write!(f, "{number}"),
            Self::U16(number) => write!(f, "{number}"),
            Self::I32(number) => write!(f, "{number}"),
            Self::U32(number) => write!(f, "{number}"),
            Self::I64(number) => write!(f, "{number}"),
            Self::U64(number) => write!(f, "{number}"),
            Self::F64(number) => write!(f, "{number}"),
            Self::Text(text) if !text.is_empty() && !text.contains([' ', '[', '"']) => f.write_str(text),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Array(_, items) => {
                f.write_str("[")?;
                list(f, items, ", ")?;
                f.write_str("]")
            }
            Self::Tuple(parts) => list(f, parts, " "),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, values: &[Value], between: &str) -> fmt::Result {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        write!(f, "{value}")?;
    }
    Ok(())
}
