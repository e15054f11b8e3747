//! Hooks that fail, hang or are not there: what is undone, what is said, and that nothing is left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::io::Read;

use integration::differs_from;
use integration::harness::{Config, Sandbox, wait_until_gone};
use libcontainer::planner::Injection;
use libcontainer::{Bundle, ContainerId, CreateOptions, Delete, ErrorKind, Runtime};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Kinds that belong to `create`.
const OF_CREATE: [&str; 3] = ["prestart", "createRuntime", "createContainer"];

/// Notes in the file `poststop` what poststop hooks read.
fn note_poststop(config: &mut Config, sandbox: &Sandbox) {
    config.shell_hook("poststop", &format!("cat >> {0}; echo >> {0}", sandbox.file("poststop")));
}

/// The states that poststop hooks have read so far.
fn poststops(sandbox: &Sandbox) -> Vec<Value> {
    let text = fs::read_to_string(sandbox.file("poststop")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn assert_poststop_ran_once(sandbox: &Sandbox) {
    let states = poststops(sandbox);
    assert_eq!(states.len(), 1, "{states:?}");
    assert_eq!(states[0]["id"], sandbox.id());
    assert_eq!((&states[0]["status"], &states[0]["pid"]), (&json!("stopped"), &Value::Null));
}

fn fifo(sandbox: &Sandbox, name: &str) -> String {
    let path = sandbox.file(name);
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    path
}

/// A line of shell that says on a fifo that it runs, and then hangs with a child that holds its pipes.
struct Hanging {
    line: String,
    started: String,
}

impl Hanging {
    fn new(sandbox: &Sandbox) -> Self {
        let (started, never) = (fifo(sandbox, "started"), fifo(sandbox, "never"));
        Self { line: format!("cat {never} & echo started > {started}; cat {never}"), started }
    }

    /// Waits until it runs.
    fn wait(&self) {
        let mut text = String::new();
        fs::File::open(&self.started).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "started\n");
    }
}

#[test]
fn a_failing_hook_of_create_undoes_the_container_and_is_named() {
    for kind in OF_CREATE {
        for (end, words) in [("exit 3", "exit status 3"), ("kill -USR1 $$", "signal")] {
            let sandbox = Sandbox::new();
            let after = sandbox.file("after");
            sandbox.configure(|config| {
                config.shell_hook(kind, "exit 0");
                config.shell_hook(kind, &format!("echo printed; echo some words >&2; {end}"));
                config.shell_hook(kind, &format!("touch {after}"));
                config.shell_hook("createContainer", &format!("touch {after}"));
                note_poststop(config, &sandbox);
            });
            let output = sandbox.with_bundle("create", &[]).output();
            let error = output.fails_saying(&format!("error running {kind} hook #1"));
            assert!(error.contains(words) && error.contains("some words"), "{error}");
            if integration::harness::runtime().is_ours() {
                assert!(error.contains(&format!("/hooks/{kind}/1")) && error.contains("/bin/sh"), "{error}");
                assert!(error.contains("printed some words"), "both streams: {error}");
                assert_eq!(error.lines().count(), 1, "{error}");
            }
            sandbox.assert_nothing_left();
            assert!(!fs::exists(&after).unwrap(), "{kind}: a hook ran after one that had failed");
            assert_poststop_ran_once(&sandbox);
        }
    }
}

#[test]
fn the_end_of_a_long_last_speech_is_told() {
    differs_from!("runc", "what a createContainer hook printed can be too long for its own messages");
    for kind in OF_CREATE {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.shell_hook(kind, "head -c 1000000 /dev/zero | tr '\\0' x; echo the end; exit 1");
        });
        let error = sandbox.with_bundle("create", &[]).output().fails_saying("the end");
        assert!(!integration::harness::runtime().is_ours() || error.len() < 2000, "{} bytes", error.len());
        sandbox.assert_nothing_left();
    }
}

#[test]
fn a_failure_after_the_hooks_runs_poststop_too() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config["process"]["args"] = json!(["/missing"]);
        note_poststop(config, &sandbox);
    });
    sandbox.with_bundle("create", &[]).output().fails_saying("/missing");
    sandbox.assert_nothing_left();
    assert_poststop_ran_once(&sandbox);
}

#[test]
fn a_name_that_is_taken_runs_no_hook() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
        note_poststop(config, &sandbox);
    });
    let container = sandbox.create();
    sandbox.with_bundle("create", &[]).output().fails_saying("already exists");
    assert_eq!(poststops(&sandbox), Vec::<Value>::new());
    container.delete();
    assert_poststop_ran_once(&sandbox);
}

