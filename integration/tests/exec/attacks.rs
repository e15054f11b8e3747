//! A container's processes attack those that join it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use integration::differs_from;
use integration::harness::*;
use rustix::process::Signal;
use serde_json::json;

use super::exec;

/// CVE-2016-9962: processes of the container look at those that join it.
#[test]
fn a_process_that_joins_cannot_be_looked_into() {
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["spy"], |_| {});
    for _ in 0..200 {
        exec(&sandbox, &[], &["exit", "0"]).success();
    }
    container.kill("TERM");
    let spied = container.line();
    assert_eq!(container.wait(), 0);
    container.delete();
    assert!(spied["looked"].as_u64().unwrap() > 0, "it saw processes join: {spied}");
    assert_eq!(spied["found"], json!([]));
}

/// Content, mode and times of a file.
fn content(path: &str) -> (Vec<u8>, u32, i64, i64) {
    let metadata = fs::metadata(path).unwrap();
    (fs::read(path).unwrap(), metadata.mode(), metadata.mtime(), metadata.mtime_nsec())
}

/// What a process with these capabilities could get hold of and do while programs that are the runtime were executed;
/// each time one of `refusals` was said.
fn attacked(capabilities: &[&str], refusals: &[&str]) -> serde_json::Value {
    // A copy, for other tests use the runtime.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join(runtime().path().file_name().unwrap()).display().to_string();
    Invocation::new(&["cp", runtime().path().to_str().unwrap(), &copy]).output().success();
    let before = content(&copy);
    let line = "copy=$0; shift; exec \"$copy\" \"$@\"";
    let sandbox = Sandbox::new().wrapped(&["sh", "-c", line, &copy]);
    let script = sandbox.rootfs().join("script");
    fs::write(&script, "#!/proc/self/exe\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut container = sandbox.started(&["hijack"], |config| {
        config.capabilities(&["bounding", "effective", "permitted"], capabilities);
    });
    assert_eq!(container.line(), "ready");
    for program in ["/script", "/proc/self/exe"] {
        for _ in 0..100 {
            let said = sandbox.command(&["exec", "ID", program]).stderr();
            let is_known = refusals.iter().any(|refusal| said.contains(refusal));
            assert!(!runtime().is_ours() || is_known, "{program}: {said}");
        }
    }
    container.signal(Signal::TERM);
    let attack = container.line();
    assert_eq!(container.wait(), 0);
    container.delete();
    assert!(content(&copy) == before, "the runtime's file was changed");
    attack
}

/// CVE-2019-5736: the program to be executed is the runtime itself, whose file other processes then reach.
#[test]
fn a_program_that_is_the_runtime_gives_nobody_its_file() {
    differs_from!(
        "runc",
        "its programs can be executed in the container, where nothing can be written to them"
    );
    let attack = attacked(&["CAP_DAC_OVERRIDE", "CAP_FOWNER"], &["permission denied"]);
    assert_eq!(attack, json!({ "held": 0, "done": [] }));
}

/// Who may look into every process gets hold of it before it executes anything.
#[test]
fn the_runtimes_file_is_of_no_use_to_a_process_that_may_look_into_others() {
    // A file that is being opened for writing, even in vain, cannot be executed in that moment.
    let refusals = ["permission denied", "Text file busy"];
    let attack = attacked(&["CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SYS_PTRACE"], &refusals);
    assert!(attack["held"].as_u64().unwrap() > 0, "it got hold of the runtime's file: {attack}");
    assert_eq!(attack["done"], json!([]));
}
