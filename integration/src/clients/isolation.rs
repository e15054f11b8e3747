//! What a container sees of the host, and what it may do.

use std::fs;

use super::Check;
use super::engine::{Engine, contains, expect, same};
use crate::xtask::{Error, Result};

pub(super) const CHECKS: &[Check<Engine>] = &[
    Check { name: "read-only root, tmpfs", run: read_only },
    Check { name: "volumes", run: volumes },
    Check { name: "volumes: propagation", run: propagation },
    Check { name: "capabilities", run: capabilities },
    Check { name: "users and groups", run: users },
    Check { name: "security options", run: security },
    Check { name: "privileged", run: privileged },
    Check { name: "hidden paths", run: hidden },
    Check { name: "host name, working folder", run: names },
    Check { name: "namespaces of another container", run: shared },
    Check { name: "namespaces of the host", run: of_host },
];

pub(super) const BY_APPARMOR: &[Check<Engine>] =
    &[Check { name: "AppArmor: the manager's profile", run: confined }];

fn read_only(engine: &Engine) -> Result<()> {
    let script = "touch /no 2>/dev/null && echo written; touch /tmp/yes && stat -f -c %T /tmp";
    same("file system", &engine.script(&["--read-only", "--tmpfs", "/tmp"], script)?, "tmpfs")
}

/// A folder of the stage for the volume of one container.
fn volume(engine: &Engine) -> Result<String> {
    let folder = engine.stage.folder().join(engine.name());
    fs::create_dir(&folder).map_err(Error::io("cannot make the folder of a volume"))?;
    Ok(folder.display().to_string())
}

fn volumes(engine: &Engine) -> Result<()> {
    let folder = volume(engine)?;
    engine.script(&["--volume", &format!("{folder}:/volume")], "echo kept >/volume/file")?;
    let script = "cat /volume/file; touch /volume/no 2>/dev/null && echo written; true";
    same("file", &engine.script(&["--volume", &format!("{folder}:/volume:ro")], script)?, "kept")
}

fn propagation(engine: &Engine) -> Result<()> {
    let folder = volume(engine)?;
    let on_stage = |script: &str| expect(0, engine.stage.run(&["sh", "-ec", script, "sh", &folder], "")?);
    on_stage("mount --bind \"$1\" \"$1\"; mount --make-shared \"$1\"; mkdir \"$1/sub\"")?;
    let volume = format!("{folder}:/volume:rshared");
    let options = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"];
    let flags = [&["--volume", &volume], &options[..]].concat();
    let made = engine.script(&flags, "mount -t tmpfs made /volume/sub && touch /volume/sub/inside").map(drop);
    let seen = on_stage("test -e \"$1/sub/inside\"");
    on_stage("umount \"$1/sub\" || true; umount \"$1\"")?;
    made.and(seen.map(drop))
}

fn capabilities(engine: &Engine) -> Result<()> {
    let script = "grep CapEff /proc/self/status";
    let few = engine.script(&["--cap-drop", "ALL", "--cap-add", "CHOWN", "--cap-add", "KILL"], script)?;
    contains("capabilities", &few, "0000000000000021")
}

fn users(engine: &Engine) -> Result<()> {
    let flags = ["--user", "1000:1000", "--group-add", "20"];
    same("ids", &engine.script(&flags, "id -u; id -g; id -G; echo $HOME")?, "1000\n1000\n1000 20\n/home/web")
}

fn security(engine: &Engine) -> Result<()> {
    let script = "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status | tr -d '\\t' | tr '\\n' ' '";
    let one = engine.script(&["--security-opt", "no-new-privileges"], script)?;
    same("with new privileges denied", &one, "NoNewPrivs:1 Seccomp:2")?;
    let none = engine.script(&["--security-opt", "seccomp=unconfined"], script)?;
    same("without a filter", &none, "NoNewPrivs:0 Seccomp:0")?;
    let profile = engine.stage.folder().join(format!("{}.json", engine.name()));
    let rules = r#"{ "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28 }] }"#;
    fs::write(&profile, rules).map_err(Error::io("cannot write a profile"))?;
    let option = format!("seccomp={}", profile.display());
    let said = engine.script(&["--security-opt", &option], "mkdir /tmp/x 2>&1; true")?;
    contains("with a profile of its own", &said, "No space left on device")
}

/// The profile is the manager's own, which it loads before it asks for it. Programs that join have it too.
fn confined(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    for process in ["1", "self"] {
        let profile = engine.ok(&["exec", &name, "cat", &format!("/proc/{process}/attr/current")])?;
        contains("profile", &profile, "-default")?;
        contains("profile", &profile, "(enforce)")?;
    }
    engine.remove(&name)
}

fn privileged(engine: &Engine) -> Result<()> {
    let script =
        "mount -t tmpfs t /tmp && test -e /dev/kmsg && grep Seccomp: /proc/self/status | tr -d '\\t'";
    same("filter", &engine.script(&["--privileged"], script)?, "Seccomp:0")
}

fn hidden(engine: &Engine) -> Result<()> {
    let script = "wc -c </proc/timer_list; echo 1 2>/dev/null >/proc/sys/kernel/panic && echo written; \
        ls /proc/acpi /sys/firmware 2>/dev/null | grep -v :; true";
    same("hidden and read-only paths", &engine.script(&[], script)?, "0")
}

fn names(engine: &Engine) -> Result<()> {
    let flags = ["--hostname", "web-1", "--workdir", "/home/web", "--env", "A=b c"];
    same("names", &engine.script(&flags, "hostname; pwd; echo $A")?, "web-1\n/home/web\nb c")
}

fn shared(engine: &Engine) -> Result<()> {
    let name = engine.start(&["--ipc", "shareable"])?;
    let other = format!("container:{name}");
    // Not how often it is seen: the shell forks for what it runs.
    let script = "ps | grep -q '[t]rap' && echo seen; readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc";
    let ours = engine.script(&["--pid", &other, "--ipc", &other], script)?;
    let theirs = engine.ok(&["exec", &name, "sh", "-c", script])?;
    same("processes and namespaces", &ours, &theirs)?;
    engine.remove(&name)
}

fn of_host(engine: &Engine) -> Result<()> {
    let kinds = ["pid", "ipc", "uts"];
    let script = kinds.map(|kind| format!("readlink /proc/self/ns/{kind}")).join("; ");
    let inside = engine.script(&["--pid", "host", "--ipc", "host", "--uts", "host"], &script)?;
    let outside = expect(0, engine.stage.run(&["sh", "-c", &script], "")?)?;
    same("namespaces", &inside, outside.stdout.trim())
}
