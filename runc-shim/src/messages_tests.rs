use super::*;

fn failure(pointer: &str, subject: &str, operation: &'static str, errno: Errno) -> StepFailure {
    StepFailure {
        index: 17,
        total: 60,
        pointer: Some(pointer.to_owned()),
        step: format!("mount sysfs on {subject}"),
        subject: Some(subject.to_owned()),
        operation,
        errno: errno.raw_os_error(),
        hint: Some("look again"),
    }
}

#[test]
fn a_missing_program_is_said_as_engines_expect() {
    let cases = [
        ("nope", Errno::NOENT, "exec: \"nope\": executable file not found in $PATH"),
        ("/bin/nope", Errno::NOENT, "exec: \"/bin/nope\": stat /bin/nope: no such file or directory"),
        ("./nope", Errno::NOENT, "exec: \"./nope\": stat ./nope: no such file or directory"),
        ("/etc/passwd", Errno::ACCESS, "exec: \"/etc/passwd\": permission denied"),
        ("/etc", Errno::ISDIR, "exec: \"/etc\": is a directory: permission denied"),
        ("/etc/passwd/x", Errno::NOTDIR, "exec: \"/etc/passwd/x\": stat /etc/passwd/x: not a directory"),
    ];
    for (name, errno, words) in cases {
        let text = setup(&failure("/process/args/0", name, "find", errno));
        assert!(
            text.starts_with(&format!("unable to start container process: {words} (step 17 of 60, ")),
            "{text}"
        );
        assert!(text.ends_with("(hint: look again))"), "{text}");
    }
}

#[test]
fn a_refused_execve_has_no_quotes() {
    let failure = failure("/process/args/0", "/run.sh", "execve", Errno::NOENT);
    assert_eq!(executing(&failure, "/run.sh"), "exec /run.sh: no such file or directory");
    assert!(setup(&failure).contains("exec /run.sh: no such file or directory"));
}

#[test]
fn the_working_directory_is_named() {
    let text = setup(&failure("/process/cwd", "/secret", "chdir", Errno::ACCESS));
    assert!(
        text.contains("chdir to cwd (\"/secret\") set in config.json failed: permission denied"),
        "{text}"
    );
}

#[test]
fn a_file_on_a_directory_and_the_reverse_are_not_a_directory() {
    for errno in [Errno::NOTDIR, Errno::ISDIR] {
        let mut failure = failure("/mounts/3", "/data", "move_mount", errno);
        failure.step = "bind /srv/file on /data".into();
        let text = setup(&failure);
        assert!(text.contains("error mounting to rootfs at \"/data\": not a directory"), "{text}");
        assert!(text.contains("step 17 of 60, /mounts/3"), "{text}");
    }
}

#[test]
fn proc_and_sys_want_an_ordinary_directory() {
    let text = setup(&failure("/mounts/5", "/sys", "verify", Errno::NOTDIR));
    assert!(text.contains("filesystem at \"/sys\" must be mounted on ordinary directory"), "{text}");
    let text = setup(&failure("/mounts/5", "/sys", "fsmount", Errno::PERM));
    assert!(!text.contains("ordinary directory"), "{text}");
    assert!(text.contains("operation not permitted"), "{text}");
}

#[test]
fn a_step_without_words_of_runc_is_told_in_ours() {
    let failure = failure("/hostname", "web", "sethostname", Errno::PERM);
    assert_eq!(setup(&failure), format!("unable to start container process: {failure}"));
}

#[test]
fn an_unusable_name_is_told_with_its_reason() {
    let error = libcontainer::ContainerId::new("a/b").unwrap_err();
    let text = describe(&error, "state");
    assert!(text.starts_with("invalid container ID format: "), "{text}");
    assert!(text.contains("\"a/b\""), "{text}");
}

#[test]
fn nothing_breaks_the_line() {
    assert_eq!(one_line("a\nb\n"), "a b");
}

#[test]
fn counts_are_told_as_runc_does() {
    assert_eq!(wrong_count("state", &(1..=1)), "\"state\" requires exactly 1 argument(s)");
    assert_eq!(wrong_count("kill", &(1..=2)), "\"kill\" requires from 1 to 2 arguments");
}
