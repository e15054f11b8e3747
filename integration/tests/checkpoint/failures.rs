//! What fails is told, and undone.

use std::fs;
use std::path::Path;

use integration::harness::*;
use integration::{differs_from, skip};
use rustix::process::Signal;

use super::counter::{Counter, count_to};

#[test]
fn a_failed_hook_undoes_the_restore() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    counter.checkpointed();
    let counter = counter.configure(|config| {
        config.shell_hook("createRuntime", "exit 3");
    });
    counter.restoring(&["--detach"]).output().fails_saying("error running createRuntime hook #0");
    counter.sandbox.assert_nothing_left();
}

#[test]
fn a_restore_that_is_killed_leaves_nothing_that_delete_does_not_find() {
    differs_from!("runc", "it leaves the root mounted in its state folder");
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    counter.checkpointed();
    let [started, never] = ["started", "never"].map(|name| counter.sandbox.file(name));
    Invocation::new(&["mkfifo", &started, &never]).output().success();
    // The hook, which ends with the runtime, has no child that would not.
    let counter = counter.configure(|config| {
        config.shell_hook("createRuntime", &format!("echo > {started}; exec cat {never}"));
    });
    let running = counter.restoring(&["--detach"]).spawn();
    fs::read(&started).unwrap();
    running.signal(Signal::KILL);
    running.wait();
    counter.call(&["delete", "--force", counter.sandbox.id()]).success();
    wait_until_gone(counter.sandbox.id());
    counter.sandbox.assert_nothing_left();
}

#[test]
fn a_restore_needs_the_images_of_a_checkpoint() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    counter.restoring(&["--detach"]).output().fails_saying("images");
    counter.sandbox.assert_nothing_left();
    counter.checkpointed();
    let images = counter.images();
    let inventory = Path::new(&images).join("inventory.img");
    let whole = fs::read(&inventory).unwrap();
    fs::write(&inventory, &whole[..4]).unwrap();
    let error = counter.restoring(&["--detach"]).output().fails_saying("criu failed");
    if runtime().is_ours() {
        assert!(error.contains("inventory"), "{error}");
    }
    counter.sandbox.assert_nothing_left();
    fs::write(&inventory, whole).unwrap();
    let core = fs::read_dir(&images).unwrap().map(|entry| entry.unwrap().path());
    let core = core.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("core-"));
    core.for_each(|path| fs::write(path, "nonsense").unwrap());
    counter.restoring(&["--detach"]).output().fails_saying("criu failed");
    counter.sandbox.assert_nothing_left();
}

#[test]
fn without_criu_an_error_says_what_is_missing() {
    differs_from!("runc", "it says that it could not ask for the version");
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    let bare = |words: &[&str]| sandbox.runtime(words).env("PATH", "/nowhere").output();
    let missing = "criu: executable file not found in $PATH (hint: ";
    bare(&["checkpoint", sandbox.id()]).fails_saying(missing);
    assert_eq!(container.status(), "running");
    container.kill("KILL");
    container.wait();
    container.delete();
    let bundle = sandbox.bundle();
    bare(&["restore", "--bundle", bundle.to_str().unwrap(), sandbox.id()]).fails_saying(missing);
    sandbox.assert_nothing_left();
}

#[test]
fn only_a_running_container_can_be_checkpointed() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    let container = counter.sandbox.create();
    counter.checkpoint(&[]).fails_saying("Container cannot be checkpointed in created state");
    container.kill("KILL");
    container.wait();
    counter.checkpoint(&[]).fails_saying("Container cannot be checkpointed in stopped state");
    container.delete();
    counter.checkpoint(&[]).fails_saying("container does not exist");
}

#[test]
fn a_checkpoint_that_fails_leaves_the_container_as_it_was() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    let file = fs::File::create(counter.sandbox.file("out")).unwrap();
    // A file outside of the container is nothing that criu could open again.
    let create = counter.sandbox.with_bundle("create", &[]);
    let output = create.stdout_and_stderr(file.try_clone().unwrap(), file).output();
    let container = Container::of(&counter.sandbox, output.success());
    container.start();
    let error = counter.checkpoint(&[]).fails_saying("criu failed");
    if runtime().is_ours() {
        assert!(error.contains("dump.log") && error.contains("files-reg.c"), "{error}");
    }
    assert_eq!(container.status(), "running");
    container.signal(Signal::TERM);
    assert_eq!(container.wait(), 0);
    container.delete();
}

#[test]
fn a_name_that_is_taken_is_not_restored() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    let mut container = counter.started();
    count_to(&mut container, 1);
    count_to(&mut container, 2);
    counter.checkpoint(&["--leave-running"]).success();
    counter.restoring(&["--detach"]).output().fails_saying("container with given ID already exists");
    counter.goes_on(container);
}