#[test]
fn a_failing_start_container_hook_stops_the_container() {
    differs_from!("runc", "its init prints the error itself, and start exits with 0");
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
        config.hook("startContainer", json!({ "path": "/probe", "args": ["probe", "exit", "0"] }));
        config.hook("startContainer", json!({ "path": "/probe", "args": ["probe", "no such word"] }));
        note_poststop(config, &sandbox);
    });
    let container = sandbox.create();
    let error = sandbox.command(&["start", "ID"]).fails_saying("error running startContainer hook #1");
    assert!(error.contains("exit status 99") && error.contains("no such word"), "{error}");
    assert!(error.contains("/hooks/startContainer/1"), "{error}");
    container.wait();
    assert_eq!(container.status(), "stopped");
    assert_eq!(container.stdout.text(), "", "the program did not run");
    container.delete();
    assert_poststop_ran_once(&sandbox);
}

#[test]
fn a_failing_poststart_hook_stops_the_container() {
    differs_from!("runc", "poststart hooks run at the end of create");
    for without_pid_namespace in [false, true] {
        let sandbox = Sandbox::new();
        let after = sandbox.file("after");
        sandbox.configure(|config| {
            config.probe(&["orphans", "2"]);
            if without_pid_namespace {
                config.without_namespace("pid");
            }
            config.shell_hook("poststart", "echo words >&2; exit 4");
            config.shell_hook("poststart", &format!("touch {after}"));
            note_poststop(config, &sandbox);
        });
        let container = sandbox.create();
        let error = sandbox.command(&["start", "ID"]).fails_saying("error running poststart hook #0");
        for part in ["exit status 4", "words", "/hooks/poststart/0"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(!fs::exists(&after).unwrap());
        assert_eq!(container.wait(), 137);
        assert_eq!(container.status(), "stopped");
        assert_eq!(poststops(&sandbox), Vec::<Value>::new());
        container.delete();
        assert_poststop_ran_once(&sandbox);
    }
}

#[test]
fn run_undoes_a_container_whose_hooks_of_the_start_fail() {
    differs_from!("runc", "a detached run succeeds although the startContainer hook failed");
    for kind in ["startContainer", "poststart"] {
        for flags in [&[][..], &["--detach"]] {
            let sandbox = Sandbox::new();
            sandbox.configure(|config| {
                config.probe(&["pause"]);
                config["hooks"][kind] = match kind {
                    "poststart" => json!([{ "path": "/bin/false" }]),
                    _ => json!([{ "path": "/probe", "args": ["probe", "exit", "1"] }]),
                };
                note_poststop(config, &sandbox);
            });
            let output = sandbox.with_bundle("run", flags).output();
            output.fails_saying(&format!("error running {kind} hook #0"));
            sandbox.assert_nothing_left();
            assert_poststop_ran_once(&sandbox);
        }
    }
}

#[test]
fn a_failing_poststop_hook_is_a_warning_and_leaves_nothing() {
    differs_from!("runc", "it stops at the first that fails");
    for how in [&["delete", "ID"][..], &["delete", "--force", "ID"]] {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.probe(&["pause"]);
            config.shell_hook("poststop", "echo words >&2; exit 5");
            config.hook("poststop", json!({ "path": "/no/such/program" }));
            note_poststop(config, &sandbox);
        });
        let container = sandbox.create();
        let warnings = sandbox.command(how).success().stderr();
        for part in ["poststop hook #0", "exit status 5", "words", "poststop hook #1", "no such file"] {
            assert!(warnings.contains(part), "{warnings}");
        }
        container.wait();
        sandbox.assert_nothing_left();
        assert_poststop_ran_once(&sandbox);
    }
}

#[test]
fn a_hook_of_create_that_takes_too_long_is_killed_with_its_process_group() {
    differs_from!("runc", "it waits for the grandchild that holds the hook's pipes");
    for kind in OF_CREATE {
        let sandbox = Sandbox::new();
        let hanging = Hanging::new(&sandbox);
        sandbox.configure(|config| {
            let line = format!("echo before; {}", hanging.line);
            config.hook(kind, json!({ "path": "/bin/sh", "args": ["sh", "-c", line], "timeout": 1 }));
            note_poststop(config, &sandbox);
        });
        let running = sandbox.with_bundle("create", &[]).spawn();
        hanging.wait();
        let error = running.wait().fails_saying(&format!("error running {kind} hook #0"));
        assert!(error.contains("timeout of 1 s") && error.contains("before"), "{error}");
        sandbox.assert_nothing_left();
        assert_poststop_ran_once(&sandbox);
    }
}

