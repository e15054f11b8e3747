//! Confinement by SELinux, with Debian's policy.

use std::fs;
use std::path::Path;

use integration::harness::*;
use integration::skip;
use rustix::fs::{XattrFlags, setxattr};
use serde_json::{Value, json};

/// Of a program that may use files with [`FILES`], and hardly anything else.
const PROGRAM: &str = "system_u:system_r:container_t:s0:c1,c2";
const FILES: &str = "system_u:object_r:container_file_t:s0:c1,c2";

/// Another container's.
const OTHER_PROGRAM: &str = "system_u:system_r:container_t:s0:c3,c4";
const OTHER_FILES: &str = "system_u:object_r:container_file_t:s0:c3,c4";

/// Of a program that may do what it likes.
const PRIVILEGED: &str = "system_u:system_r:spc_t:s0";

/// What no policy knows.
const UNKNOWN: &str = "system_u:system_r:no_such_type_t:s0";

/// Why no container can be confined here.
fn lacking() -> Option<String> {
    let Ok(enforcing) = fs::read_to_string("/sys/fs/selinux/enforce") else {
        return Some("this kernel runs without SELinux".to_owned());
    };
    (enforcing != "1").then(|| "SELinux's policy is not enforced".to_owned())
}

/// A sandbox whose root file system has [`FILES`] throughout.
fn labelled() -> Sandbox {
    let sandbox = Sandbox::new();
    label(&sandbox.rootfs(), FILES);
    sandbox
}

fn label(path: &Path, label: &str) {
    setxattr(path, "security.selinux", label.as_bytes(), XattrFlags::empty()).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| self::label(&entry.unwrap().path(), label));
    }
}

fn confine(config: &mut Config) {
    config["process"]["selinuxLabel"] = json!(PROGRAM);
    config["linux"]["mountLabel"] = json!(FILES);
}

/// The labels of `paths`, as a program in the container sees them.
fn labels(sandbox: &Sandbox, paths: &[&str], change: impl FnOnce(&mut Config)) -> Vec<Value> {
    let options: Vec<&str> = paths.iter().flat_map(|path| ["--stat", path]).collect();
    let report = sandbox.report_with(&options, change);
    paths.iter().map(|path| report["stat"][path]["label"].clone()).collect()
}

#[test]
fn the_policy_denies_a_program_what_is_not_labelled_for_it() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let sandbox = labelled();
    for (name, of) in [("own", FILES), ("other", OTHER_FILES)] {
        fs::write(sandbox.rootfs().join(name), name).unwrap();
        label(&sandbox.rootfs().join(name), of);
    }
    let operations = ["read", "/own", "--", "read", "/other"];
    assert_eq!(sandbox.attempt(&operations, |_| {}), [0, 0], "without a label");
    assert_eq!(sandbox.attempt(&operations, confine), [0, libc::EACCES]);
}

#[test]
fn the_program_has_its_label() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let sandbox = labelled();
    let own = fs::read_to_string("/proc/self/attr/current").unwrap();
    assert_eq!(sandbox.report(|_| {})["lsm"], own.trim_end_matches('\0'), "without a label");
    assert_eq!(sandbox.report(confine)["lsm"], PROGRAM);
}

#[test]
fn a_program_with_few_capabilities_and_no_new_privileges_has_its_label() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let report = labelled().report(|config| {
        confine(config);
        config["process"]["noNewPrivileges"] = json!(true);
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
        config["process"].as_object_mut().unwrap().remove("capabilities");
    });
    assert_eq!(report["lsm"], PROGRAM);
}

#[test]
fn a_program_that_is_executed_later_has_the_containers_label_or_the_one_asked_for() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let sandbox = labelled();
    let container = sandbox.started(&["pause"], confine);
    let exec = |flags: &[&str]| {
        let words = [&["exec"], flags, &["ID", "/probe", "report"]].concat();
        sandbox.command(&words)
    };
    let report = |flags: &[&str]| Report::parse(&exec(flags).success().stdout());
    assert_eq!(report(&[])["lsm"], PROGRAM);
    assert_ne!(report(&[])["keyring"], Value::Null, "it may use its keyring");
    assert_eq!(report(&["--process-label", PRIVILEGED])["lsm"], PRIVILEGED);
    // It may not read its own file, which is another container's, if it may execute it.
    assert_ne!(exec(&["--process-label", OTHER_PROGRAM]).code(), 0);
    let unknown = exec(&["--process-label", UNKNOWN]).exits_with(255);
    assert!(unknown.stderr().contains("nvalid argument"), "{}", unknown.stderr());
    assert!(
        !runtime().is_ours() || unknown.stderr().contains("/process/selinuxLabel"),
        "{}",
        unknown.stderr()
    );
    container.kill("KILL");
    container.wait();
    container.delete();
}

#[test]
fn a_program_may_use_its_session_keyring() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    assert_ne!(labelled().report(confine)["keyring"], Value::Null);
}

#[test]
fn a_label_that_the_policy_does_not_know_is_an_error() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    for (field, pointer) in
        [("process/selinuxLabel", "/process/selinuxLabel"), ("linux/mountLabel", "/linux/mountLabel")]
    {
        let (parent, name) = field.split_once('/').unwrap();
        let sandbox = labelled();
        sandbox.configure(|config| config[parent][name] = json!(UNKNOWN));
        let error = sandbox.with_bundle("create", &[]).output().fails_saying("nvalid argument");
        if runtime().is_ours() {
            assert!(error.contains(pointer), "{error}");
        }
        sandbox.assert_nothing_left();
    }
}

#[test]
fn what_is_mounted_for_a_container_has_its_label() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let paths = ["/dev", "/dev/null", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys/firmware"];
    let plain = labels(&labelled(), &paths, |_| {});
    assert!(plain.iter().all(|label| label != FILES), "without a label: {plain:?}");
    assert_eq!(labels(&labelled(), &paths, confine), vec![json!(FILES); paths.len()]);
}

#[test]
fn a_copy_of_an_images_folder_has_the_label_of_mounts_too() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let sandbox = labelled();
    fs::write(sandbox.rootfs().join("tmp/file"), "").unwrap();
    label(&sandbox.rootfs().join("tmp"), OTHER_FILES);
    let found = labels(&sandbox, &["/tmp", "/tmp/file"], |config| {
        let options = ["tmpcopyup"];
        config
            .mount(json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": options }));
        confine(config);
    });
    assert_eq!(found, [FILES, FILES]);
}

#[test]
fn the_validation_suite_is_content_with_its_label() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    crate::the_suite_is_content("linux_mount_label");
}

#[test]
fn the_kernels_own_file_systems_keep_their_labels() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let paths = ["/proc", "/sys", "/sys/fs/cgroup"];
    assert_eq!(labels(&labelled(), &paths, confine), labels(&labelled(), &paths, |_| {}));
}

#[test]
fn a_user_namespace_is_no_obstacle() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let paths = ["/dev", "/dev/pts", "/dev/mqueue", "/sys/firmware"];
    let found = labels(&labelled(), &paths, |config| {
        config.user_namespace(100_000, 65_536);
        confine(config);
    });
    assert_eq!(found, vec![json!(FILES); paths.len()]);
}

#[test]
fn a_mount_may_have_a_label_of_its_own() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let option = format!("context=\"{FILES}\"");
    let tmpfs = json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": [option] });
    let found = labels(&labelled(), &["/tmp", "/dev"], |config| {
        config.mount(tmpfs);
    });
    assert_eq!(found[0], FILES);
    assert_ne!(found[1], FILES);
}
