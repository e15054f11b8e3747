use std::os::fd::AsFd;

use rustix::pty::{grantpt, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize};

use super::*;

/// A terminal: its master side and the side that a program sees.
fn terminal() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags).unwrap();
    (master, slave)
}

/// As the container's program sees it: without echo and line editing, so that bytes stay what they are.
fn raw_terminal() -> (OwnedFd, OwnedFd) {
    let (master, slave) = terminal();
    let mut mode = tcgetattr(&slave).unwrap();
    mode.make_raw();
    tcsetattr(&slave, OptionalActions::Now, &mode).unwrap();
    (master, slave)
}

fn pipe() -> (OwnedFd, OwnedFd) {
    rustix::pipe::pipe().unwrap()
}

fn streams<'a>(input: &'a OwnedFd, output: &'a OwnedFd) -> Streams<'a> {
    Streams { input: input.as_fd(), output: output.as_fd(), error: output.as_fd() }
}

fn read(fd: &OwnedFd) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 16];
    let count = rustix::io::read(fd, &mut bytes).unwrap();
    bytes.truncate(count);
    bytes
}

fn watched(relay: &Relay<'_>) -> usize {
    let mut fds = Vec::new();
    relay.watch(&mut fds);
    fds.len()
}

#[test]
fn bytes_go_both_ways() {
    let (master, slave) = raw_terminal();
    let ((input, writer), (reader, output)) = (pipe(), pipe());
    let mut relay = Relay::new(master, streams(&input, &output)).unwrap();
    rustix::io::write(&writer, b"in\x03").unwrap();
    relay.pump(true, false).unwrap();
    assert_eq!(read(&slave), b"in\x03");
    rustix::io::write(&slave, b"out").unwrap();
    relay.pump(false, true).unwrap();
    assert_eq!(read(&reader), b"out");
}

#[test]
fn the_end_of_the_input_is_not_the_end_of_the_output() {
    let (master, slave) = raw_terminal();
    let ((input, writer), (reader, output)) = (pipe(), pipe());
    let mut relay = Relay::new(master, streams(&input, &output)).unwrap();
    assert_eq!(watched(&relay), 2);
    drop(writer);
    relay.pump(true, false).unwrap();
    assert_eq!(watched(&relay), 1);
    rustix::io::write(&slave, b"still here").unwrap();
    relay.pump(false, true).unwrap();
    assert_eq!(read(&reader), b"still here");
}

#[test]
fn input_waits_for_a_container_that_does_not_read() {
    let (master, slave) = raw_terminal();
    let ((input, writer), (_reader, output)) = (pipe(), pipe());
    let mut relay = Relay::new(master, streams(&input, &output)).unwrap();
    let chunk = [b'x'; CHUNK];
    let mut sent = 0;
    while relay.pending.is_empty() {
        assert!(sent < 1 << 22, "a terminal has no end");
        sent += rustix::io::write(&writer, &chunk).unwrap();
        relay.pump(true, false).unwrap();
    }
    // Nothing more is taken from the caller, and nothing of what was taken is lost.
    assert_eq!(watched(&relay), 1);
    let mut received = 0;
    while received < sent {
        received += read(&slave).len();
        relay.pump(false, false).unwrap();
    }
    assert_eq!(received, sent);
    assert_eq!(watched(&relay), 2);
}

#[test]
fn what_was_written_before_the_end_is_still_shown() {
    let (master, slave) = raw_terminal();
    let ((input, _writer), (reader, output)) = (pipe(), pipe());
    let mut relay = Relay::new(master, streams(&input, &output)).unwrap();
    let last = vec![b'y'; 6000];
    rustix::io::write(&slave, &last).unwrap();
    drop(slave);
    relay.finish().unwrap();
    let mut shown = Vec::new();
    while shown.len() < last.len() {
        shown.extend(read(&reader));
    }
    assert_eq!(shown, last);
}

#[test]
fn output_that_nobody_takes_does_not_stop_the_container() {
    let (master, slave) = raw_terminal();
    let ((input, _writer), (reader, output)) = (pipe(), pipe());
    let mut relay = Relay::new(master, streams(&input, &output)).unwrap();
    drop(reader);
    for _ in 0..100 {
        rustix::io::write(&slave, &[b'z'; 4000]).unwrap();
        assert!(relay.finish().unwrap());
    }
}

#[test]
fn a_container_may_close_its_terminal_and_come_back() {
    let (master, slave) = raw_terminal();
    let ((input, _writer), (_reader, output)) = (pipe(), pipe());
    let mut relay = Relay::new(master, streams(&input, &output)).unwrap();
    drop(slave);
    relay.pump(false, true).unwrap();
    assert!(!relay.hung_up);
}

#[test]
fn the_caller_s_terminal_is_raw_meanwhile_and_lends_its_size() {
    let (keyboard, host) = terminal();
    let (master, slave) = raw_terminal();
    let size = |rows| Winsize { ws_row: rows, ws_col: 77, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&keyboard, size(33)).unwrap();
    let is_raw = || !tcgetattr(&host).unwrap().local_modes.contains(LocalModes::ICANON);
    let relay = Relay::new(master, streams(&host, &host)).unwrap();
    assert!(is_raw());
    assert!(tcgetattr(&host).unwrap().output_modes.contains(OutputModes::OPOST | OutputModes::ONLCR));
    assert_eq!(tcgetwinsize(&slave).unwrap().ws_row, 33);
    tcsetwinsize(&keyboard, size(44)).unwrap();
    relay.resize().unwrap();
    assert_eq!((tcgetwinsize(&slave).unwrap().ws_row, tcgetwinsize(&slave).unwrap().ws_col), (44, 77));
    drop(relay);
    assert!(!is_raw());
}

#[test]
fn a_reader_that_stops_is_not_waited_for_and_nothing_is_lost() {
    let (master, slave) = raw_terminal();
    let ((input, _writer), (reader, output)) = (pipe(), pipe());
    let mut relay = Relay::new(master, streams(&input, &output)).unwrap();
    let mut sent = 0;
    while relay.shown.is_empty() {
        sent += rustix::io::write(&slave, &[b'z'; 4000]).unwrap();
        relay.pump(false, true).unwrap();
    }
    let mut fds = Vec::new();
    let watched = relay.watch(&mut fds);
    assert_eq!(watched, Watched { terminal: None, input: Some(0) });
    drop(fds);
    assert!(!relay.finish().unwrap());
    let mut received = 0;
    while received < sent {
        received += read(&reader).len();
        relay.pump(false, false).unwrap();
    }
    assert_eq!(received, sent);
    assert!(relay.finish().unwrap());
}
