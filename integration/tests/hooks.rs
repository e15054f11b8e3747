//! Hooks: where and when each kind runs, and what it is given.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use integration::harness::*;
use integration::{differs_from, on_hosts};
use serde_json::{Value, json};

const KINDS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// Kinds that see the container's namespaces.
const INSIDE: [&str; 2] = ["createContainer", "startContainer"];

/// A hook that appends a report to the file of its kind.
fn reporter(sandbox: &Sandbox, kind: &str, options: &[&str]) -> Value {
    // Only startContainer lives in the container's own files.
    let (path, file) = match kind {
        "startContainer" => ("/probe".to_owned(), "/tmp/startContainer".to_owned()),
        _ => (probe().to_str().unwrap().to_owned(), sandbox.file(kind)),
    };
    let args: Vec<&str> = ["probe", "hook", &file].into_iter().chain(options.iter().copied()).collect();
    json!({ "path": path, "args": args })
}

/// A configuration that may be written to, with a reporter of each of `kinds`.
fn reporting(sandbox: &Sandbox, kinds: &[&str]) -> Config {
    let mut config = Config::default();
    config.probe(&["pause"]);
    config["root"]["readonly"] = json!(false);
    for kind in kinds {
        config.hook(kind, reporter(sandbox, kind, &[]));
    }
    config
}

/// What the hooks of `kind` have reported so far.
fn reports(sandbox: &Sandbox, kind: &str) -> Vec<Report> {
    let file = match kind {
        "startContainer" => sandbox.rootfs().join("tmp/startContainer"),
        _ => sandbox.path().join(kind),
    };
    fs::read_to_string(file).unwrap_or_default().lines().map(Report::parse).collect()
}

#[track_caller]
fn report(sandbox: &Sandbox, kind: &str) -> Report {
    let mut all = reports(sandbox, kind);
    assert_eq!(all.len(), 1, "reports of {kind}");
    all.remove(0)
}

fn input(report: &Report) -> Value {
    serde_json::from_str(report["input"].as_str().unwrap()).unwrap()
}

fn have_run(sandbox: &Sandbox) -> Vec<&'static str> {
    KINDS.into_iter().filter(|kind| !reports(sandbox, kind).is_empty()).collect()
}

/// Whether poststart hooks are run by `start`, as the runtime-spec wants it; runc runs them at the end of `create`.
fn poststart_is_at_start() -> bool {
    !runtime().is("runc")
}

fn namespace_of(process: &str, kind: &str) -> String {
    fs::read_link(format!("/proc/{process}/ns/{kind}")).unwrap().to_str().unwrap().to_owned()
}

on_hosts! {
    fn each_kind_runs_at_its_moment_in_its_namespaces_with_its_state(host: Host) {
        let sandbox = Sandbox::on(host);
        let mut config = reporting(&sandbox, &KINDS);
        config["annotations"] = json!({ "a.b/c": "d\"\n" });
        sandbox.write(&config);
        let mut container = sandbox.create();
        let of_create: &[&str] =
            if poststart_is_at_start() { &KINDS[..3] } else { &[KINDS[0], KINDS[1], KINDS[2], KINDS[4]] };
        assert_eq!(have_run(&sandbox), of_create);
        let pid = container.pid();
        let inside = |kind: &str| namespace_of(&pid.to_string(), kind);
        let namespaces = ["mnt", "pid", "net", "ipc", "uts"];
        let of_container: Vec<String> = namespaces.iter().map(|kind| inside(kind)).collect();
        container.start();
        // The start of others does not wait for the hooks inside.
        assert!(!runtime().is_ours() || have_run(&sandbox) == KINDS[..5], "{:?}", have_run(&sandbox));
        assert_eq!(container.line(), "ready");
        container.kill("KILL");
        container.wait();
        assert_eq!(have_run(&sandbox), KINDS[..5]);
        container.delete();
        assert_eq!(have_run(&sandbox), KINDS);
        for kind in KINDS {
            let report = report(&sandbox, kind);
            for (name, of_container) in namespaces.iter().zip(&of_container) {
                // On the v2 host the runtime itself has a mount namespace of its own.
                if INSIDE.contains(&kind) || host == Host::Native {
                    let of_host = namespace_of("self", name);
                    let expected = if INSIDE.contains(&kind) { of_container } else { &of_host };
                    assert_eq!(report.namespace(name), expected, "{kind}");
                } else if kind != "poststop" {
                    // Of a namespace that is gone, another one may have got the number.
                    assert_ne!(report.namespace(name), of_container, "{kind}");
                }
            }
            let state = input(&report);
            assert_eq!(state["id"], sandbox.id(), "{kind}");
            assert_eq!(state["bundle"], sandbox.bundle().to_str().unwrap(), "{kind}");
            assert_eq!(state["annotations"], json!({ "a.b/c": "d\"\n" }), "{kind}");
            let expected = match kind {
                "poststop" => json!(null),
                _ if INSIDE.contains(&kind) => json!(1),
                _ => json!(pid),
            };
            assert_eq!(state["pid"], expected, "{kind}");
            if runtime().is_ours() {
                let expected = match kind {
                    "poststart" => "running",
                    "poststop" => "stopped",
                    _ => "created",
                };
                assert_eq!((&state["status"], &state["ociVersion"]), (&json!(expected), &json!("1.3.0")));
            }
        }
    }
}