#[test]
fn later_hooks_that_take_too_long_are_killed_too() {
    differs_from!("runc", "it waits for the grandchild that holds the hook's pipes");
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
        let hook = json!({ "path": "/probe", "args": ["probe", "orphans", "2"], "timeout": 1 });
        config.hook("startContainer", hook);
    });
    let container = sandbox.create();
    let error = sandbox.command(&["start", "ID"]).fails_saying("error running startContainer hook #0");
    assert!(error.contains("timeout of 1 s"), "{error}");
    container.wait();
    container.delete();
    let sandbox = Sandbox::new();
    let (start, stop) = (fifo(&sandbox, "start"), fifo(&sandbox, "stop"));
    sandbox.configure(|config| {
        config.probe(&["pause"]);
        for (kind, fifo) in [("poststart", start), ("poststop", stop)] {
            let line = format!("cat {fifo} & cat {fifo}");
            config.hook(kind, json!({ "path": "/bin/sh", "args": ["sh", "-c", line], "timeout": 1 }));
        }
    });
    let container = sandbox.create();
    let error = sandbox.command(&["start", "ID"]).fails_saying("error running poststart hook #0");
    assert!(error.contains("timeout of 1 s"), "{error}");
    container.wait();
    let warnings = sandbox.command(&["delete", "ID"]).success().stderr();
    assert!(warnings.contains("timeout of 1 s"), "{warnings}");
    sandbox.assert_nothing_left();
}

#[test]
fn a_hook_within_its_time_is_not_disturbed() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "7"]);
        for kind in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
            config.hook(kind, json!({ "path": "/bin/true", "timeout": 3600 }));
        }
        config.hook(
            "startContainer",
            json!({ "path": "/probe", "args": ["probe", "exit", "0"], "timeout": 3600 }),
        );
    });
    assert_eq!(sandbox.run().exits_with(7).stderr(), "");
}

#[test]
fn a_program_that_is_not_there_is_a_failure_like_any_other() {
    differs_from!("runc", "errors of start are printed by its init");
    for kind in OF_CREATE {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.hook(kind, json!({ "path": "/no/such/program" }));
            note_poststop(config, &sandbox);
        });
        let error = sandbox.with_bundle("create", &[]).output();
        let error = error.fails_saying(&format!("error running {kind} hook #0"));
        for part in ["/no/such/program", "execve", "no such file"] {
            assert!(error.contains(part), "{error}");
        }
        sandbox.assert_nothing_left();
        assert_poststop_ran_once(&sandbox);
    }
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        // It is there on the host, and not in the container.
        config.hook("startContainer", json!({ "path": "/bin/sh" }));
    });
    let container = sandbox.create();
    let error = sandbox.command(&["start", "ID"]).fails_saying("error running startContainer hook #0");
    assert!(error.contains("execve") && error.contains("no such file"), "{error}");
    container.wait();
    container.delete();
}

