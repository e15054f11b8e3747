//! SELinux: the labels of the program, of its keyring, and of what is mounted for it. A kernel without SELinux takes
//! none, which is a warning.

use libcontainer_init::Step;

use super::build::Build;
use super::filesystems::Datum;
use super::mounts::pointer;
use crate::spec::{Mount, Process};
use crate::{Error, ErrorKind, Result};

const PROCESS: &str = "/process/selinuxLabel";
const MOUNTS: &str = "/linux/mountLabel";

fn runs(build: &Build<'_>) -> bool {
    build.request.facts.lsms.iter().any(|lsm| lsm == "selinux")
}

/// A label that the policy does not know would be an error of whatever is the first to get it.
fn check(build: &Build<'_>, label: &str, pointer: &str) -> Result<()> {
    if !build.request.facts.unknown_labels.contains(label) {
        return Ok(());
    }
    let message = format!("{pointer}: {label}: invalid argument (SELinux's policy does not know this label)");
    Err(Error::new(ErrorKind::InvalidSpec { pointer: pointer.into() }, message))
}

/// Has the program executed under its label.
pub(super) fn program(build: &mut Build<'_>, process: &Process) -> Result<()> {
    let Some(label) = &process.selinux_label else { return Ok(()) };
    if runs(build) {
        check(build, label, PROCESS)?;
        build.write_proc("self/attr/exec", label, PROCESS);
    } else {
        build.warn(PROCESS, "the running kernel has no SELinux: the label is NOT applied");
    }
    Ok(())
}

/// Has keyrings made under the program's label: by themselves they get the label of who makes them, which the program
/// may not use.
pub(super) fn keyrings(build: &mut Build<'_>) {
    let process = build.request.config.process.as_ref();
    if let Some(label) = process.and_then(|process| process.selinux_label.as_ref()).filter(|_| runs(build)) {
        build.write_proc("self/attr/keycreate", label, PROCESS);
    }
}

/// Refuses a label of mounts that the policy does not know, and says where it has no effect.
pub(super) fn check_mounts(build: &mut Build<'_>) -> Result<()> {
    let Some(label) = &build.request.config.mount_label else { return Ok(()) };
    if !runs(build) {
        build.warn(MOUNTS, "this kernel runs without SELinux: the label is NOT applied");
        return Ok(());
    }
    check(build, label, MOUNTS)
}

fn mount_label(build: &Build<'_>) -> Option<String> {
    build.request.config.mount_label.clone().filter(|_| runs(build))
}

/// The label that all files of a file system get, as one of its options.
///
/// The kernel's own file systems have labels of their own, and that of message queues exists before it is mounted.
pub(super) fn option(build: &Build<'_>, fstype: &str) -> Option<Datum> {
    let label = mount_label(build).filter(|_| !matches!(fstype, "proc" | "sysfs" | "mqueue"))?;
    Some(("context".to_owned(), Some(label)))
}

/// Gives the folder of message queues the label that could not be an option.
pub(super) fn queues(build: &mut Build<'_>, mount: &Mount, fstype: &str) {
    let Some(label) = mount_label(build).filter(|_| fstype == "mqueue") else { return };
    let (target, label) = (build.pool.text(mount.target()), build.pool.text(label));
    build.init_for(Step::Label { target, label }, pointer(mount));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::tests::Input;

    const PROGRAM: &str = "u:r:program_t:s0:c1,c2";
    const FILES: &str = "u:object_r:files_t:s0:c1,c2";

    /// A configuration with both labels, on a host with SELinux.
    fn labelled(case: &str) -> Input {
        let mut input = Input::read(case);
        input.config.process.as_mut().unwrap().selinux_label = Some(PROGRAM.into());
        input.config.mount_label = Some(FILES.into());
        input.facts.lsms = vec!["selinux".to_owned()];
        input
    }

    /// The lines of the plan that contain `part`.
    fn lines(input: &Input, part: &str) -> Vec<String> {
        let plan = input.plan().unwrap();
        let lines = plan.entries().iter().map(|entry| plan.describe(entry));
        lines.filter(|line| line.contains(part)).collect()
    }

    #[test]
    fn the_keyring_is_made_under_the_programs_label() {
        for case in ["v2", "exec-v2"] {
            let mut input = labelled(case);
            let about = |input: &Input| {
                let all = lines(input, "");
                let place = |part: &str| all.iter().position(|line| line.contains(part));
                (place(&format!("write {PROGRAM:?} to /proc/self/attr/keycreate")), place("session keyring"))
            };
            let (label, keyring) = about(&input);
            assert_eq!(label.unwrap() + 1, keyring.unwrap(), "{case}");
            input.options.no_new_keyring = true;
            assert_eq!(about(&input), (None, None), "{case}");
        }
    }

    #[test]
    fn new_file_systems_have_the_label_of_mounts_in_their_own_way() {
        let option = format!("context={FILES}");
        for (case, on) in [("v2", "tmpfs on /dev "), ("docker-v1", "tmpfs on /sys/fs/cgroup ")] {
            let input = labelled(case);
            assert!(lines(&input, on)[0].contains(&option), "{case}");
            assert!(lines(&input, "proc on /proc").iter().all(|line| !line.contains(&option)));
            assert_eq!(lines(&input, "label "), [format!("label /dev/mqueue {FILES}")], "{case}");
            assert!(lines(&input, "mask /").iter().all(|line| line.ends_with(&format!(" ({option})"))));
        }
    }

    #[test]
    fn a_label_that_the_policy_does_not_know_is_refused_by_its_field() {
        for (label, pointer) in [(PROGRAM, PROCESS), (FILES, MOUNTS)] {
            let mut input = labelled("v2");
            input.facts.unknown_labels = [label.to_owned()].into();
            let error = input.plan().unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::InvalidSpec { pointer: pointer.into() });
            assert!(error.to_string().starts_with(&format!("{pointer}: {label}: invalid argument")));
            // Without SELinux no policy is asked, and nothing is applied.
            input.facts.lsms.clear();
            input.plan().unwrap();
        }
    }
}
