//! `checkpoint` and `restore`, with a real CRIU.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use integration::harness::*;
use integration::{differs_from, on_hosts, skip};
use rustix::process::Signal;
use serde_json::json;

/// Ends the test, saying why, where no CRIU works.
macro_rules! need_criu {
    () => {
        match criu_path() {
            Ok(path) => path.as_str(),
            Err(reason) => skip!("{reason}"),
        }
    };
}

/// A container that counts signals, and is checkpointed into a folder beside its bundle.
struct Counter {
    sandbox: Sandbox,
    path: &'static str,
    /// For both commands.
    flags: &'static [&'static str],
}

impl Counter {
    fn new(host: Host, path: &'static str) -> Self {
        // Where v1 is only hidden from the runtime, CRIU finds it all the same, and in its roots the cgroups of all others.
        let flags: &[&str] = match host == Host::V2 && Host::Native.has_v1() {
            true => &["--manage-cgroups-mode", "ignore"],
            false => &[],
        };
        Self { sandbox: Sandbox::on(host), path, flags }
    }

    fn configure(self, change: impl FnOnce(&mut Config)) -> Self {
        self.sandbox.configure(|config| {
            config.probe(&["count"]);
            change(config);
        });
        self
    }

    /// Created, started, and at 0.
    fn started(&self) -> Container<'_> {
        let mut container = self.sandbox.create();
        container.start();
        assert_eq!(container.line(), 0);
        container
    }

    fn images(&self) -> String {
        self.sandbox.file("images")
    }

    fn call(&self, words: &[&str]) -> Output {
        self.sandbox.runtime(words).env("PATH", self.path).output()
    }

    fn checkpoint(&self, flags: &[&str]) -> Output {
        let images = self.images();
        let words = [&["checkpoint", "--image-path", &images], self.flags, flags, &[self.sandbox.id()]];
        let words = words.concat();
        self.call(&words)
    }

    fn restoring(&self, flags: &[&str]) -> Invocation {
        let images = self.images();
        let flags = [&["--image-path", &images], self.flags, flags].concat();
        self.sandbox.with_bundle("restore", &flags).env("PATH", self.path)
    }

    #[track_caller]
    fn restored(&self, flags: &[&str]) -> Container<'_> {
        let output = self.restoring(&[&["--detach"], flags].concat()).output();
        Container::of(&self.sandbox, output.success())
    }

    /// Started, counted up to 2, and checkpointed; the process is reaped.
    #[track_caller]
    fn checkpointed(&self) {
        let mut container = self.started();
        count_to(&mut container, 1);
        count_to(&mut container, 2);
        self.checkpoint(&[]).success();
        assert_eq!(container.wait(), 137);
        self.sandbox.assert_nothing_left();
    }

    /// Goes on at 3, and ends.
    #[track_caller]
    fn goes_on(&self, mut container: Container<'_>) {
        assert_eq!(container.status(), "running");
        count_to(&mut container, 3);
        container.signal(Signal::TERM);
        assert_eq!(container.wait(), 3);
        container.delete();
    }

    /// What a program that is executed in the container reads.
    #[track_caller]
    fn read(&self, file: &str) -> String {
        let output = self.call(&["exec", self.sandbox.id(), "/probe", "report", "--read", file]).success();
        Report::parse(&output.stdout())["read"][file].as_str().unwrap_or("unreadable").to_owned()
    }
}

#[track_caller]
fn count_to(container: &mut Container<'_>, number: u8) {
    container.signal(Signal::USR1);
    assert_eq!(container.line(), number);
}

fn inode(path: &str) -> u64 {
    fs::metadata(path).unwrap().ino()
}

