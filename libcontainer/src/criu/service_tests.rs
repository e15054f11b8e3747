use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

/// A program that stands for criu.
fn script(folder: &Path, text: &str) -> Program {
    let file = folder.join("criu");
    std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    Program { file, path: "/usr/bin:/bin".into() }
}

#[test]
fn an_early_end_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(&script(folder.path(), "exit 7")).unwrap();
    let error = service.hear().unwrap_err();
    assert_eq!((error.kind(), &*error.to_string()), (&ErrorKind::Criu, "criu ended with code 7 too early"));
}

#[test]
fn it_has_the_connection_and_path_and_what_is_lent_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let text = format!(
        "ls /proc/$$/fd | tr '\\n' ' ' > {0}.new; env | sort >> {0}.new; echo $1 $2 >> {0}.new; \
                        mv {0}.new {0}",
        out.display()
    );
    let program = script(folder.path(), &text);
    let (lent, _other) = rustix::pipe::pipe().unwrap();
    let started = {
        let lent = Lent { fds: &[lent.as_fd()], streams: false };
        let started = Service::spawn(&program, false, lent, || Ok(())).unwrap();
        started.service.hear().unwrap_err();
        started
    };
    let text = std::fs::read_to_string(out).unwrap();
    let socket = text.lines().last().unwrap().strip_prefix("swrk ").unwrap().to_owned();
    let mut open: Vec<&str> = text
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .take_while(|word| word.parse::<i32>().is_ok())
        .collect();
    // The shell reads its script by one more.
    open.retain(|number| {
        number.parse::<i32>().unwrap() < 10 || *number == socket || number.parse() == Ok(started.numbers[0])
    });
    assert!(
        open.contains(&socket.as_str()) && open.contains(&started.numbers[0].to_string().as_str()),
        "{text}"
    );
    assert!(text.contains("PATH=/usr/bin:/bin"), "{text}");
    assert!(!text.contains("CARGO"), "{text}");
}

#[test]
fn bytes_that_are_no_message_are_an_error() {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(&script(folder.path(), "exec cat <&$2")).unwrap();
    service.socket = Some(ours);
    for bytes in [&b"\x08"[..], &vec![0x0a; LONGEST + 1]] {
        rustix::net::send(&theirs, bytes, SendFlags::empty()).unwrap();
        assert_eq!(service.hear().unwrap_err().kind(), &ErrorKind::Criu);
    }
    rustix::net::send(&theirs, b"\x08\x01\x10\x00\x38\x0d", SendFlags::empty()).unwrap();
    let error = service.hear().unwrap_err().to_string();
    assert_eq!(error, "criu failed: EACCES: permission denied");
    rustix::net::send(&theirs, b"\x08\x01\x10\x01", SendFlags::empty()).unwrap();
    assert!(matches!(service.hear(), Ok(Answer::Done)));
}