#[test]
fn run_runs_them_all_and_gives_the_programs_exit_code() {
    let sandbox = Sandbox::new();
    let mut config = reporting(&sandbox, &KINDS);
    config.probe(&["exit", "7"]);
    sandbox.write(&config);
    sandbox.run().exits_with(7);
    assert_eq!(have_run(&sandbox), KINDS);
    sandbox.assert_nothing_left();
}

#[test]
fn hooks_run_in_order_within_a_kind_and_by_kind() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("order");
    sandbox.configure(|config| {
        config.probe(&["exit", "0"]);
        // Backwards, so that it is not the order of the document that counts.
        for kind in ["poststop", "poststart", "createContainer", "createRuntime", "prestart"] {
            for number in 0..3 {
                config.shell_hook(kind, &format!("echo {kind} {number} >> {file}"));
            }
        }
    });
    sandbox.run().success();
    let kinds = KINDS.iter().filter(|kind| **kind != "startContainer");
    let expected: Vec<String> =
        kinds.flat_map(|kind| (0..3).map(move |number| format!("{kind} {number}"))).collect();
    assert_eq!(fs::read_to_string(file).unwrap().lines().collect::<Vec<_>>(), expected);
}

#[test]
fn hooks_of_create_find_the_mounts_done_and_the_root_not_yet_changed() {
    let sandbox = Sandbox::new();
    let line = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); cat /proc/$pid/mountinfo >";
    let (runtime, container) = (sandbox.file("runtime"), sandbox.file("container"));
    sandbox.configure(|config| {
        config.probe(&["exit", "0"]);
        config.shell_hook("createRuntime", &format!("{line} {runtime}"));
        config.shell_hook("createContainer", &format!("cat /proc/self/mountinfo > {container}"));
    });
    sandbox.run().success();
    for file in [runtime, container] {
        let seen = fs::read_to_string(&file).unwrap();
        let points: BTreeSet<&str> = seen.lines().filter_map(|line| line.split(' ').nth(4)).collect();
        for mount in ["", "/proc", "/dev", "/dev/pts", "/sys"] {
            let point = format!("{}{mount}", sandbox.rootfs().display());
            assert!(points.contains(point.as_str()), "{point} not in {file}: {seen}");
        }
    }
}

#[test]
fn create_container_hooks_change_the_containers_mounts_alone() {
    let sandbox = Sandbox::new();
    let source = sandbox.file("source");
    fs::create_dir(&source).unwrap();
    fs::write(format!("{source}/file"), "mounted by a hook").unwrap();
    let target = sandbox.rootfs().join("tmp");
    let report = sandbox.report_with(&["--read", "/tmp/file"], |config| {
        config.shell_hook("createContainer", &format!("mount --bind {source} {}", target.display()));
    });
    assert_eq!(report["read"]["/tmp/file"], "mounted by a hook");
    assert!(!target.join("file").exists());
}

