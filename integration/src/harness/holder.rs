//! A process that does nothing but keep namespaces alive.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::invocation::PATIENCE;
use super::stream::Stream;

/// Keeps what `unshare` made until it is dropped.
pub struct Holder(Child);

impl Holder {
    /// Runs `unshare` with `flags`; returns when the namespaces are there.
    pub fn new(flags: &[&str]) -> Self {
        Self::through(&[], flags)
    }

    /// The same after `wrapper`, a command that runs another in its own process.
    pub fn through(wrapper: &[&str], flags: &[&str]) -> Self {
        let words: Vec<&str> = wrapper.iter().chain(&["unshare"]).chain(flags).copied().collect();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .arg("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare");
        // What comes back has been read by cat, so unshare has done its work.
        child.stdin.as_mut().expect("a pipe").write_all(b"ready\n").expect("cat reads");
        let mut output = Stream::over(child.stdout.take().expect("a pipe").into());
        assert_eq!(output.line(Instant::now() + PATIENCE), "ready");
        Self(child)
    }

    /// The path of one of its namespaces, by its name in /proc/PID/ns.
    #[must_use]
    pub fn namespace(&self, name: &str) -> String {
        format!("/proc/{}/ns/{name}", self.0.id())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // A pid namespace ends when all its processes are reaped, which a test that fails may have left undone.
        if !std::thread::panicking() {
            let _ = self.0.wait();
        }
    }
}
