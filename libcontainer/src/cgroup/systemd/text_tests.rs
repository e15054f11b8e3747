use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn values_are_read_as_glib_writes_them() {
    let good = [
        ("true", Value::Bool(true)),
        (" false ", Value::Bool(false)),
        ("5", Value::I32(5)),
        ("-5", Value::I32(-5)),
        ("0x1F", Value::I32(31)),
        ("017", Value::I32(15)),
        ("0", Value::I32(0)),
        ("1.5", Value::F64(1.5)),
        ("1e3", Value::F64(1000.0)),
        ("0x1e3", Value::I32(0x1e3)),
        ("double 2", Value::F64(2.0)),
        ("byte 0xff", Value::Byte(255)),
        ("int16 -7", Value::I16(-7)),
        ("uint16 7", Value::U16(7)),
        ("uint32 7", Value::U32(7)),
        ("int64 -9223372036854775808", Value::I64(i64::MIN)),
        ("uint64 18446744073709551615", Value::U64(u64::MAX)),
        ("@t 5", Value::U64(5)),
        ("'a \"b\" \\'c\\' \\n\\u00e4'", text("a \"b\" 'c' \nä")),
        ("\"it's\"", text("it's")),
        ("string 'x'", text("x")),
        ("''", text("")),
        ("['a', 'b']", Value::Array(Type::Text, vec![text("a"), text("b")])),
        ("[uint64 1, 2,]", Value::Array(Type::U64, vec![Value::U64(1), Value::U64(2)])),
        ("@as []", Value::Array(Type::Text, vec![])),
        ("@a(st) [('a', 1)]", Value::pairs([("a".to_owned(), Value::U64(1))], Type::U64)),
        ("(true, byte 2)", Value::Tuple(vec![Value::Bool(true), Value::Byte(2)])),
        ("[[1], [2]]", {
            let inner = |number| Value::Array(Type::I32, vec![Value::I32(number)]);
            Value::Array(Type::Array(Box::new(Type::I32)), vec![inner(1), inner(2)])
        }),
    ];
    for (written, value) in good {
        assert_eq!(parse(written), Ok(value), "{written}");
    }
}

#[test]
fn what_is_wrong_is_said_with_the_place() {
    let bad = [
        ("", "a value was expected, at the end"),
        ("x", "\"x\" is no value, at \"x\""),
        ("5 6", "nothing more was expected, at \"6\""),
        ("byte 256", "256 is out of the type's range, at \"256\""),
        ("2147483648", "2147483648 is out of the type's range, at \"2147483648\""),
        ("uint64 -1", "-1 is out of the type's range, at \"-1\""),
        ("--5", "\"--5\" is no value, at \"--5\""),
        ("08", "\"08\" is no value, at \"08\""),
        ("double x", "\"x\" is no number, at \"x\""),
        ("double inf", "\"inf\" is no number, at \"inf\""),
        ("uint64 'x'", "it is not of the expected type, at the end"),
        ("'x", "the closing ' is missing, at \"'x\""),
        ("'\\u12'", "\"12'\" is the code of no character, at \"'\\\\u12'\""),
        ("'\\u0000'", "\"0000\" is the code of no character, at \"'\\\\u0000'\""),
        ("[]", "an empty array must name its type, as @as [], at the end"),
        ("[1 2]", "',' or ']' was expected, at \"2]\""),
        ("[1, 'a']", "it is not of the expected type, at \"]\""),
        ("[1, uint64 2]", "all elements must be of one type, at \" 2]\""),
        ("[1", "',' or ']' was expected, at the end"),
        ("()", "a tuple must have parts, at the end"),
        ("@(ss) ('a',)", "2 parts were expected, at the end"),
        ("@as ('a',)", "a tuple was not expected, at \"'a',)\""),
        ("@ax", "a value was expected, at the end"),
        ("@v 5", "'v' is the type of no property of a unit, at \" 5\""),
        ("@() 5", "a tuple must have parts, at \" 5\""),
        ("@", "a type was expected, at the end"),
        ("{'a': 1}", "no property of a unit is a dictionary or a variant, at \"{'a': 1}\""),
    ];
    for (written, wrong) in bad {
        assert_eq!(parse(written), Err(wrong.to_owned()), "{written}");
    }
}

#[test]
fn depth_has_an_end() {
    let written = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(parse(&written).unwrap_err().starts_with("values may be 32 deep"));
    let written = format!("{} 1", "@a".repeat(100_000));
    assert!(parse(&written).is_err());
    let written = format!("@{}y []", "a".repeat(100_000));
    assert!(parse(&written).unwrap_err().starts_with("types may be 32 deep"));
}

proptest! {
    #[test]
    fn nothing_panics(written in "[\\[\\](),'\"@a-z0-9 .\\\\{-]{0,40}") {
        // What is accepted must be readable twice.
        if let Ok(value) = parse(&written) {
            prop_assert_eq!(value.kind(), parse(&written).unwrap().kind());
        }
    }

    #[test]
    fn every_number_comes_back(number: u64, small: i16) {
        prop_assert_eq!(parse(&format!("uint64 {number}")), Ok(Value::U64(number)));
        prop_assert_eq!(parse(&format!("@n {small}")), Ok(Value::I16(small)));
    }
}