on_hosts! {
    fn a_program_goes_on_from_where_it_was(host: Host) {
        let counter = Counter::new(host, need_criu!()).configure(|_| {});
        counter.checkpointed();
        let descriptors = fs::read_to_string(format!("{}/descriptors.json", counter.images())).unwrap();
        let descriptors: Vec<String> = serde_json::from_str(&descriptors).unwrap();
        assert!(descriptors[1].starts_with("pipe:["), "{descriptors:?}");
        let pid_file = counter.sandbox.file("pid");
        let container = counter.restored(&["--pid-file", &pid_file]);
        assert_eq!(fs::read_to_string(&pid_file).unwrap(), container.pid().to_string());
        counter.goes_on(container);
    }

    fn a_container_may_run_on_after_its_checkpoint(host: Host) {
        let counter = Counter::new(host, need_criu!()).configure(|_| {});
        let mut container = counter.started();
        count_to(&mut container, 1);
        count_to(&mut container, 2);
        counter.checkpoint(&["--leave-running"]).success();
        counter.goes_on(container);
        counter.goes_on(counter.restored(&[]));
    }

    fn limits_are_those_of_the_configuration(host: Host) {
        if !host.has_controller("pids") {
            skip!("needs the controller pids");
        }
        let limit = |config: &mut Config| config["linux"]["resources"]["pids"] = json!({ "limit": 77 });
        let counter = Counter::new(host, need_criu!()).configure(limit);
        counter.checkpointed();
        let container = counter.restored(&[]);
        let cgroups = cgroups_named(counter.sandbox.id());
        let limits = cgroups.iter().filter_map(|cgroup| fs::read_to_string(cgroup.join("pids.max")).ok());
        assert_eq!(limits.collect::<Vec<_>>(), ["77\n"]);
        let inside = cgroups.iter().filter(|cgroup| {
            let processes = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
            processes == format!("{}\n", container.pid())
        });
        assert_eq!(inside.count(), cgroups.len());
        counter.goes_on(container);
    }

    fn a_paused_container_is_checkpointed(host: Host) {
        let counter = Counter::new(host, need_criu!()).configure(|_| {});
        let mut container = counter.started();
        count_to(&mut container, 1);
        count_to(&mut container, 2);
        counter.call(&["pause", counter.sandbox.id()]).success();
        counter.checkpoint(&[]).success();
        container.wait();
        counter.goes_on(counter.restored(&[]));
    }

    fn a_paused_container_that_runs_on_stays_paused(host: Host) {
        let counter = Counter::new(host, need_criu!()).configure(|_| {});
        let mut container = counter.started();
        count_to(&mut container, 1);
        count_to(&mut container, 2);
        counter.call(&["pause", counter.sandbox.id()]).success();
        counter.checkpoint(&["--leave-running"]).success();
        assert_eq!(container.status(), "paused");
        counter.call(&["resume", counter.sandbox.id()]).success();
        counter.goes_on(container);
    }

    fn a_container_without_a_cgroup_namespace_finds_its_cgroups(host: Host) {
        let counter = Counter::new(host, need_criu!()).configure(|config| {
            config.without_namespace("cgroup");
        });
        counter.checkpointed();
        counter.goes_on(counter.restored(&[]));
    }
}

#[test]
fn the_null_device_on_a_stream_is_the_containers() {
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["pause"], |_| {});
    assert_eq!(container.line(), "ready");
    let inside = fs::metadata(container.proc("root/dev/null")).unwrap();
    let stream = fs::metadata(container.proc("fd/0")).unwrap();
    assert_eq!((stream.dev(), stream.ino()), (inside.dev(), inside.ino()));
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
    container.delete();
}

#[test]
fn memory_is_copied_before() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    if !criu_has("mem_dirty_track") {
        skip!("this kernel does not tell which pages of memory were changed (CONFIG_MEM_SOFT_DIRTY)");
    }
    let mut container = counter.started();
    count_to(&mut container, 1);
    let before = counter.sandbox.file("before");
    counter.call(&["checkpoint", "--pre-dump", "--image-path", &before, counter.sandbox.id()]).success();
    assert_eq!(container.status(), "running");
    count_to(&mut container, 2);
    for (parent, problem) in [("/before", "must be relative"), ("../nowhere", "nowhere")] {
        counter.checkpoint(&["--parent-path", parent]).fails_saying(problem);
    }
    counter.checkpoint(&["--parent-path", "../before"]).success();
    container.wait();
    assert!(Path::new(&counter.images()).join("parent").exists());
    counter.goes_on(counter.restored(&[]));
}

#[test]
fn binds_are_found_again() {
    let counter = Counter::new(Host::Native, need_criu!());
    let [data, inner, file] = ["data", "inner", "file"].map(|name| counter.sandbox.file(name));
    for folder in [&data, &inner] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(Path::new(&data).join("name"), "data").unwrap();
    fs::write(Path::new(&inner).join("name"), "inner").unwrap();
    fs::write(&file, "file").unwrap();
    let rootfs = counter.sandbox.rootfs();
    fs::create_dir_all(rootfs.join("real")).unwrap();
    symlink("real", rootfs.join("link")).unwrap();
    let counter = counter.configure(|config| {
        config.bind(&data, "/data", &["rbind"]);
        config.bind(&inner, "/data/inner", &["bind"]);
        config.bind(&file, "/link/file", &["bind", "ro"]);
    });
    counter.checkpointed();
    // The image may be a new one, on another host.
    for path in ["data", "real/file", "data/inner"] {
        let path = rootfs.join(path);
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
    }
    fs::remove_dir(Path::new(&data).join("inner")).unwrap();
    fs::write(&file, "changed").unwrap();
    let container = counter.restored(&[]);
    for (path, text) in [("/data/name", "data"), ("/data/inner/name", "inner"), ("/link/file", "changed")] {
        assert_eq!(counter.read(path), text, "{path}");
    }
    counter.goes_on(container);
}

