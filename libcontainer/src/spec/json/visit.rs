//! Visitors that stand between serde_json and the type that is read. Each takes `null` for an empty value and
//! hands its children on as [`Value`](super::value::Value)s.

use std::fmt;

use serde::Deserializer;
use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::object::{Entries, Fields};
use super::place::{Here, Place};
use super::value::{Child, Value};

pub(super) struct Optional<'a, V> {
    pub(super) visitor: V,
    pub(super) here: Here<'a>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Optional<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Value { json, here: self.here })
    }
}

pub(super) struct List<'a, V> {
    pub(super) visitor: V,
    pub(super) here: Here<'a>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for List<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_seq(SeqDeserializer::new(std::iter::empty::<()>()))
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<V::Value, D::Error> {
        json.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Elements { list, index: 0, here: self.here })
    }
}

struct Elements<'a, A> {
    list: A,
    index: usize,
    here: Here<'a>,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let place = Place::Index(self.here.place, self.index);
        self.index += 1;
        self.list.next_element_seed(Child { seed, here: Here { place: &place, reading: self.here.reading } })
    }
}

pub(super) struct Map<'a, V> {
    pub(super) visitor: V,
    pub(super) here: Here<'a>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Map<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_map(MapDeserializer::new(std::iter::empty::<((), ())>()))
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<V::Value, D::Error> {
        json.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Entries::new(map, self.here))
    }
}

pub(super) struct Structure<'a, V> {
    pub(super) visitor: V,
    pub(super) names: &'static [&'static str],
    pub(super) here: Here<'a>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Structure<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_map(MapDeserializer::new(std::iter::empty::<((), ())>()))
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<V::Value, D::Error> {
        // Not deserialize_struct: serde_json would also take a list, as the fields in order.
        json.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Fields::new(map, self.names, self.here)?)
    }
}

/// An enumeration, which in a configuration is always a plain word.
pub(super) struct Word<V> {
    pub(super) visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Word<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visit_str("")
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<V::Value, D::Error> {
        json.deserialize_str(self)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<V::Value, E> {
        self.visitor.visit_enum(StrDeserializer::new(word))
    }
}
