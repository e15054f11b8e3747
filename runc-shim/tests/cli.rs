//! The built program where no container is needed.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

struct Shim {
    folder: tempfile::TempDir,
}

impl Shim {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program in its own folder, with a root of its own.
    fn run(&self, line: &[&str]) -> Finished {
        let mut arguments = vec!["--root", "root"];
        arguments.extend(line);
        self.run_bare(&arguments)
    }

    fn run_bare(&self, line: &[&str]) -> Finished {
        Finished::of(Command::new(env!("CARGO_BIN_EXE_runc-shim")).current_dir(&self.folder).args(line))
    }
}

#[derive(Debug)]
struct Finished {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Finished {
    fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    #[track_caller]
    fn succeeded(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self.stdout
    }

    /// The one line of stderr of a command that failed.
    #[track_caller]
    fn failed(self) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        assert_eq!(self.stderr.matches('\n').count(), 1, "{self:?}");
        self.stderr.trim_end().to_owned()
    }
}

#[test]
fn version_and_help_succeed_on_stdout() {
    let shim = Shim::new();
    let version = shim.run_bare(&["--version"]).succeeded();
    assert!(version.starts_with(concat!("runc-shim version ", env!("CARGO_PKG_VERSION"), "\n")), "{version}");
    assert!(version.lines().any(|line| line == "spec: 1.3.0"), "{version}");
    assert_eq!(shim.run_bare(&["-v"]).succeeded(), version);
    let help = shim.run_bare(&["--help"]).succeeded();
    assert_eq!(shim.run_bare(&[]).succeeded(), help);
}

#[test]
fn called_runc_it_says_runc() {
    let shim = Shim::new();
    let link = shim.path("runc");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_runc-shim"), &link).unwrap();
    let version = Finished::of(Command::new(&link).arg("--version")).succeeded();
    assert!(version.starts_with("runc version "), "{version}");
    assert!(
        Finished::of(Command::new(&link).args(["state", "nope"])).failed().starts_with("runc state failed: ")
    );
}

const COMMANDS: [&str; 11] =
    ["create", "start", "run", "state", "kill", "delete", "update", "list", "plan", "spec", "features"];

#[test]
fn every_command_explains_itself() {
    let shim = Shim::new();
    for command in COMMANDS {
        for line in [[command, "--help"], [command, "-h"], ["help", command]] {
            let help = shim.run_bare(&line).succeeded();
            assert!(help.starts_with(&format!("runc-shim {command} - ")), "{help}");
        }
    }
}

#[test]
fn every_option_in_a_help_is_known_to_the_command() {
    let shim = Shim::new();
    for command in COMMANDS {
        let help = shim.run_bare(&[command, "--help"]).succeeded();
        let options = help.split("OPTIONS:\n").last().unwrap();
        for line in options.lines() {
            let spellings = line.trim().split("  ").next().unwrap();
            for spelling in spellings.split(", ").filter(|spelling| spelling.starts_with('-')) {
                let mut arguments = vec![command];
                arguments.extend(spelling.split(' ').map(|word| if word == "N" { "1" } else { word }));
                if spelling.contains("FORMAT") {
                    arguments.pop();
                    arguments.push("json");
                }
                arguments.push("--help");
                assert_eq!(shim.run_bare(&arguments).succeeded(), help, "{arguments:?}");
            }
        }
    }
}

#[test]
fn unknown_flags_and_commands_are_named_on_one_line() {
    let shim = Shim::new();
    assert_eq!(
        shim.run_bare(&["--foo", "list"]).failed(),
        "runc-shim: flag provided but not defined: --foo (see 'runc-shim --help')"
    );
    assert_eq!(
        shim.run(&["create", "--zz", "web"]).failed(),
        "runc-shim create failed: flag provided but not defined: --zz (see 'runc-shim create --help')"
    );
    assert!(shim.run(&["frobnicate"]).failed().contains("unknown command \"frobnicate\""));
    assert!(shim.run(&["run", "-bundle", "/b", "web"]).failed().contains("/b/config.json"));
    assert!(shim.run(&["run", "-bundel", "/b", "web"]).failed().contains("not defined: --bundel"));
    assert!(shim.run(&["create", "--preserve-fds", "many", "web"]).failed().contains("\"many\""));
    assert!(shim.run(&["--log-format", "xml", "list"]).failed().contains("invalid log-format: xml"));
    assert!(shim.run(&["list", "-f", "xml"]).failed().contains("invalid format option"));
}