#[test]
fn create_runtime_hooks_may_set_up_the_network_namespace() {
    let sandbox = Sandbox::new();
    let line = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); nsenter --target $pid --net ip link add hooked type dummy || \
                nsenter --target $pid --net sh -c 'echo 1234 > /proc/sys/net/core/somaxconn'";
    let report = sandbox.report_with(&["--sysctl", "net/core/somaxconn"], |config| {
        config.shell_hook("createRuntime", line);
    });
    let devices = report["net"].to_string();
    assert!(devices.contains("hooked") || report["sysctls"]["net/core/somaxconn"] == "1234", "{devices}");
}

#[test]
fn start_container_hooks_run_before_the_program_and_poststart_hooks_after() {
    differs_from!("runc", "poststart hooks run at the end of create");
    let sandbox = Sandbox::new();
    let exe = sandbox.file("exe");
    let mut config = reporting(&sandbox, &["startContainer"]);
    config.probe(&["report", "--wait", "--stat", "/tmp/startContainer"]);
    let line = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); readlink /proc/$pid/exe >";
    config.shell_hook("poststart", &format!("{line} {exe}"));
    sandbox.write(&config);
    let mut container = sandbox.create();
    container.start();
    let found = container.report();
    assert!(
        !found["stat"]["/tmp/startContainer"].is_null(),
        "the file of the hook is there: {}",
        found["stat"]
    );
    let executed = fs::read_to_string(exe).unwrap();
    assert!(executed.trim_end().ends_with("/probe"), "poststart hooks find the program running: {executed}");
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
}

#[test]
fn start_container_hooks_have_the_rights_of_the_program_and_no_more() {
    let sandbox = Sandbox::new();
    fs::set_permissions(sandbox.rootfs().join("tmp"), fs::Permissions::from_mode(0o777)).unwrap();
    let mut config = reporting(&sandbox, &["startContainer"]);
    config.probe(&["report"]);
    config["process"]["user"] = json!({ "uid": 1000, "gid": 1001, "additionalGids": [5] });
    config["process"]["cwd"] = json!("/home/app");
    config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        { "names": ["swapoff"], "action": "SCMP_ACT_ERRNO" }
    ] });
    sandbox.write(&config);
    let program = Report::parse(&sandbox.run().success().stdout());
    let hook = report(&sandbox, "startContainer");
    for section in ["cwd", "env", "security"] {
        assert_eq!(hook[section], program[section], "{section}");
    }
    for id in ["uid", "gid", "groups", "umask"] {
        assert_eq!(hook["process"][id], program["process"][id], "{id}");
    }
    assert_eq!(hook["security"]["seccomp"], 2);
    assert_eq!(hook["process"]["uid"]["effective"], 1000);
}

#[test]
fn without_env_the_runtimes_environment_is_inherited() {
    let sandbox = Sandbox::new();
    sandbox.write(&reporting(&sandbox, &KINDS));
    for command in ["create", "start", "delete"] {
        let invocation = match command {
            "create" => sandbox.with_bundle("create", &[]),
            "start" => sandbox.runtime(&["start", sandbox.id()]),
            _ => sandbox.runtime(&["delete", "--force", sandbox.id()]),
        };
        drop(invocation.env("GIVEN_TO", command).output().success());
    }
    let start = if poststart_is_at_start() { "start" } else { "create" };
    let inherited =
        [("prestart", "create"), ("createRuntime", "create"), ("poststart", start), ("poststop", "delete")];
    for (kind, command) in inherited {
        let report = report(&sandbox, kind);
        let found = report["env"].as_array().unwrap().contains(&json!(["GIVEN_TO", command]));
        assert!(found, "{kind}: {}", report["env"]);
    }
    // The start of others does not wait for the hooks inside, and what create runs inside gets no environment there.
    if runtime().is_ours() {
        // The image's programs learn nothing of it.
        assert!(!report(&sandbox, "startContainer")["env"].to_string().contains("GIVEN_TO"));
        assert!(report(&sandbox, "createContainer")["env"].to_string().contains("GIVEN_TO"));
    }
}

