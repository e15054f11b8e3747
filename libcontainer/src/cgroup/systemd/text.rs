//! Values in the text format of GVariant, which is how annotations write the properties of units:
//! `'x'`, `true`, `5`, `uint64 5`, `[1, 2]`, `('a', byte 1)`, `@as []`.

use super::value::{Type, Value};

/// Arrays and tuples may be this deep in each other, as in a message of the bus.
const DEEPEST: usize = 32;

/// Reads a value.
///
/// # Errors
/// A sentence of what is wrong, with the place.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { rest: text, depth: 0 };
    let parsed = reader.value(None).and_then(|value| {
        reader.skip_spaces();
        if reader.rest.is_empty() { Ok(value) } else { Err("nothing more was expected".to_owned()) }
    });
    parsed.map_err(|wrong| match reader.rest {
        "" => format!("{wrong}, at the end"),
        rest => format!("{wrong}, at {rest:?}"),
    })
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Whether `sign` comes next; it is read then.
    fn takes(&mut self, sign: char) -> bool {
        self.skip_spaces();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Everything up to the next character that a word or number cannot have.
    fn word(&mut self) -> &'t str {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '.');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// A value of type `expected`, or of the type that it says itself.
    fn value(&mut self, expected: Option<&Type>) -> Result<Value, String> {
        self.skip_spaces();
        match self.rest.chars().next() {
            None => Err("a value was expected".to_owned()),
            Some('@') => {
                self.takes('@');
                let named = self.signature(0)?;
                self.of_named(&named, expected)
            }
            Some(quote @ ('\'' | '"')) => fitting(Value::Text(self.quoted(quote)?), expected),
            Some('[') => self.nested(|reader| reader.array(expected)),
            Some('(') => self.nested(|reader| reader.tuple(expected)),
            Some('{' | '<') => Err("no property of a unit is a dictionary or a variant".to_owned()),
            Some(_) => self.plain(expected),
        }
    }

    fn of_named(&mut self, named: &Type, expected: Option<&Type>) -> Result<Value, String> {
        if expected.is_some_and(|expected| expected != named) {
            return Err("all elements must be of one type".to_owned());
        }
        self.nested(|reader| reader.value(Some(named)))
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<Value, String>) -> Result<Value, String> {
        if self.depth == DEEPEST {
            return Err(format!("values may be {DEEPEST} deep in each other"));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn array(&mut self, expected: Option<&Type>) -> Result<Value, String> {
        self.takes('[');
        let mut element = match expected {
            None => None,
            Some(Type::Array(element)) => Some(Type::clone(element)),
            Some(_) => return Err("an array was not expected".to_owned()),
        };
        let items = self.items(
            ']',
            |_| Ok(()),
            |reader| {
                let item = reader.value(element.as_ref())?;
                element.get_or_insert_with(|| item.kind());
                Ok(item)
            },
        )?;
        let element = element.ok_or("an empty array must name its type, as @as []")?;
        Ok(Value::Array(element, items))
    }

    fn tuple(&mut self, expected: Option<&Type>) -> Result<Value, String> {
        self.takes('(');
        let types: Option<&[Type]> = match expected {
            None => None,
            Some(Type::Tuple(types)) => Some(types),
            Some(_) => return Err("a tuple was not expected".to_owned()),
        };
        let count = |count| match types {
            Some(types) if types.len() != count => Err(format!("{} parts were expected", types.len())),
            _ if count == 0 => Err("a tuple must have parts".to_owned()),
            _ => Ok(()),
        };
        let mut place = 0;
        let parts = self.items(')', count, |reader| {
            let part = reader.value(types.and_then(|types| types.get(place)));
            place += 1;
            part
        })?;
        Ok(Value::Tuple(parts))
    }

    /// What stands between commas, up to `end`; a comma may stand before it.
    fn items(
        &mut self,
        end: char,
        check: impl Fn(usize) -> Result<(), String>,
        mut item: impl FnMut(&mut Self) -> Result<Value, String>,
    ) -> Result<Vec<Value>, String> {
        let mut items = Vec::new();
        while !self.takes(end) {
            if !items.is_empty() && !self.takes(',') {
                return Err(format!("',' or {end:?} was expected"));
            }
            if !items.is_empty() && self.takes(end) {
                break;
            }
            items.push(item(self)?);
        }
        check(items.len()).map(|()| items)
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        let mut chars = self.rest.chars();
        chars.next();
        while let Some(c) = chars.next() {
            match c {
                '\0' => return Err("a text cannot have NUL in it".to_owned()),
                '\\' => text.push(escaped(&mut chars)?),
                c if c == quote => {
                    self.rest = chars.as_str();
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err(format!("the closing {quote} is missing"))
    }

    /// A number, `true`, `false`, or the name of a type with a value behind it.
    fn plain(&mut self, expected: Option<&Type>) -> Result<Value, String> {
        let start = self.rest;
        let word = self.word();
        let value = match word {
            "true" => fitting(Value::Bool(true), expected),
            "false" => fitting(Value::Bool(false), expected),
            _ => match named(word) {
                Some(named) => self.of_named(&named, expected),
                None => number(word, expected),
            },
        };
        if value.is_err() && named(word).is_none() {
            self.rest = start;
        }
        value
    }

    fn signature(&mut self, depth: usize) -> Result<Type, String> {
        let mut rest = self.rest.chars();
        let letter = rest.next().ok_or("a type was expected")?;
        self.rest = rest.as_str();
        if depth == DEEPEST {
            return Err(format!("types may be {DEEPEST} deep in each other"));
        }
        Ok(match letter {
            'b' => Type::Bool,
            'y' => Type::Byte,
            'n' => Type::I16,
            'q' => Type::U16,
            'i' => Type::I32,
            'u' => Type::U32,
            'x' => Type::I64,
            't' => Type::U64,
            'd' => Type::F64,
            's' => Type::Text,
            'a' => Type::Array(Box::new(self.signature(depth + 1)?)),
            '(' => {
                let mut parts = Vec::new();
                while !self.rest.starts_with(')') {
                    parts.push(self.signature(depth + 1)?);
                }
                self.takes(')');
                if parts.is_empty() {
                    return Err("a tuple must have parts".to_owned());
                }
                Type::Tuple(parts)
            }
            other => return Err(format!("{other:?} is the type of no property of a unit")),
        })
    }
}

fn named(word: &str) -> Option<Type> {
    Some(match word {
        "boolean" => Type::Bool,
        "byte" => Type::Byte,
        "int16" => Type::I16,
        "uint16" => Type::U16,
        "int32" => Type::I32,
        "uint32" => Type::U32,
        "int64" => Type::I64,
        "uint64" => Type::U64,
        "double" => Type::F64,
        "string" => Type::Text,
        _ => return None,
    })
}

fn fitting(value: Value, expected: Option<&Type>) -> Result<Value, String> {
    match expected {
        Some(expected) if value.kind() != *expected => Err("it is not of the expected type".to_owned()),
        _ => Ok(value),
    }
}

/// Without anything that says otherwise, a number is an `int32`, or a `double` if it is written like one.
fn number(word: &str, expected: Option<&Type>) -> Result<Value, String> {
    let (sign, digits) = match word.strip_prefix(['-', '+']) {
        Some(digits) => (if word.starts_with('-') { -1 } else { 1 }, digits),
        None => (1, word),
    };
    let is_double = |digits: &str| {
        digits.starts_with(['.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
            && !digits.starts_with("0x")
            && digits.contains(['.', 'e', 'E'])
    };
    let expected = match expected {
        Some(expected) => expected,
        None if is_double(digits) => &Type::F64,
        None => &Type::I32,
    };
    if *expected == Type::F64 {
        let wrong = || format!("{word:?} is no number");
        let starts_well = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        return word.parse().ok().filter(|_| starts_well).map(Value::F64).ok_or_else(wrong);
    }
    let (digits, radix) = match (digits.strip_prefix("0x"), digits.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        _ => (digits, 10),
    };
    // A second sign is none of the format's.
    let plain = Some(digits).filter(|digits| digits.starts_with(|c: char| c.is_ascii_alphanumeric()));
    let number = plain.and_then(|digits| i128::from_str_radix(digits, radix).ok());
    let number = number.ok_or_else(|| format!("{word:?} is no value"))? * sign;
    let value = match expected {
        Type::Byte => number.try_into().ok().map(Value::Byte),
        Type::I16 => number.try_into().ok().map(Value::I16),
        Type::U16 => number.try_into().ok().map(Value::U16),
        Type::I32 => number.try_into().ok().map(Value::I32),
        Type::U32 => number.try_into().ok().map(Value::U32),
        Type::I64 => number.try_into().ok().map(Value::I64),
        Type::U64 => number.try_into().ok().map(Value::U64),
        _ => return Err("a number was not expected".to_owned()),
    };
    value.ok_or_else(|| format!("{word} is out of the type's range"))
}

fn escaped(chars: &mut std::str::Chars<'_>) -> Result<char, String> {
    Ok(match chars.next().ok_or("there is nothing after a backslash")? {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        'u' => code(chars, 4)?,
        'U' => code(chars, 8)?,
        other => other,
    })
}

fn code(chars: &mut std::str::Chars<'_>, digits: usize) -> Result<char, String> {
    let written: String = chars.take(digits).collect();
    let number = u32::from_str_radix(&written, 16).ok().filter(|_| written.len() == digits);
    let code = number.filter(|number| *number != 0).and_then(char::from_u32);
    code.ok_or_else(|| format!("{written:?} is the code of no character"))
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
