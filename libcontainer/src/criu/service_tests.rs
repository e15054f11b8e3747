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

#[test]
fn the_end_of_criu_is_heard_of_though_its_children_hold_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let program = script(folder.path(), &format!("sleep 30 & echo $! > {}; exit 7", file.display()));
    let error = Service::start(&program).unwrap().hear().unwrap_err();
    assert_eq!(error.to_string(), "criu ended with code 7 too early");
    let pid = std::fs::read_to_string(file).unwrap().trim().parse().ok().and_then(Pid::from_raw).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("the child runs");
}

#[test]
fn criu_hears_of_its_children_and_alarms_and_not_of_keys() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    // A shell would change what is blocked.
    let program = script(folder.path(), "");
    let lines = "#!/usr/bin/awk -f\nBEGIN { while ((getline line < \"/proc/self/status\") > 0) if (line ~ /SigBlk/) print line > OUT }\n";
    std::fs::write(&program.file, lines.replace("OUT", &format!("{:?}", out.display().to_string()))).unwrap();
    let service = Service::start(&program).unwrap();
    service.hear().unwrap_err();
    let line = std::fs::read_to_string(out).unwrap();
    let blocked = u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap();
    let expected = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGTSTP];
    assert_eq!(blocked, expected.iter().map(|signal| 1 << (signal - 1)).sum::<u64>(), "{line}");
}

#[test]
fn a_criu_that_waits_for_a_dead_process_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    // It ends with the connection.
    let service = Service::start(&script(folder.path(), "exec cat <&$2")).unwrap();
    let mut child = Command::new("sh").args(["-c", "kill -9 $$"]).spawn().unwrap();
    let first = super::child(i32::try_from(child.id()).unwrap()).unwrap();
    let error = service.hear_while(Some(&first)).unwrap_err();
    // Whoever tells how it ended has waited for it.
    assert!(child.wait().is_err());
    let expected = "criu is silent since the container's first process was killed by signal 9";
    assert_eq!((error.kind(), &*error.to_string()), (&ErrorKind::Criu, expected));
}