#[test]
fn a_given_environment_is_all_of_it() {
    differs_from!("runc", "an empty environment is none for startContainer hooks");
    let sandbox = Sandbox::new();
    let mut config = reporting(&sandbox, &[]);
    for kind in KINDS {
        let mut hook = reporter(&sandbox, kind, &[]);
        hook["env"] = json!(["A=1", "B=x=y", "A=2"]);
        config.hook(kind, hook.clone());
        hook["env"] = json!([]);
        config.hook(kind, hook);
    }
    config.probe(&["exit", "0"]);
    sandbox.write(&config);
    sandbox.run().success();
    for kind in KINDS {
        let environments: Vec<Value> =
            reports(&sandbox, kind).iter().map(|report| report["env"].clone()).collect();
        assert_eq!(environments, [json!([["B", "x=y"], ["A", "2"]]), json!([])], "{kind}");
    }
}

#[test]
fn arguments_are_passed_as_they_are_and_default_to_the_path() {
    let sandbox = Sandbox::new();
    let default = sandbox.file("default");
    fs::write(&default, format!("#!/bin/sh\necho \"$0 $#\" > {default}.out\n")).unwrap();
    fs::set_permissions(&default, fs::Permissions::from_mode(0o755)).unwrap();
    let mut config = reporting(&sandbox, &[]);
    for kind in KINDS {
        let mut hook = reporter(&sandbox, kind, &["--read", ""]);
        hook["args"][0] = json!("any name");
        config.hook(kind, hook);
    }
    config.hook("prestart", json!({ "path": default }));
    config.probe(&["exit", "0"]);
    sandbox.write(&config);
    sandbox.run().success();
    for kind in KINDS {
        let argv = report(&sandbox, kind)["argv"].clone();
        assert_eq!((&argv[0], &argv[1]), (&json!("any name"), &json!("hook")), "{kind}");
        assert_eq!((&argv[3], &argv[4]), (&json!("--read"), &json!("")), "{kind}");
    }
    assert_eq!(fs::read_to_string(format!("{default}.out")).unwrap(), format!("{default} 0\n"));
}

#[test]
fn hooks_of_the_host_run_in_the_bundle_and_those_of_the_container_in_its_root() {
    differs_from!("runc", "poststop runs in the folder of whoever deletes");
    let sandbox = Sandbox::new();
    let mut config = reporting(&sandbox, &KINDS);
    config.probe(&["exit", "0"]);
    config["process"]["cwd"] = json!("/home/app");
    sandbox.write(&config);
    sandbox.with_bundle("run", &[]).current_dir("/usr".as_ref()).output().success();
    for kind in KINDS {
        let expected = match kind {
            "createContainer" => sandbox.rootfs(),
            "startContainer" => "/home/app".into(),
            _ => sandbox.bundle(),
        };
        assert_eq!(report(&sandbox, kind)["cwd"], expected.to_str().unwrap(), "{kind}");
    }
}

#[test]
fn hooks_get_three_descriptors_and_no_other() {
    differs_from!("runc", "hooks of the container inherit what its first process still has open");
    let sandbox = Sandbox::new().after_shell("exec 3</dev/null 4</dev/null 9</dev/zero");
    let mut config = reporting(&sandbox, &KINDS);
    config.probe(&["exit", "0"]);
    sandbox.write(&config);
    sandbox.with_bundle("run", &["--preserve-fds", "1"]).output().success();
    for kind in KINDS {
        let report = report(&sandbox, kind);
        let numbers: Vec<&String> = report["fds"].as_object().unwrap().keys().collect();
        assert_eq!(numbers, ["0", "1", "2"], "{kind}: {}", report["fds"]);
        assert_eq!(report["process"]["blocked"], json!([]), "{kind}");
        assert_eq!(report["process"]["ignored"], json!([libc::SIGPIPE]), "{kind}");
        assert_eq!(report["process"]["pid"], report["process"]["pgid"], "{kind} leads a process group");
    }
    assert_eq!(report(&sandbox, "createContainer")["process"]["umask"], "0022");
}

#[test]
fn a_state_of_megabytes_arrives_whole_and_need_not_be_read() {
    let sandbox = Sandbox::new();
    let mut config = reporting(&sandbox, &KINDS);
    let long = "x".repeat(1 << 20);
    config["annotations"] = json!({ "long": long });
    config.probe(&["exit", "0"]);
    for kind in ["createRuntime", "createContainer", "poststop"] {
        config.hook(kind, json!({ "path": "/bin/true" }));
    }
    sandbox.write(&config);
    let output = sandbox.run().success();
    assert_eq!(output.stderr(), "");
    for kind in KINDS {
        assert_eq!(input(&report(&sandbox, kind))["annotations"]["long"], long.as_str(), "{kind}");
    }
}

