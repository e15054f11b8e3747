//! Images, containers and a criu that mean harm, or break: nothing hangs, and nothing is left.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Instant;

use integration::harness::*;
use integration::{differs_from, skip};
use libcontainer::RestoreOptions;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use super::counter::{Counter, count_to};

/// The pid in the state that a hook reads.
const PID: &str = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')";

#[test]
fn a_first_process_that_is_killed_while_it_is_restored_is_an_error() {
    differs_from!("runc", "it waits for criu without end, which does not always hear of it");
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    counter.checkpointed();
    let counter = counter.configure(|config| {
        config.shell_hook("createRuntime", &format!("{PID}; kill -9 $pid"));
    });
    let error = counter.restoring(&["--detach"]).output().exits_with(1).stderr();
    // The hook is ended with the process if that is faster; then criu hears of it, or does not.
    let ends = ["createRuntime hook", "criu failed", "criu is silent since the container's first process"];
    assert!(ends.iter().any(|end| error.contains(end)), "{error}");
    counter.sandbox.assert_nothing_left();
}

#[test]
fn what_would_be_waited_for_in_a_folder_of_images_is_refused() {
    differs_from!("runc", "it waits for a writer of the pipe");
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    counter.checkpointed();
    let images = counter.images();
    for name in ["descriptors.json", "inventory.img", "restore.log", "x.img"] {
        let path = Path::new(&images).join(name);
        let kept = fs::read(&path).ok();
        let _ = fs::remove_file(&path);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let error = counter.restoring(&["--detach"]).output().fails_saying("not a regular file");
        assert!(error.contains(name), "{error}");
        fs::remove_file(&path).unwrap();
        symlink("/etc/hostname", &path).unwrap();
        let error = counter.restoring(&["--detach"]).output().fails_saying(name);
        assert!(error.contains("not a regular file") || error.contains("ELOOP"), "{error}");
        fs::remove_file(&path).unwrap();
        kept.into_iter().for_each(|bytes| fs::write(&path, bytes).unwrap());
        counter.sandbox.assert_nothing_left();
    }
    counter.goes_on(counter.restored(&[]));
}

#[test]
fn a_checkpoint_writes_through_no_link() {
    differs_from!("runc", "criu follows it");
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    let mut container = counter.started();
    count_to(&mut container, 1);
    count_to(&mut container, 2);
    let victim = counter.sandbox.file("victim");
    fs::write(&victim, "precious").unwrap();
    fs::create_dir(counter.images()).unwrap();
    for name in ["dump.log", "pstree.img", "stats-dump"] {
        let path = Path::new(&counter.images()).join(name);
        symlink(&victim, &path).unwrap();
        counter.checkpoint(&[]).fails_saying(name);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious", "{name}");
        fs::remove_file(path).unwrap();
    }
    counter.goes_on(container);
}

#[test]
fn a_restore_that_fails_leaves_an_embedder_no_zombie() {
    let path = need_criu!();
    alone_with_path(path, Host::Native, "hostile::a_restore_that_fails_leaves_an_embedder_no_zombie", || {
        let counter = Counter::new(Host::Native, path).configure(|_| {});
        counter.checkpointed();
        let images = counter.images();
        let names = fs::read_dir(&images).unwrap().map(|entry| entry.unwrap().path());
        let core = names.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("core-"));
        core.for_each(|path| fs::write(path, "nonsense").unwrap());
        let embedder = Embedder::new(&counter.sandbox);
        let options = RestoreOptions::new(&images).creation(embedder.options());
        let error = embedder.runtime.restore(&embedder.id, &embedder.bundle(), &options).unwrap_err();
        assert!(error.to_string().contains("criu failed"), "{error}");
        assert_eq!(embedder.left(), Vec::<String>::new());
    });
}

fn real_criu() -> String {
    let path = criu_path().as_deref().unwrap_or_default();
    let mut programs = std::env::split_paths(path).map(|folder| folder.join("criu"));
    programs.find(|file| file.exists()).unwrap().to_str().unwrap().to_owned()
}

/// A criu that does `line` when it is asked for something else than its version.
fn broken(counter: &Counter, line: &str) -> String {
    let folder = counter.sandbox.file("broken");
    fs::create_dir_all(&folder).unwrap();
    let file = Path::new(&folder).join("criu");
    let real = real_criu();
    let text =
        format!("#!/bin/sh\n[ -e {folder}/asked ] || {{ > {folder}/asked; exec {real} \"$@\"; }}\n{line}\n");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{folder}:{}", std::env::var("PATH").unwrap())
}

#[test]
fn a_criu_that_ends_is_an_error_and_the_container_runs_on() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    let mut container = counter.started();
    count_to(&mut container, 1);
    let path = broken(&counter, "sleep 1000 & echo $! > $0.pid; kill -9 $$");
    let words = ["checkpoint", "--image-path", &counter.images(), counter.sandbox.id()];
    let before = Instant::now();
    let output = counter.sandbox.runtime(&words).env("PATH", &path).output();
    let error = output.exits_with(1).stderr();
    if runtime().is_ours() {
        assert!(error.contains("criu was killed by signal 9 too early"), "{error}");
    }
    assert!(before.elapsed() < PATIENCE);
    let pid = fs::read_to_string(counter.sandbox.file("broken/criu.pid")).unwrap();
    Invocation::new(&["kill", "-9", pid.trim()]).output().success();
    count_to(&mut container, 2);
    counter.goes_on(container);
}

#[test]
fn a_container_that_ends_while_it_is_dumped_is_no_hang() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    let mut container = counter.started();
    count_to(&mut container, 1);
    let line = format!("kill -9 {}; exec {} \"$@\"", container.pid(), real_criu());
    let path = broken(&counter, &line);
    let words = ["checkpoint", "--image-path", &counter.images(), counter.sandbox.id()];
    counter.sandbox.runtime(&words).env("PATH", &path).output().exits_with(1);
    container.signal(Signal::KILL);
    assert_eq!(container.wait(), 137);
    container.delete();
}
