//! What criu says.

use super::wire::{Received, fields};

/// Something that happens while criu works, and waits for an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notice {
    /// What happens: `post-restore`, for example.
    pub(crate) script: String,
    /// The first process, where one is restored.
    pub(crate) pid: Option<i32>,
}

/// One message of criu's (`criu_resp`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    /// What it answers, `criu_req_type`.
    pub(super) kind: u64,
    pub(super) success: bool,
    pub(super) notice: Notice,
    /// Of a failure; 0 if there is none.
    pub(super) errno: i32,
    /// Likewise, in words.
    pub(super) message: Option<String>,
    /// Features that were asked for, by their numbers in `criu_features`.
    pub(super) features: Vec<u32>,
    /// Major, minor, and the level below it.
    pub(super) version: (u32, u32, u32),
}

impl Reply {
    /// Reads a message; `None` if it is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reply = Self::default();
        for field in fields(bytes)? {
            match field {
                (1, Received::Number(kind)) => reply.kind = kind,
                (2, Received::Number(success)) => reply.success = success != 0,
                (5, Received::Bytes(bytes)) => reply.notice = notice(bytes)?,
                (7, Received::Number(errno)) => reply.errno = signed(errno),
                (8, Received::Bytes(bytes)) => reply.features = features(bytes)?,
                (9, Received::Bytes(bytes)) => reply.message = Some(text(bytes)),
                (10, Received::Bytes(bytes)) => reply.version = version(bytes)?,
                _ => {}
            }
        }
        Some(reply)
    }
}

fn notice(bytes: &[u8]) -> Option<Notice> {
    let mut notice = Notice::default();
    for field in fields(bytes)? {
        match field {
            (1, Received::Bytes(script)) => notice.script = text(script),
            (2, Received::Number(pid)) => notice.pid = Some(signed(pid)),
            _ => {}
        }
    }
    Some(notice)
}

fn features(bytes: &[u8]) -> Option<Vec<u32>> {
    let has = |(number, value)| (value != Received::Number(0)).then_some(number);
    Some(fields(bytes)?.into_iter().filter_map(has).collect())
}

fn version(bytes: &[u8]) -> Option<(u32, u32, u32)> {
    let mut version = (0, 0, 0);
    for field in fields(bytes)? {
        let part = match field.0 {
            1 => &mut version.0,
            2 => &mut version.1,
            4 => &mut version.2,
            _ => continue,
        };
        if let Received::Number(number) = field.1 {
            *part = u32::try_from(number).ok()?;
        }
    }
    Some(version)
}

/// An `int32`, which is sent with 64 bits.
fn signed(value: u64) -> i32 {
    i32::try_from(value.cast_signed()).unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_has_a_name_and_a_process() {
        let reply = Reply::decode(b"\x08\x06\x10\x01\x2a\x0f\x0a\x0bpost-resume\x10\x2a").unwrap();
        let notice = Notice { script: "post-resume".into(), pid: Some(42) };
        assert_eq!(reply, Reply { kind: 6, success: true, notice, ..Reply::default() });
    }

    #[test]
    fn a_failure_has_an_errno_and_words() {
        let reply = Reply::decode(b"\x08\x01\x10\x00\x38\x03\x4a\x02no").unwrap();
        assert_eq!(reply, Reply { kind: 1, errno: 3, message: Some("no".into()), ..Reply::default() });
    }

    #[test]
    fn features_and_a_version_are_told() {
        let reply = Reply::decode(b"\x08\x09\x10\x01\x42\x04\x08\x01\x10\x00").unwrap();
        assert_eq!(reply.features, [1]);
        let reply = Reply::decode(b"\x08\x0a\x10\x01\x52\x06\x08\x04\x10\x02\x20\x01").unwrap();
        assert_eq!(reply.version, (4, 2, 1));
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        assert_eq!(Reply::decode(b"\x08"), None);
        assert_eq!(Reply::decode(b"\x2a\x01\x0a"), None);
        assert_eq!(Reply::decode(b""), Some(Reply::default()));
    }
}
