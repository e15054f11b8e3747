//! Names of users.

use std::fs::File;

use crate::sys::file::read_bounded;

const PASSWD_LIMIT: usize = 16 << 20;

/// The name of user `uid` in the host's `/etc/passwd`, or its number.
pub(super) fn name(uid: u32) -> String {
    File::open("/etc/passwd")
        .ok()
        .and_then(|file| read_bounded(file.into(), PASSWD_LIMIT).ok())
        .and_then(|passwd| find(&passwd, uid))
        .unwrap_or_else(|| uid.to_string())
}

fn find(passwd: &[u8], uid: u32) -> Option<String> {
    let of_line = |line: &[u8]| {
        let mut fields = line.split(|&byte| byte == b':');
        let name = std::str::from_utf8(fields.next()?).ok()?;
        let number = std::str::from_utf8(fields.nth(1)?).ok()?;
        (!name.is_empty() && number.parse() == Ok(uid)).then(|| name.to_owned())
    };
    passwd.split(|&byte| byte == b'\n').find_map(of_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_with_the_number_names_the_user() {
        let passwd = b"broken\n:x:7:7\n\xff:x:7:7\nroot:x:0:0:root:/root:/bin/sh\nweb:x:7:8::\nwww:x:7:8::\n";
        assert_eq!(find(passwd, 0).as_deref(), Some("root"));
        assert_eq!(find(passwd, 7).as_deref(), Some("web"));
        assert_eq!(find(passwd, 8), None);
    }

    #[test]
    fn a_user_without_a_name_is_its_number() {
        assert_eq!(name(4_294_967_294), "4294967294");
    }
}
