//! Messages of a bus as bytes, by the wire format that zbus has.

use serde::ser::{Serialize, SerializeSeq, SerializeStruct, Serializer};
use zbus::wire::serialized::{Context, Data};
use zbus::wire::{BE, Endian, LE, to_bytes, to_bytes_for_signature};
use zbus::{Array, ObjectPath, Signature, Structure, Variant};

use crate::cgroup::systemd::value::{Type, Value};

/// More than any answer of systemd has; the specification allows 128 MiB.
const LONGEST: usize = 16 << 20;
/// The bytes that tell how long a message is.
pub(super) const START: usize = 16;

/// The type of a head.
const HEAD: &str = "(yyyyuua(yv))";

const CALL: u8 = 1;
pub(super) const RETURN: u8 = 2;
pub(super) const ERROR: u8 = 3;
pub(super) const SIGNAL: u8 = 4;

const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SENDER: u8 = 7;
const SIGNATURE: u8 = 8;

/// A method, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Method {
    /// The name of the one who has it, on a bus.
    pub(crate) owner: &'static str,
    pub(crate) path: &'static str,
    pub(crate) interface: &'static str,
    pub(crate) name: &'static str,
}

/// What is of interest in a message that has come.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) interface: Option<String>,
    pub(super) member: Option<String>,
    pub(super) error: Option<String>,
    pub(super) reply_to: Option<u32>,
    pub(super) sender: Option<String>,
    signature: Option<Signature>,
    /// Where the body starts in the message, and how it is to be read.
    body: usize,
    context: Option<Context>,
}

/// The bytes of a call. The owner is left out where there is nobody but systemd.
pub(super) fn call(
    method: Method,
    serial: u32,
    on_bus: bool,
    arguments: Vec<Variant<'_>>,
) -> Result<Vec<u8>, String> {
    let path = ObjectPath::try_from(method.path).map_err(|error| error.to_string())?;
    let mut fields = vec![
        (PATH, Variant::from(path)),
        (INTERFACE, Variant::from(method.interface)),
        (MEMBER, Variant::from(method.name)),
    ];
    if on_bus {
        fields.push((DESTINATION, Variant::from(method.owner)));
    }
    message(LE, (CALL, serial), fields, arguments)
}

/// The bytes of a message of a kind, with its serial number.
pub(super) fn message(
    order: Endian,
    (kind, serial): (u8, u32),
    fields: Vec<(u8, Variant<'_>)>,
    arguments: Vec<Variant<'_>>,
) -> Result<Vec<u8>, String> {
    let context = Context::new(order, 0);
    let (body, signature) = match structure(arguments)? {
        Some(body) => {
            let bytes = to_bytes(context, &body).map_err(|error| error.to_string())?;
            (bytes.bytes().to_vec(), Some(body.signature().to_string_no_parens()))
        }
        None => (Vec::new(), None),
    };
    let fields = Fields { fields, body: signature.as_deref() };
    let length = u32::try_from(body.len()).map_err(|_| "too many arguments".to_owned())?;
    let mark = if order == LE { b'l' } else { b'B' };
    let head = (mark, kind, 0u8, 1u8, length, serial, fields);
    let head = to_bytes_for_signature(context, HEAD, &head).map_err(|error| error.to_string())?;
    let mut message = head.bytes().to_vec();
    message.resize(message.len().next_multiple_of(8), 0);
    message.extend(body);
    Ok(message)
}

/// The fields of a head. The signature of a body is one of a structure without the brackets, which only here is one.
struct Fields<'f> {
    fields: Vec<(u8, Variant<'f>)>,
    body: Option<&'f str>,
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_seq(None)?;
        for field in &self.fields {
            fields.serialize_element(field)?;
        }
        if let Some(body) = self.body {
            fields.serialize_element(&(SIGNATURE, Bare(body)))?;
        }
        fields.end()
    }
}

/// A signature in a variant, as it is written.
struct Bare<'s>(&'s str);

impl Serialize for Bare<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut variant = serializer.serialize_struct("Variant", 2)?;
        variant.serialize_field("signature", &Signature::Signature)?;
        variant.serialize_field("value", self.0)?;
        variant.end()
    }
}