#[test]
fn what_hooks_print_is_not_seen_if_they_succeed() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "0"]);
        for kind in KINDS.iter().filter(|kind| **kind != "startContainer") {
            // More than a pipe holds.
            config.shell_hook(kind, "head -c 300000 /dev/zero | tr '\\0' x; echo noise >&2");
        }
        config.hook("startContainer", json!({ "path": "/probe", "args": ["probe"] }));
    });
    let output = sandbox.run().success();
    assert_eq!((output.stdout(), output.stderr()), (String::new(), String::new()));
}

#[test]
fn a_grandchild_that_holds_the_pipes_does_not_delay_its_hook() {
    differs_from!("runc", "it waits until nobody holds the hook's pipes");
    let sandbox = Sandbox::new();
    let fifo = sandbox.file("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    sandbox.configure(|config| {
        config.probe(&["exit", "0"]);
        config.shell_hook("createRuntime", &format!("cat {fifo} & exit 0"));
    });
    sandbox.run().success();
    // The grandchild still reads from the fifo, and so opening it for writing works; then it ends.
    drop(fs::OpenOptions::new().write(true).open(&fifo).unwrap());
    wait_until_gone(sandbox.id());
}

#[test]
fn hooks_work_with_a_user_namespace() {
    let sandbox = Sandbox::new();
    fs::set_permissions(sandbox.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(sandbox.rootfs().join("tmp"), fs::Permissions::from_mode(0o777)).unwrap();
    let mut config = reporting(&sandbox, &KINDS);
    config.user_namespace(100_000, 65_536);
    config.probe(&["report"]);
    sandbox.write(&config);
    let program = Report::parse(&sandbox.run().success().stdout());
    assert_eq!(have_run(&sandbox), KINDS);
    for kind in KINDS {
        let report = report(&sandbox, kind);
        let expected = if INSIDE.contains(&kind) {
            program.namespace("user").to_owned()
        } else {
            namespace_of("self", "user")
        };
        assert_eq!(report.namespace("user"), expected, "{kind}");
    }
}

#[test]
fn a_joined_pid_namespace_gives_hooks_inside_the_pid_that_is_known_there() {
    let sandbox = Sandbox::new();
    let mut holder = Sandbox::new();
    let holder = &mut holder;
    let container = holder.started(&["pause"], |_| {});
    let mut config = reporting(&sandbox, &INSIDE);
    config.join("pid", &container.proc("ns/pid"));
    config.probe(&["report"]);
    sandbox.write(&config);
    let program = Report::parse(&sandbox.run().success().stdout());
    for kind in INSIDE {
        assert_eq!(input(&report(&sandbox, kind))["pid"], program["process"]["pid"], "{kind}");
    }
}

#[test]
fn a_plan_shows_every_hook() {
    differs_from!("runc", "it has no plan");
    differs_from!("crun", "it has no plan");
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        for kind in KINDS {
            config.hook(kind, json!({ "path": "/bin/true" }));
            config.hook(kind, json!({ "path": "/bin/false", "timeout": 3 }));
        }
    });
    let text = sandbox.with_bundle("plan", &[]).output().success().stdout();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(" hook #")).collect();
    assert_eq!(lines.len(), 12, "{text}");
    for (kind, pair) in KINDS.iter().zip(lines.chunks(2)) {
        let actor = match *kind {
            "poststop" => "at delete: ",
            kind if INSIDE.contains(&kind) => " init  ",
            _ => " host  ",
        };
        assert!(pair[0].ends_with(&format!("{actor}run {kind} hook #0 /bin/true")), "{pair:?}");
        assert!(
            pair[1].ends_with(&format!("{actor}run {kind} hook #1 /bin/false (at most 3 s)")),
            "{pair:?}"
        );
    }
    let place = |what: &str| text.lines().position(|line| line.contains(what)).unwrap();
    assert!(place("run createContainer hook #1") < place("pivot root"));
    assert!(place("wait for start") < place("run startContainer hook #0"));
    assert!(place("run poststart hook #0") > place("exec /probe"));
}