#[test]
fn links_of_an_image_do_not_lead_out_of_it() {
    let counter = Counter::new(Host::Native, need_criu!());
    let outside = counter.sandbox.file("outside");
    let source = counter.sandbox.file("source");
    for folder in [&outside, &source] {
        fs::create_dir(folder).unwrap();
    }
    let counter = counter.configure(|config| {
        config.bind(&source, "/data/place", &["bind"]);
    });
    counter.checkpointed();
    let data = counter.sandbox.rootfs().join("data");
    fs::remove_dir_all(&data).unwrap();
    symlink(&outside, &data).unwrap();
    counter.restoring(&["--detach"]).output().fails_saying("criu failed");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    counter.sandbox.assert_nothing_left();
}

#[test]
fn a_terminal_is_sent_to_the_console_socket() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|config| {
        config["process"]["terminal"] = json!(true);
    });
    let soon = || std::time::Instant::now() + PATIENCE;
    let console = Console::listen(counter.sandbox.path());
    let container = counter.sandbox.create_with(&["--console-socket", console.path()]);
    let (mut terminal, _) = console.terminal();
    container.start();
    assert_eq!(terminal.line(soon()), "0");
    container.signal(Signal::USR1);
    assert_eq!(terminal.line(soon()), "1");
    counter.checkpoint(&[]).success();
    container.wait();
    drop((terminal, console));
    let console = Console::listen(counter.sandbox.path());
    counter.restoring(&["--detach"]).output().fails_saying("console socket");
    let container = counter.restored(&["--console-socket", console.path()]);
    let (mut terminal, _) = console.terminal();
    container.signal(Signal::USR1);
    assert_eq!(terminal.line(soon()), "2");
    container.signal(Signal::TERM);
    assert_eq!(container.wait(), 2);
    container.delete();
}

#[test]
fn a_joined_network_namespace_is_joined_again() {
    let counter = Counter::new(Host::Native, need_criu!());
    let holder = Holder::new(&["--net"]);
    let path = holder.namespace("net");
    let counter = counter.configure(|config| {
        config.join("network", &path);
    });
    counter.checkpointed();
    let container = counter.restored(&[]);
    assert_eq!(inode(&container.proc("ns/net")), inode(&path));
    counter.goes_on(container);
}

#[test]
fn a_restore_in_the_foreground_ends_with_the_program() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    counter.checkpointed();
    let mut running = counter.restoring(&[]).spawn();
    // The program says nothing before it is asked.
    let deadline = std::time::Instant::now() + PATIENCE;
    let status = || {
        let output = counter.call(&["state", counter.sandbox.id()]);
        (output.code() == 0).then(|| serde_json::from_str::<serde_json::Value>(&output.stdout()).unwrap())
    };
    while status().is_none_or(|state| state["status"] != "running") {
        assert!(std::time::Instant::now() < deadline, "it is not restored");
    }
    counter.call(&["kill", counter.sandbox.id(), "USR1"]).success();
    assert_eq!(running.line(), "3");
    running.signal(Signal::TERM);
    assert_eq!(running.wait().code(), 3);
    counter.sandbox.assert_nothing_left();
}

#[test]
fn hooks_run_where_their_kind_says() {
    let counter = Counter::new(Host::Native, need_criu!());
    let log = counter.sandbox.file("log");
    let counter = counter.configure(|config| {
        for kind in ["prestart", "createRuntime", "poststart", "poststop"] {
            config.shell_hook(
                kind,
                &format!("echo {kind} $(sed 's/.*\"status\":\"\\([a-z]*\\).*/\\1/') >> {log}"),
            );
        }
    });
    counter.checkpointed();
    fs::remove_file(&log).unwrap();
    let container = counter.restored(&[]);
    let hooks = fs::read_to_string(&log).unwrap();
    if runtime().is_ours() {
        assert_eq!(hooks, "prestart created\ncreateRuntime created\npoststart running\n");
    }
    counter.goes_on(container);
}

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