#[test]
fn the_number_of_arguments_is_checked() {
    let shim = Shim::new();
    for command in ["create", "start", "run", "state", "delete", "plan"] {
        for line in [&[command][..], &[command, "a", "b"]] {
            let expected = format!("{command:?} requires exactly 1 argument(s)");
            let line = shim.run(line).failed();
            assert!(line.contains(&expected), "{line}");
        }
    }
    assert!(shim.run(&["kill"]).failed().contains("\"kill\" requires from 1 to 2 arguments"));
    assert!(shim.run(&["list", "a"]).failed().contains("\"list\" requires exactly 0 argument(s)"));
}

#[test]
fn names_that_cannot_be_containers_are_refused_everywhere() {
    let shim = Shim::new();
    let long = "x".repeat(256);
    for command in ["create", "start", "run", "state", "kill", "delete", "plan"] {
        for id in ["..", "a/b", "", &long] {
            let line = shim.run(&[command, id]).failed();
            assert!(line.contains("invalid container ID format"), "{line}");
        }
    }
    assert!(!shim.path("root").exists());
}

#[test]
fn a_bad_signal_is_named() {
    assert!(Shim::new().run(&["kill", "web", "SIGNOPE"]).failed().contains("unknown signal \"SIGNOPE\""));
}

#[test]
fn a_bundle_without_a_configuration_is_an_error_and_leaves_nothing() {
    let shim = Shim::new();
    for command in ["create", "run", "plan"] {
        // The name may stand on either side of the options.
        shim.run(&[command, "web", "--bundle", "nowhere"]).failed();
        shim.run(&[command, "--bundle", "nowhere", "web"]).failed();
    }
    assert!(!shim.path("root").exists());
}

#[test]
fn errors_go_to_stderr_and_as_json_to_the_log() {
    let shim = Shim::new();
    let line = shim.run(&["--log", "log", "--log-format=json", "state", "a/b"]).failed();
    shim.run(&["--log=log", "--log-format", "json", "state", "a/b"]).failed();
    let log = fs::read_to_string(shim.path("log")).unwrap();
    assert_eq!(log.lines().count(), 2, "{log}");
    for entry in log.lines() {
        let entry: Value = serde_json::from_str(entry).unwrap();
        assert_eq!(entry["level"], "error");
        assert_eq!(entry["msg"], *line);
        assert!(is_rfc3339(entry["time"].as_str().unwrap()));
    }
}

#[test]
fn the_text_log_has_logrus_s_shape() {
    let shim = Shim::new();
    shim.run(&["--log", "log", "kill", "web", "NOPE"]).failed();
    let log = fs::read_to_string(shim.path("log")).unwrap();
    let rest = log.strip_prefix("time=\"").unwrap();
    let (time, rest) = rest.split_once('"').unwrap();
    assert!(is_rfc3339(time), "{log}");
    assert_eq!(rest, " level=error msg=\"runc-shim kill failed: unknown signal \\\"NOPE\\\"\"\n");
}