#[test]
fn a_file_that_is_no_program_is_a_failure_too() {
    for kind in OF_CREATE {
        let sandbox = Sandbox::new();
        let file = sandbox.file("plain");
        fs::write(&file, "#!/bin/sh\n").unwrap();
        sandbox.configure(|config| {
            config.hook(kind, json!({ "path": file }));
        });
        let error = sandbox.with_bundle("create", &[]).output().fails_saying(&format!("{kind} hook #0"));
        assert!(error.contains("permission denied"), "{error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn wrong_hooks_are_refused_before_anything_is_done() {
    differs_from!("runc", "it finds mistakes when it comes to the hook");
    let wrong = [
        (json!({ "path": "bin/true" }), "path"),
        (json!({ "args": ["true"] }), "path"),
        (json!({ "path": "/bin/true", "timeout": 0 }), "timeout"),
        (json!({ "path": "/bin/true", "timeout": -1 }), "timeout"),
        (json!({ "path": "/bin/true", "env": ["A"] }), "env/0"),
        (json!({ "path": "/bin/true", "args": ["a\u{0}"] }), "args/0"),
    ];
    for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
        let sandbox = Sandbox::new();
        for (hook, place) in &wrong {
            let ran = sandbox.file("ran");
            sandbox.configure(|config| {
                config.shell_hook("prestart", &format!("touch {ran}"));
                config.hook(kind, hook.clone());
            });
            let number = usize::from(kind == "prestart");
            let error = sandbox.with_bundle("create", &[]).output();
            error.fails_saying(&format!("/hooks/{kind}/{number}/{place}"));
            assert!(!fs::exists(&ran).unwrap());
        }
        sandbox.assert_nothing_left();
    }
}

#[test]
fn a_runtime_killed_during_a_hook_leaves_what_delete_cleans_with_poststop() {
    differs_from!("runc", "it leaves the hook and writes its state after the process was made");
    for kind in OF_CREATE {
        let sandbox = Sandbox::new();
        let hanging = Hanging::new(&sandbox);
        sandbox.configure(|config| {
            // Without a child, which would be nobody's: the one process is what dies with the runtime.
            let line = hanging.line.split_once("& ").unwrap().1.replace("; cat", "; exec cat");
            config.shell_hook(kind, &line);
            note_poststop(config, &sandbox);
        });
        let running = sandbox.with_bundle("create", &[]).spawn();
        hanging.wait();
        running.signal(Signal::KILL);
        drop(running.wait().exits_with(137));
        sandbox.command(&["delete", "--force", "ID"]).success();
        wait_until_gone(sandbox.id());
        sandbox.assert_nothing_left();
        assert_poststop_ran_once(&sandbox);
    }
}

#[test]
fn delete_by_force_ends_a_create_that_hangs_in_a_hook() {
    differs_from!("runc", "delete does not know of a container that is being created");
    for kind in OF_CREATE {
        let sandbox = Sandbox::new();
        let hanging = Hanging::new(&sandbox);
        sandbox.configure(|config| {
            config.shell_hook(kind, &hanging.line);
            note_poststop(config, &sandbox);
        });
        let running = sandbox.with_bundle("create", &[]).spawn();
        hanging.wait();
        assert_eq!(sandbox.state()["status"], "creating", "{kind}");
        sandbox.command(&["delete", "--force", "ID"]).success();
        running.wait().exits_with(1);
        sandbox.assert_nothing_left();
        assert_poststop_ran_once(&sandbox);
    }
}

#[test]
fn delete_by_force_ends_a_start_that_hangs_in_a_hook_of_the_container() {
    differs_from!("runc", "errors of start are printed by its init");
    let sandbox = Sandbox::new();
    let told = fifo(&sandbox, "told");
    let shared = sandbox.rootfs().join("tmp/told");
    fs::write(&shared, "").unwrap();
    sandbox.configure(|config| {
        config.bind(&told, "/tmp/told", &["bind"]);
        config.hook("startContainer", json!({ "path": "/probe", "args": ["probe", "hook", "/tmp/told"] }));
        config.hook("startContainer", json!({ "path": "/probe", "args": ["probe", "pause"] }));
    });
    let container = sandbox.create();
    let running = sandbox.runtime(&["start", sandbox.id()]).spawn();
    // After the first hook has said what it has to say comes the one that never ends.
    assert_ne!(fs::read_to_string(&told).unwrap(), "");
    sandbox.command(&["delete", "--force", "ID"]).success();
    running.wait().exits_with(1);
    container.wait();
    sandbox.assert_nothing_left();
}

/// The library in this process, with every kind of hook.
fn embedded(sandbox: &Sandbox) -> (Runtime, ContainerId, Bundle) {
    sandbox.configure(|config| {
        config.probe(&["exit", "0"]);
        for kind in ["prestart", "createRuntime", "createContainer", "poststart"] {
            config.hook(kind, json!({ "path": "/bin/true" }));
        }
        config.hook("startContainer", json!({ "path": "/probe", "args": ["probe", "exit", "0"] }));
        note_poststop(config, sandbox);
    });
    let bundle = Bundle::open(sandbox.bundle()).unwrap();
    (Runtime::new(sandbox.root()), ContainerId::new(sandbox.id()).unwrap(), bundle)
}

#[test]
fn whichever_entry_of_a_plan_with_hooks_fails_nothing_is_left() {
    differs_from!("runc", "it is not a library");
    let options = CreateOptions::default().allow_unsealed_executable(true);
    let sandbox = Sandbox::new();
    let (runtime, id, bundle) = embedded(&sandbox);
    // Without the gate, as `run` has it.
    let total = runtime.plan(&id, &bundle, &options).unwrap().entries().len() - 2;
    for index in 0..total {
        let before = poststops(&sandbox).len();
        let failing = options.clone().inject([Injection::Fail { index, errno: libc::EIO }]);
        let error = runtime.run(&id, &bundle, &failing).unwrap_err();
        let ErrorKind::Setup(failure) = error.kind() else { panic!("{index}: {error:?}") };
        assert_eq!((failure.index, failure.total, failure.errno), (index, total, libc::EIO), "{error}");
        sandbox.assert_nothing_left();
        // Before the first entry there is no container whose end could be told.
        assert_eq!(poststops(&sandbox).len() - before, usize::from(index > 0), "{error}");
    }
    runtime.run(&id, &bundle, &options.inject([Injection::Fail { index: total, errno: libc::EIO }])).unwrap();
    runtime.load(&id).unwrap().delete(Delete::Force).unwrap();
}
