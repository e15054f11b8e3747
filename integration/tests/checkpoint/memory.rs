//! Memory that goes over a network, or comes later.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use integration::harness::*;
use integration::{differs_from, skip};

use super::counter::{Counter, count_to};

/// A criu beside those of the runtime, which ends with the test.
struct Helper(Child);

impl Helper {
    /// Waits until it serves.
    fn new(path: &str, words: &[&str]) -> Self {
        let program =
            std::env::split_paths(path).map(|folder| folder.join("criu")).find(|file| file.exists());
        let mut command = Command::new(program.unwrap());
        command.args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self(child)
    }

    fn ends(mut self) {
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port().to_string()
}

fn pages(folder: &str) -> usize {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("pages-")).count()
}

#[test]
fn memory_is_sent_to_a_page_server() {
    let path = need_criu!();
    let counter = Counter::new(Host::Native, path).counting(&["memory"], |_| {});
    let mut container = counter.started();
    count_to(&mut container, 1);
    count_to(&mut container, 2);
    let images = counter.images();
    fs::create_dir(&images).unwrap();
    let port = free_port();
    let server =
        ["page-server", "-D", &images, "--address", "127.0.0.1", "--port", &port, "--status-fd", "1"];
    let server = Helper::new(path, &server);
    let other = counter.sandbox.file("other");
    let flags = ["--page-server", &format!("127.0.0.1:{port}")];
    counter
        .call(&[&["checkpoint", "--image-path", &other], &flags[..], &[counter.sandbox.id()]].concat())
        .success();
    assert_eq!(container.wait(), 137);
    server.ends();
    counter.sandbox.assert_nothing_left();
    assert_eq!(pages(&other), 0);
    assert!(pages(&images) > 0);
    for entry in fs::read_dir(&other).unwrap().map(Result::unwrap) {
        fs::rename(entry.path(), Path::new(&images).join(entry.file_name())).unwrap();
    }
    counter.goes_on(counter.restored(&[]));
}

#[test]
fn a_page_server_that_is_not_there_is_an_error_and_the_container_runs_on() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    let mut container = counter.started();
    count_to(&mut container, 1);
    let address = format!("127.0.0.1:{}", free_port());
    counter.checkpoint(&["--page-server", &address]).fails_saying("criu failed");
    count_to(&mut container, 2);
    counter.goes_on(container);
}

#[test]
fn memory_comes_when_it_is_needed() {
    let path = need_criu!();
    if !criu_has("uffd-noncoop") {
        skip!("this kernel has no userfaultfd for other processes");
    }
    let counter = Counter::new(Host::Native, path).counting(&["memory"], |_| {});
    counter.checkpointed();
    // By the socket in their work folder it hears from the restore.
    let lazy = Helper::new(path, &["lazy-pages", "-D", &counter.images(), "--status-fd", "1"]);
    let container = counter.restored(&["--lazy-pages"]);
    counter.goes_on(container);
    lazy.ends();
}

/// CRIU 4.2 fails to send more than a few pages (splice: EBADF), whichever runtime has started it; so nobody asks for any.
#[test]
fn that_memory_can_be_asked_for_is_told() {
    differs_from!("runc", "it takes no descriptor that can be read as well, as a socket can");
    let path = need_criu!();
    if !criu_has("uffd-noncoop") {
        skip!("this kernel has no userfaultfd for other processes");
    }
    let pipe = rustix::pipe::pipe().unwrap();
    let socket = UnixStream::pair().unwrap();
    for (reader, writer) in [pipe, (socket.0.into(), socket.1.into())] {
        let counter = Counter::new(Host::Native, path).counting(&["memory"], |_| {});
        let mut container = counter.started();
        count_to(&mut container, 1);
        let port = free_port();
        rustix::io::fcntl_setfd(&writer, rustix::io::FdFlags::empty()).unwrap();
        let (server, number) = (format!("127.0.0.1:{port}"), writer.as_raw_fd().to_string());
        let words = ["checkpoint", "--lazy-pages", "--page-server", &server, "--status-fd", &number];
        let images = counter.images();
        let words = [&words[..], &["--image-path", &images, counter.sandbox.id()]].concat();
        let dump = counter.sandbox.runtime(&words).env("PATH", path).spawn();
        drop(writer);
        // It says so when there is everything but the memory, of which it is the server from then on.
        let mut byte = [1];
        assert_eq!(rustix::io::read(&reader, &mut byte).unwrap(), 1);
        assert_eq!(byte, [0]);
        let nobody = TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse().unwrap())).unwrap();
        drop(nobody);
        dump.wait().success();
        assert_eq!(container.wait(), 137);
        counter.sandbox.assert_nothing_left();
    }
}