fn is_rfc3339(time: &str) -> bool {
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00Z"
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error() {
    let line = Shim::new().run(&["--log", "no/such/log", "list"]).failed();
    assert!(line.contains("open no/such/log: no such file or directory"), "{line}");
}

#[test]
fn only_the_default_root_may_be_missing_for_list() {
    let shim = Shim::new();
    let line = shim.run(&["list"]).failed();
    assert!(line.ends_with("root: no such file or directory"), "{line}");
    if Path::new("/run/runc-shim").exists() {
        eprintln!("skipped: /run/runc-shim exists, so the default root is not missing");
        return;
    }
    let table = shim.run_bare(&["list"]).succeeded();
    assert_eq!(table, "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
    assert_eq!(shim.run_bare(&["list", "-f", "json"]).succeeded(), "[]\n");
    assert_eq!(shim.run_bare(&["list", "--quiet"]).succeeded(), "");
}

#[test]
fn spec_writes_once() {
    let shim = Shim::new();
    assert_eq!(shim.run_bare(&["spec"]).succeeded(), "");
    let written = fs::read_to_string(shim.path("config.json")).unwrap();
    let line = shim.run_bare(&["spec", "--rootless"]).failed();
    assert!(line.contains("File config.json exists. Remove it first"), "{line}");
    assert_eq!(fs::read_to_string(shim.path("config.json")).unwrap(), written);
    assert!(shim.run_bare(&["spec", "-b", "nowhere"]).failed().contains("nowhere/config.json"));
}

/// A runc to compare with: `$RUNC`, or `runc` in `$PATH`, if it is not older than 1.2, whose defaults these are.
fn runc() -> Option<String> {
    let name = std::env::var("RUNC").unwrap_or_else(|_| "runc".into());
    let version = Command::new(&name).arg("--version").output().ok()?.stdout;
    let version = String::from_utf8(version).ok()?;
    let mut numbers =
        version.strip_prefix("runc version ")?.split('.').map_while(|part| part.parse::<u32>().ok());
    (numbers.next()? > 1 || numbers.next()? >= 2).then_some(name)
}

#[test]
fn spec_writes_what_runc_writes() {
    let Some(runc) = runc() else {
        eprintln!("skipped: no runc of version 1.2 or newer to compare with; name one in $RUNC");
        return;
    };
    for variant in [&["spec"][..], &["spec", "--rootless"]] {
        let (ours, theirs) = (Shim::new(), Shim::new());
        ours.run_bare(variant).succeeded();
        Finished::of(Command::new(&runc).current_dir(&theirs.folder).args(variant)).succeeded();
        let read = |shim: &Shim| fs::read_to_string(shim.path("config.json")).unwrap();
        let (ours, theirs) = (read(&ours), read(&theirs));
        let version = |text: &str| serde_json::from_str::<Value>(text).unwrap()["ociVersion"].to_string();
        assert_eq!(ours, theirs.replacen(&version(&theirs), &version(&ours), 1), "{variant:?}");
    }
}

#[test]
fn a_seccomp_profile_is_explained() {
    let shim = Shim::new();
    let profile = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
        {"names":["read","write"],"action":"SCMP_ACT_ALLOW"},
        {"names":["personality"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":8,"op":"SCMP_CMP_EQ"}]}]}"#;
    fs::write(shim.path("profile.json"), profile).unwrap();
    fs::write(shim.path("config.json"), format!(r#"{{"linux":{{"seccomp":{profile}}}}}"#)).unwrap();
    let alone = shim.run(&["seccomp", "explain", "profile.json"]).succeeded();
    for line in [
        "  SCMP_ACT_ALLOW (2 calls)\n    read write\n",
        "    SCMP_ACT_LOG if arg0 == 0x8\n    else SCMP_ACT_ERRNO EPERM\n",
    ] {
        assert!(alone.contains(line), "{alone}");
    }
    assert_eq!(shim.run(&["seccomp", "explain"]).succeeded(), alone);
    assert_eq!(shim.run(&["seccomp", "explain", "--bundle", "."]).succeeded(), alone);
    let json: Value =
        serde_json::from_str(&shim.run(&["seccomp", "explain", "-f", "json"]).succeeded()).unwrap();
    let answers = json["architectures"][0]["answers"].as_array().unwrap();
    let allowed = answers.iter().find(|answer| answer["action"] == "SCMP_ACT_ALLOW").unwrap();
    assert_eq!(allowed["calls"], serde_json::json!(["read", "write"]));
    assert_eq!(json["architectures"][0]["conditional"][0]["call"], "personality");
    assert!(json["cost"]["averageComparisons"].as_f64().unwrap() > 1.0);
    assert!(shim.run(&["seccomp", "explain", "--bpf"]).succeeded().starts_with("    0  load architecture\n"));
    assert!(shim.run(&["seccomp", "explain", "nothing.json"]).failed().contains("nothing.json"));
    let without = shim.run(&["seccomp", "explain", "--bundle", "nowhere"]).failed();
    assert!(without.contains("config.json"), "{without}");
    assert_eq!(shim.run(&["seccomp", "forbid"]).code, Some(1));
}
