//! The container that the tests checkpoint.

use std::fs;
use std::os::unix::fs::MetadataExt;

use integration::harness::*;
use rustix::process::Signal;

/// A container that counts signals, and is checkpointed into a folder beside its bundle.
pub(super) struct Counter {
    pub(super) sandbox: Sandbox,
    path: &'static str,
    /// For both commands.
    flags: &'static [&'static str],
}

impl Counter {
    pub(super) fn new(host: Host, path: &'static str) -> Self {
        // Where v1 is only hidden from the runtime, CRIU finds it all the same, and in its roots the cgroups of all others.
        let flags: &[&str] = match host == Host::V2 && Host::Native.has_v1() {
            true => &["--manage-cgroups-mode", "ignore"],
            false => &[],
        };
        Self { sandbox: Sandbox::on(host), path, flags }
    }

    pub(super) fn configure(self, change: impl FnOnce(&mut Config)) -> Self {
        self.counting(&[], change)
    }

    /// Its numbers go through what `held` says of the probe's `count`.
    pub(super) fn counting(self, held: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        self.sandbox.configure(|config| {
            config.probe(&[&["count"], held].concat());
            change(config);
        });
        self
    }

    /// Created, started, and at 0.
    pub(super) fn started(&self) -> Container<'_> {
        let mut container = self.sandbox.create();
        container.start();
        assert_eq!(container.line(), 0);
        container
    }

    pub(super) fn images(&self) -> String {
        self.sandbox.file("images")
    }

    pub(super) fn call(&self, words: &[&str]) -> Output {
        self.sandbox.runtime(words).env("PATH", self.path).output()
    }

    pub(super) fn checkpoint(&self, flags: &[&str]) -> Output {
        let images = self.images();
        let words = [&["checkpoint", "--image-path", &images], self.flags, flags, &[self.sandbox.id()]];
        let words = words.concat();
        self.call(&words)
    }

    pub(super) fn restoring(&self, flags: &[&str]) -> Invocation {
        let images = self.images();
        let flags = [&["--image-path", &images], self.flags, flags].concat();
        self.sandbox.with_bundle("restore", &flags).env("PATH", self.path)
    }

    #[track_caller]
    pub(super) fn restored(&self, flags: &[&str]) -> Container<'_> {
        let output = self.restoring(&[&["--detach"], flags].concat()).output();
        Container::of(&self.sandbox, output.success())
    }

    /// Started, counted up to 2, and checkpointed; the process is reaped.
    #[track_caller]
    pub(super) fn checkpointed(&self) {
        let mut container = self.started();
        count_to(&mut container, 1);
        count_to(&mut container, 2);
        self.checkpoint(&[]).success();
        assert_eq!(container.wait(), 137);
        self.sandbox.assert_nothing_left();
    }

    /// Goes on at 3, and ends.
    #[track_caller]
    pub(super) fn goes_on(&self, mut container: Container<'_>) {
        assert_eq!(container.status(), "running");
        count_to(&mut container, 3);
        container.signal(Signal::TERM);
        assert_eq!(container.wait(), 3);
        container.delete();
    }

    /// What a program that is executed in the container reads.
    #[track_caller]
    pub(super) fn read(&self, file: &str) -> String {
        let output = self.call(&["exec", self.sandbox.id(), "/probe", "report", "--read", file]).success();
        Report::parse(&output.stdout())["read"][file].as_str().unwrap_or("unreadable").to_owned()
    }
}

#[track_caller]
pub(super) fn count_to(container: &mut Container<'_>, number: u8) {
    container.signal(Signal::USR1);
    assert_eq!(container.line(), number);
}

pub(super) fn inode(path: &str) -> u64 {
    fs::metadata(path).unwrap().ino()
}
