//! A temporary world for one container: bundle, state folder, identity.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use super::build::{copy_probe, copy_program, runtime};
use super::config::Config;
use super::container::Container;
use super::host::{self, Host};
use super::invocation::{Invocation, Output};
use super::report::{Report, errnos};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n1001:x:0:0:numeric name:/numeric:/bin/sh\n";
const GROUP: &str = "root:x:0:\napp:x:1000:\naudio:x:29:app\n";

/// A bundle with an identity of its own; everything is removed, and checked to be gone, when it is dropped.
pub struct Sandbox {
    directory: TempDir,
    id: String,
    host: Host,
    wrappers: Vec<String>,
    /// Options before the command.
    globals: Vec<&'static str>,
    devices: BTreeSet<String>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// On this host as it is.
    #[must_use]
    pub fn new() -> Self {
        Self::on(Host::Native)
    }

    /// On `host`.
    #[must_use]
    pub fn on(host: Host) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Of fixed length, so that no identity is the beginning of another one.
        let id = format!("test-{:010}-{:06}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = tempfile::Builder::new().prefix(&id).tempdir().expect("temporary folder");
        // Roots of user namespaces must be able to come in.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let sandbox = Self {
            directory,
            id,
            host,
            wrappers: Vec::new(),
            globals: Vec::new(),
            devices: host::network_devices(),
        };
        fill_rootfs(&sandbox.rootfs());
        sandbox.write(&Config::default());
        sandbox
    }

    /// Puts a command before the runtime, such as `["sh", "-c", "umask 077; exec \"$@\"", "sh"]`.
    #[must_use]
    pub fn wrapped(mut self, command: &[&str]) -> Self {
        self.wrappers.extend(command.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Has systemd make the container's cgroup.
    #[must_use]
    pub fn by_systemd(mut self) -> Self {
        self.globals.push("--systemd-cgroup");
        self
    }

    /// The sandbox belongs to an unprivileged user, who calls a copy of the runtime by `command`: the one that was built
    /// may be where only root can go.
    #[must_use]
    pub fn of_user(self, uid: u32, command: &[&str]) -> Self {
        let copy = self.file(&runtime().path().file_name().expect("a file").to_string_lossy());
        copy_program(runtime().path(), Path::new(&copy));
        for path in [self.path(), &self.bundle(), &self.rootfs()] {
            std::os::unix::fs::chown(path, Some(uid), Some(uid)).expect("chown");
        }
        let user = uid.to_string();
        let as_user = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "--"];
        // The line ends with the runtime and its arguments.
        self.wrapped(&as_user).wrapped(command).wrapped(&[
            "sh",
            "-c",
            "cd /; copy=$0; shift; exec \"$copy\" \"$@\"",
            &copy,
        ])
    }

    /// Runs a line of shell before the runtime, in the same process.
    #[must_use]
    pub fn after_shell(self, line: &str) -> Self {
        self.wrapped(&["sh", "-c", &format!("{line}\nexec \"$@\""), "sh"])
    }

    /// The container's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A folder for the test's own files.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The path of `name` in the test's folder, as text.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        self.path().join(name).to_str().expect("a plain path").to_owned()
    }

    /// The bundle.
    #[must_use]
    pub fn bundle(&self) -> PathBuf {
        self.path().join("bundle")
    }

    /// The root file system of the bundle.
    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.bundle().join("rootfs")
    }

    /// The runtime's state folder.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.path().join("root")
    }

    /// Writes `config.json`.
    pub fn write(&self, config: &Config) {
        self.write_text(&serde_json::to_string_pretty(&**config).expect("JSON"));
    }

    /// Writes `config.json` as it stands.
    pub fn write_text(&self, text: &str) {
        fs::write(self.bundle().join("config.json"), text).expect("config.json");
    }

    /// Writes the default `config.json` after `change`.
    pub fn configure(&self, change: impl FnOnce(&mut Config)) -> &Self {
        let mut config = Config::default();
        change(&mut config);
        self.write(&config);
        self
    }

    /// A call of the runtime: `--root` and what `arguments` says.
    #[must_use]
    pub fn runtime(&self, arguments: &[&str]) -> Invocation {
        let root = self.root();
        let path = runtime().path().to_str().expect("a plain path");
        let mut words: Vec<&str> = self.host.wrapper().to_vec();
        words.extend(self.wrappers.iter().map(String::as_str));
        words.extend([path, "--root", root.to_str().expect("a plain path")]);
        words.extend(&self.globals);
        words.extend(arguments);
        Invocation::new(&words).env("TEST_SANDBOX", &self.id)
    }

    /// `COMMAND FLAGS… --bundle BUNDLE ID`.
    #[must_use]
    pub fn with_bundle(&self, command: &str, flags: &[&str]) -> Invocation {
        let bundle = self.bundle();
        let mut words = vec![command];
        words.extend(flags);
        words.extend(["--bundle", bundle.to_str().expect("a plain path"), &self.id]);
        self.runtime(&words)
    }

    /// Runs the container to its end.
    pub fn run(&self) -> Output {
        self.with_bundle("run", &[]).output()
    }

    /// Runs the container with the probe's `arguments` and the configuration as changed.
    pub fn run_probe(&self, arguments: &[&str], change: impl FnOnce(&mut Config)) -> Output {
        self.configure(|config| {
            config.probe(arguments);
            change(config);
        });
        self.run()
    }

    /// What the probe sees in a container of the changed configuration.
    #[track_caller]
    pub fn report(&self, change: impl FnOnce(&mut Config)) -> Report {
        Report::parse(&self.configure(change).run().success().stdout())
    }

    /// As [`Sandbox::report`], with options of `probe report`.
    #[track_caller]
    pub fn report_with(&self, options: &[&str], change: impl FnOnce(&mut Config)) -> Report {
        let arguments: Vec<&str> = std::iter::once("report").chain(options.iter().copied()).collect();
        Report::parse(&self.run_probe(&arguments, change).success().stdout())
    }

    /// The errno of each of the probe's operations (words, separated by `--`) in such a container.
    #[track_caller]
    pub fn attempt(&self, operations: &[&str], change: impl FnOnce(&mut Config)) -> Vec<i32> {
        let arguments: Vec<&str> = std::iter::once("try").chain(operations.iter().copied()).collect();
        errnos(&self.run_probe(&arguments, change).success().stdout())
    }

    /// Creates the container, which must work.
    #[track_caller]
    pub fn create(&self) -> Container<'_> {
        self.create_with(&[])
    }

    /// Creates the container with more flags.
    #[track_caller]
    pub fn create_with(&self, flags: &[&str]) -> Container<'_> {
        Container::of(self, self.with_bundle("create", flags).output().success())
    }

    /// Creates and starts the container with the probe's `arguments`.
    #[track_caller]
    pub fn started(&self, arguments: &[&str], change: impl FnOnce(&mut Config)) -> Container<'_> {
        self.configure(|config| {
            config.probe(arguments);
            change(config);
        });
        let container = self.create();
        container.start();
        container
    }

    /// The document of `state`.
    #[track_caller]
    pub fn state(&self) -> Value {
        let output = self.runtime(&["state", &self.id]).output().success();
        serde_json::from_str(&output.stdout()).expect("JSON")
    }

    /// A command about the container: `COMMAND ARGUMENTS… `, where `ID` stands for its name.
    pub fn command(&self, words: &[&str]) -> Output {
        let words: Vec<&str> =
            words.iter().map(|word| if *word == "ID" { self.id.as_str() } else { word }).collect();
        self.runtime(&words).output()
    }

    /// What of this container is still on the host, one line each.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        left.extend(host::processes_of(&self.id).iter().map(|pid| format!("process {}", describe(*pid))));
        left.extend(host::cgroups_named(&self.id).iter().map(|path| format!("cgroup {}", path.display())));
        left.extend(host::mounts_below(self.path()).iter().map(|path| format!("mount {}", path.display())));
        let devices = host::network_devices();
        left.extend(devices.difference(&self.devices).map(|name| format!("network device {name}")));
        let states = fs::read_dir(self.root()).into_iter().flatten().filter_map(Result::ok);
        let states = states.filter(|entry| entry.file_name().to_string_lossy().contains(&self.id));
        left.extend(states.map(|entry| format!("state {}", entry.path().display())));
        left
    }

    /// Fails the test if anything of this container is still on the host.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        assert_eq!(self.left(), Vec::<String>::new(), "left on the host");
    }
}

fn describe(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("{pid} {}", String::from_utf8_lossy(&line).replace('\0', " "))
}

fn fill_rootfs(rootfs: &Path) {
    for folder in ["dev", "etc", "proc", "sys", "tmp", "root", "home/app"] {
        fs::create_dir_all(rootfs.join(folder)).expect("folder");
    }
    copy_probe(&rootfs.join("probe"));
    fs::write(rootfs.join("etc/passwd"), PASSWD).expect("passwd");
    fs::write(rootfs.join("etc/group"), GROUP).expect("group");
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        if self.root().join(&self.id).exists() {
            let output = self.command(&["delete", "--force", "ID"]);
            assert!(failing || output.code() == 0, "delete --force: {}", output.stderr());
        }
        let left = self.left();
        host::clean_up(&self.id, self.path());
        if !host::mounts_below(self.path()).is_empty() {
            // Removing the folder would remove what is mounted in it.
            self.directory.disable_cleanup(true);
        }
        assert!(failing || left.is_empty(), "left on the host: {left:#?}");
    }
}
