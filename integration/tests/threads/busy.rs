//! Threads that hold locks, memory and descriptors at any moment, as those of a busy program do.

use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::setpriority_process;

/// What the threads share.
#[derive(Default)]
pub(super) struct Shared {
    over: AtomicBool,
    /// Held by one of them nearly all the time.
    pub(super) lock: Mutex<Vec<u8>>,
    output: Mutex<Vec<u8>>,
}

impl Shared {
    /// Runs `body` beside eight busy threads.
    pub(super) fn while_busy<T>(&self, body: impl FnOnce(&Self) -> T) -> T {
        let tasks: [fn(&Self); 8] = [
            |_| allocate(64),
            |_| allocate(1 << 20),
            Self::hold,
            Self::hold,
            Self::print,
            |_| spawn_threads(),
            |_| open_without_cloexec(),
            |_| execute(),
        ];
        thread::scope(|scope| {
            for task in tasks {
                scope.spawn(move || {
                    // They get what the others leave, and are interrupted wherever they are: holding a lock, too.
                    setpriority_process(None, 19).unwrap();
                    while !self.over.load(Ordering::Relaxed) {
                        task(self);
                    }
                });
            }
            let end = EndOf(&self.over);
            let result = body(self);
            drop(end);
            result
        })
    }

    fn hold(&self) {
        let mut held = self.lock.lock().unwrap();
        held.clear();
        held.extend((0..=u8::MAX).cycle().take(10_000));
    }

    fn print(&self) {
        let mut output = self.output.lock().unwrap();
        output.clear();
        writeln!(output, "{:?} says {:>64}", thread::current().id(), "nothing").unwrap();
    }
}

/// Ends the threads, also when the body panics.
struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn allocate(size: usize) {
    let blocks: Vec<Vec<u8>> = (1..16).map(|part| vec![1; size / part]).collect();
    black_box(blocks);
}

fn spawn_threads() {
    let threads: Vec<_> = (0..4).map(|number| thread::spawn(move || black_box(vec![number; 100]))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

fn open_without_cloexec() {
    let mut files: Vec<File> =
        (0..8).map(|_| open("/dev/zero", OFlags::RDONLY, Mode::empty()).unwrap().into()).collect();
    for file in &mut files {
        file.read_exact(&mut [0; 64]).unwrap();
    }
}

fn execute() {
    assert!(Command::new("true").status().unwrap().success());
}
