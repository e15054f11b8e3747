//! The two kinds of JSON object: structures, whose keys the runtime-spec names, and maps, whose keys are data.

use std::fmt;

use serde::Deserializer;
use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::place::{Here, Place};
use super::value::Child;

/// The fields of a structure that the type knows, each once.
pub(super) struct Fields<'de, 'a, A> {
    source: Source<'de, A>,
    names: &'static [&'static str],
    /// Bit N: the field `names[N]` was there.
    seen: u64,
    current: &'static str,
    here: Here<'a>,
}

enum Source<'de, A> {
    Streamed(A),
    /// The last value of each field, found before the first one is read.
    Collected {
        fields: std::vec::IntoIter<(usize, &'de RawValue)>,
        next: Option<&'de RawValue>,
    },
}

impl<'de, 'a, A: MapAccess<'de>> Fields<'de, 'a, A> {
    pub(super) fn new(mut map: A, names: &'static [&'static str], here: Here<'a>) -> Result<Self, A::Error> {
        let source = match here.reading.keep_last {
            false => Source::Streamed(map),
            true => Source::Collected { fields: last_of_each(&mut map, names)?.into_iter(), next: None },
        };
        Ok(Self { source, names, seen: 0, current: "", here })
    }

    /// The index of the next known field.
    fn next_index(&mut self) -> Result<Option<usize>, A::Error> {
        let map = match &mut self.source {
            Source::Collected { fields, next } => {
                return Ok(fields.next().map(|(index, value)| {
                    *next = Some(value);
                    index
                }));
            }
            Source::Streamed(map) => map,
        };
        while let Some(index) = map.next_key_seed(FieldName(self.names))? {
            let Some(index) = index else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let bit = 1_u64.checked_shl(u32::try_from(index).unwrap_or(u32::MAX)).unwrap_or(0);
            if self.seen & bit != 0 {
                self.here.reading.repeated.set(true);
                return Err(Error::custom("a key is repeated"));
            }
            self.seen |= bit;
            return Ok(Some(index));
        }
        Ok(None)
    }
}

fn last_of_each<'de, A: MapAccess<'de>>(
    map: &mut A,
    names: &[&str],
) -> Result<Vec<(usize, &'de RawValue)>, A::Error> {
    let mut fields: Vec<(usize, &RawValue)> = Vec::new();
    while let Some(index) = map.next_key_seed(FieldName(names))? {
        let value = map.next_value()?;
        let Some(index) = index else { continue };
        match fields.iter_mut().find(|(known, _)| *known == index) {
            Some(field) => field.1 = value,
            None => fields.push((index, value)),
        }
    }
    Ok(fields)
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<'de, '_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let Some(index) = self.next_index()? else { return Ok(None) };
        self.current = self.names.get(index).copied().unwrap_or_default();
        seed.deserialize(BorrowedStrDeserializer::new(self.current)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let place = Place::Key(self.here.place, self.current);
        let child = Child { seed, here: Here { place: &place, reading: self.here.reading } };
        match &mut self.source {
            Source::Streamed(map) => map.next_value_seed(child),
            Source::Collected { next, .. } => {
                let text = next.take().map_or("null", RawValue::get);
                child.deserialize(&mut serde_json::Deserializer::from_str(text)).map_err(Error::custom)
            }
        }
    }
}

/// Finds the field that a key names: the exact name, or the same letters in another case as Go does.
struct FieldName<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for FieldName<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Option<usize>, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldName<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<usize>, E> {
        let exact = self.0.iter().position(|name| *name == key);
        Ok(exact.or_else(|| self.0.iter().position(|name| same_letters(name, key))))
    }
}

/// Go folds by Unicode, where just two other letters have an ASCII one as their simple fold.
fn same_letters(name: &str, key: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    name.chars().map(fold).eq(key.chars().map(fold))
}

/// The entries of a map; its keys are the user's and stay as they are.
pub(super) struct Entries<'a, A> {
    map: A,
    key: String,
    here: Here<'a>,
}

impl<'a, A> Entries<'a, A> {
    pub(super) fn new(map: A, here: Here<'a>) -> Self {
        Self { map, key: String::new(), here }
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let Some(key) = self.map.next_key::<String>()? else { return Ok(None) };
        self.key.clone_from(&key);
        seed.deserialize(StringDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let place = Place::Key(self.here.place, &self.key);
        self.map.next_value_seed(Child { seed, here: Here { place: &place, reading: self.here.reading } })
    }
}