/// `None` without any field, which the format has no structure for.
fn structure(fields: Vec<Variant<'_>>) -> Result<Option<Structure<'_>>, String> {
    if fields.is_empty() {
        return Ok(None);
    }
    let mut builder = Structure::builder();
    for field in fields {
        builder.push_value(field);
    }
    builder.build().map(Some).map_err(|error| error.to_string())
}

fn signature(text: &str) -> Result<Signature, String> {
    Signature::try_from(text).map_err(|error| error.to_string())
}

impl Type {
    fn signature(&self) -> String {
        match self {
            Self::Bool => "b".to_owned(),
            Self::Byte => "y".to_owned(),
            Self::I16 => "n".to_owned(),
            Self::U16 => "q".to_owned(),
            Self::I32 => "i".to_owned(),
            Self::U32 => "u".to_owned(),
            Self::I64 => "x".to_owned(),
            Self::U64 => "t".to_owned(),
            Self::F64 => "d".to_owned(),
            Self::Text => "s".to_owned(),
            Self::Array(element) => format!("a{}", element.signature()),
            Self::Tuple(parts) => format!("({})", parts.iter().map(Self::signature).collect::<String>()),
        }
    }
}

/// A value as the bus has it.
pub(crate) fn variant(value: &Value) -> Result<Variant<'_>, String> {
    Ok(match value {
        Value::Bool(yes) => Variant::Bool(*yes),
        Value::Byte(number) => Variant::U8(*number),
        Value::I16(number) => Variant::I16(*number),
        Value::U16(number) => Variant::U16(*number),
        Value::I32(number) => Variant::I32(*number),
        Value::U32(number) => Variant::U32(*number),
        Value::I64(number) => Variant::I64(*number),
        Value::U64(number) => Variant::U64(*number),
        Value::F64(number) => Variant::F64(*number),
        Value::Text(text) => Variant::from(text.as_str()),
        Value::Array(element, items) => list(&element.signature(), items.iter().map(variant))?,
        Value::Tuple(parts) => tuple(parts.iter().map(variant).collect::<Result<_, _>>()?)?,
    })
}

/// An array; `element` is the signature of what is in it.
pub(crate) fn list<'v>(
    element: &str,
    items: impl Iterator<Item = Result<Variant<'v>, String>>,
) -> Result<Variant<'v>, String> {
    let mut array = Array::new(&signature(element)?);
    for item in items {
        array.append(item?).map_err(|error| error.to_string())?;
    }
    Ok(Variant::Array(array))
}

/// A structure.
pub(crate) fn tuple(parts: Vec<Variant<'_>>) -> Result<Variant<'_>, String> {
    structure(parts)?.map(Variant::from).ok_or_else(|| "a structure without fields".to_owned())
}

/// How many bytes the message has that starts with `start`.
pub(super) fn length(start: &[u8; START]) -> Result<usize, String> {
    let (order, version) = (start[0], start[3]);
    let number = |at: usize| {
        let bytes = start.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        let number = if order == b'l' { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        number as usize
    };
    if !matches!(order, b'l' | b'B') || version != 1 {
        return Err("what came is no message of D-Bus".to_owned());
    }
    let (body, fields) = (number(4), number(12));
    if body > LONGEST || fields > LONGEST {
        return Err(format!("a message has more than {LONGEST} bytes"));
    }
    Ok((START + fields).next_multiple_of(8) + body)
}

impl Message {
    /// Reads the head of a whole message.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let order = if bytes.first() == Some(&b'l') { LE } else { BE };
        let data = Data::new(bytes, Context::new(order, 0));
        let (head, read): (Structure<'_>, usize) =
            data.deserialize_for_dynamic_signature(HEAD).map_err(|error| error.to_string())?;
        let mut message = Self { body: read.next_multiple_of(8), ..Self::default() };
        message.context = Some(Context::new(order, 0));
        let mut parts = head.into_fields().into_iter();
        let (Some(Variant::U8(kind)), Some(Variant::Array(fields))) = (parts.nth(1), parts.nth(4)) else {
            return Err("a message has another head than expected".to_owned());
        };
        message.kind = kind;
        for field in fields.inner() {
            let Variant::Structure(field) = field else { continue };
            if let [Variant::U8(code), Variant::Variant(value)] = field.fields() {
                message.take(*code, value);
            }
        }
        Ok(message)
    }

    fn take(&mut self, code: u8, value: &Variant<'_>) {
        match (code, value) {
            (INTERFACE, Variant::Str(text)) => self.interface = Some(text.as_str().to_owned()),
            (MEMBER, Variant::Str(text)) => self.member = Some(text.as_str().to_owned()),
            (ERROR_NAME, Variant::Str(text)) => self.error = Some(text.as_str().to_owned()),
            (SENDER, Variant::Str(text)) => self.sender = Some(text.as_str().to_owned()),
            (REPLY_SERIAL, Variant::U32(serial)) => self.reply_to = Some(*serial),
            (SIGNATURE, Variant::Signature(signature)) => self.signature = Some(signature.clone()),
            _ => {}
        }
    }

    /// The arguments of the message, whose bytes are `bytes`.
    pub(super) fn arguments(&self, bytes: &[u8]) -> Result<Vec<Variant<'static>>, String> {
        let (Some(signature), Some(context)) = (&self.signature, self.context) else { return Ok(Vec::new()) };
        if *signature == Signature::Unit {
            return Ok(Vec::new());
        }
        let body = bytes.get(self.body..).ok_or("a message without the body that it announces")?;
        let data = Data::new(body, context);
        let (body, _): (Structure<'_>, usize) = data
            .deserialize_for_dynamic_signature(format!("({})", signature.to_string_no_parens()).as_str())
            .map_err(|error| error.to_string())?;
        Ok(owned(body))
    }
}

fn owned(body: Structure<'_>) -> Vec<Variant<'static>> {
    body.into_fields()
        .into_iter()
        .filter_map(|field| field.try_into_owned().ok())
        .map(Variant::from)
        .collect()
}
