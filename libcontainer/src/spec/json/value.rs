use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Visitor};

use super::place::Here;
use super::visit::{List, Map, Optional, Structure, Word};

/// One value of the document and where it stands.
pub(super) struct Value<'a, D> {
    pub(super) json: D,
    pub(super) here: Here<'a>,
}

/// Reads one child and remembers where it was if that fails.
pub(super) struct Child<'a, S> {
    pub(super) seed: S,
    pub(super) here: Here<'a>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Child<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<S::Value, D::Error> {
        let Self { seed, here } = self;
        seed.deserialize(Value { json, here }).inspect_err(|_| here.failed())
    }
}

/// Methods for plain values: `null` is Go's zero value of the type.
macro_rules! plain {
    ($($method:ident => $visit:ident($zero:expr);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            struct OrZero<V>(V);
            impl<'de, V: Visitor<'de>> Visitor<'de> for OrZero<V> {
                type Value = V::Value;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.expecting(f)
                }
                fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
                    self.0.$visit($zero)
                }
                fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<V::Value, D::Error> {
                    json.$method(self.0)
                }
            }
            self.json.deserialize_option(OrZero(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Value<'_, D> {
    type Error = D::Error;

    plain! {
        deserialize_bool => visit_bool(false);
        deserialize_i8 => visit_i64(0);
        deserialize_i16 => visit_i64(0);
        deserialize_i32 => visit_i64(0);
        deserialize_i64 => visit_i64(0);
        deserialize_u8 => visit_u64(0);
        deserialize_u16 => visit_u64(0);
        deserialize_u32 => visit_u64(0);
        deserialize_u64 => visit_u64(0);
        deserialize_f32 => visit_f64(0.0);
        deserialize_f64 => visit_f64(0.0);
        deserialize_char => visit_str("");
        deserialize_str => visit_str("");
        deserialize_string => visit_str("");
        deserialize_bytes => visit_bytes(b"");
        deserialize_byte_buf => visit_bytes(b"");
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.json.deserialize_option(Optional { visitor, here: self.here })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.json.deserialize_option(List { visitor, here: self.here })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.json.deserialize_option(Map { visitor, here: self.here })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.json.deserialize_option(Structure { visitor, names, here: self.here })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.json.deserialize_option(Word { visitor })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_seq(visitor)
    }

    serde::forward_to_deserialize_any! { identifier unit unit_struct }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.json.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.json.deserialize_ignored_any(visitor)
    }
}
