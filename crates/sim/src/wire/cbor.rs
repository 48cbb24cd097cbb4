//! CBOR as the smithy rpc-v2-cbor protocol wants it.
//!
//! Reading leaves the details (indefinite lengths, short floats) to a library.
//! Writing is done here, because the library shortens floats where it can and
//! AWS sends eight bytes always; clients differ in what they accept.

use ciborium::Value as Cbor;
use serde_json::Value as Json;

use crate::wire::document::Value;

/// Reads a body as JSON-like data; times become epoch numbers.
pub(crate) fn read(body: &[u8]) -> Result<Json, String> {
    if body.is_empty() {
        return Ok(Json::Object(serde_json::Map::new()));
    }
    let mut rest = body;
    let cbor: Cbor = ciborium::from_reader(&mut rest).map_err(|error| error.to_string())?;
    if !rest.is_empty() {
        return Err(format!("{} bytes follow the item", rest.len()));
    }
    to_json(cbor)
}

fn to_json(cbor: Cbor) -> Result<Json, String> {
    Ok(match cbor {
        Cbor::Text(text) => Json::from(text),
        Cbor::Bool(flag) => Json::from(flag),
        Cbor::Null => Json::Null,
        Cbor::Float(number) => Json::from(number),
        Cbor::Integer(number) => {
            let number = i64::try_from(number).map_err(|_| "an integer is too large")?;
            Json::from(number)
        }
        Cbor::Tag(1, inner) => match *inner {
            Cbor::Float(_) | Cbor::Integer(_) => to_json(*inner)?,
            _ => return Err("tag 1 must hold a number".to_owned()),
        },
        Cbor::Array(items) => items.into_iter().map(to_json).collect::<Result<_, _>>()?,
        Cbor::Map(entries) => {
            let mut object = serde_json::Map::new();
            for (key, value) in entries {
                let Cbor::Text(key) = key else {
                    return Err("a map key is not text".to_owned());
                };
                object.insert(key, to_json(value)?);
            }
            Json::Object(object)
        }
        Cbor::Tag(tag, _) => return Err(format!("tag {tag} is not expected here")),
        _ => return Err("an item of this kind is not expected here".to_owned()),
    })
}

/// Writes an answer.
pub(crate) fn write(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    item(&mut out, value);
    out
}

fn item(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Text(text) => string(out, text),
        Value::Number(number) => float(out, *number),
        Value::Integer(number) => match u64::try_from(*number) {
            Ok(positive) => head(out, 0, positive),
            Err(_) => head(out, 1, number.unsigned_abs() - 1),
        },
        Value::Flag(flag) => out.push(if *flag { 0xf5 } else { 0xf4 }),
        Value::Time(epoch) => {
            head(out, 6, 1);
            float(out, *epoch as f64);
        }
        Value::List(items) | Value::Items(_, items) => {
            head(out, 4, items.len() as u64);
            for one in items {
                item(out, one);
            }
        }
        Value::Record(fields) => {
            head(out, 5, fields.len() as u64);
            for (name, value) in fields {
                string(out, name);
                item(out, value);
            }
        }
        Value::Map(entries) => {
            head(out, 5, entries.len() as u64);
            for (key, value) in entries {
                string(out, key);
                string(out, value);
            }
        }
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    head(out, 3, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn float(out: &mut Vec<u8>, number: f64) {
    out.push(0xfb);
    out.extend_from_slice(&number.to_be_bytes());
}

/// Major type and argument in the shortest form.
fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    match argument {
        0..=23 => out.push(major | bytes[7]),
        24..=0xff => out.extend_from_slice(&[major | 0x18, bytes[7]]),
        0x100..=0xffff => {
            out.push(major | 0x19);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 0x1a);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 0x1b);
            out.extend_from_slice(&bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let value = Value::Record(vec![
            ("Id", Value::text("m1")),
            ("Flag", Value::Flag(true)),
            ("Negative", Value::Integer(-300)),
            ("Large", Value::Integer(1 << 40)),
            ("Timestamps", Value::List(vec![Value::Time(1_700_000_000); 30])),
            ("Values", Value::List((0..300).map(|n| Value::Number(f64::from(n))).collect())),
        ]);
        let read = read(&write(&value)).expect("readable");
        assert_eq!(read["Negative"], -300);
        assert_eq!(read["Large"], 1_i64 << 40);
        assert_eq!(read["Timestamps"][29], 1_700_000_000.0);
        assert_eq!(read["Values"][299], 299.0);
    }

    #[test]
    fn doubles_are_always_eight_bytes_and_times_are_tagged() {
        assert_eq!(write(&Value::Number(1.0)).len(), 9);
        assert_eq!(write(&Value::Time(1))[..2], [0xc1, 0xfb]);
    }

    #[test]
    fn indefinite_lengths_are_read() {
        let body = [0xbf, 0x61, b'a', 0x9f, 1, 2, 0xff, 0x61, b't', 0xc1, 0x1a, 0, 0, 0, 60, 0xff];
        let read = read(&body).expect("readable");
        assert_eq!(read["a"][1], 2);
        assert_eq!(read["t"], 60);
    }

    #[test]
    fn rubbish_is_refused_without_panic() {
        for body in [&[0xff_u8][..], &[0xbf], &[0x9f, 0x9f], &[0xc5, 1], &[0xa1, 1, 2], &[1, 1]] {
            assert!(read(body).is_err());
        }
    }
}
