//! What a manager does with a container that runs.

use super::Check;
use super::engine::{Engine, IMAGE, contains, same};
use super::stage::wait_until;
use crate::xtask::{Error, Result};

pub(super) const CHECKS: &[Check<Engine>] = &[
    Check { name: "stop: the container's own handler", run: stop },
    Check { name: "kill: signals by name", run: kill },
    Check { name: "rm --force: a running container", run: remove },
    Check { name: "start, restart: again", run: restart },
    Check { name: "create: removed before it starts", run: created },
    Check { name: "pause, unpause", run: pause },
    Check { name: "top", run: top },
    Check { name: "stats", run: stats },
    Check { name: "health checks", run: health },
    Check { name: "restart policy", run: policy },
];

fn stop(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    engine.ok(&["stop", "--time", "60", &name])?;
    same("code", &engine.inspect(&name, ".State.ExitCode")?, "3")?;
    same("status", &engine.inspect(&name, ".State.Status")?, "exited")?;
    engine.remove(&name)
}

fn kill(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    // Ignored by the first process of a pid namespace, which does not catch it.
    engine.ok(&["kill", "--signal", "USR1", &name])?;
    same("status", &engine.inspect(&name, ".State.Status")?, "running")?;
    engine.ok(&["kill", &name])?;
    same("code", &engine.ok(&["wait", &name])?, "137")?;
    engine.remove(&name)
}

fn remove(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    engine.remove(&name)
}

fn restart(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    let first = engine.inspect(&name, ".State.Pid")?;
    engine.ok(&["restart", "--time", "60", &name])?;
    same("status", &engine.inspect(&name, ".State.Status")?, "running")?;
    if engine.inspect(&name, ".State.Pid")? == first {
        return Err(Error::NotMet("the process is the one from before the restart".to_owned()));
    }
    engine.ok(&["kill", &name])?;
    engine.ok(&["wait", &name])?;
    engine.ok(&["start", &name])?;
    same("status", &engine.inspect(&name, ".State.Status")?, "running")?;
    engine.remove(&name)
}

fn created(engine: &Engine) -> Result<()> {
    let name = engine.name();
    let mut words = engine.run_words(&["--name", &name, IMAGE, "true"]);
    words.iter_mut().filter(|word| **word == "run").take(1).for_each(|word| *word = "create");
    super::engine::expect(0, engine.stage.run(&words, "")?)?;
    engine.remove(&name)
}

fn pause(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    engine.ok(&["pause", &name])?;
    same("status", &engine.inspect(&name, ".State.Status")?, "paused")?;
    let refused = engine.stage.run(&engine.words(&["exec", &name, "true"]), "")?;
    if refused.code == 0 {
        return Err(refused.wrong("a program could be started in a paused container"));
    }
    engine.ok(&["unpause", &name])?;
    engine.ok(&["exec", &name, "true"])?;
    engine.ok(&["pause", &name])?;
    engine.remove(&name)
}

fn top(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    contains("processes", &engine.ok(&["top", &name])?, "trap 'exit 3' TERM")?;
    engine.remove(&name)
}

fn stats(engine: &Engine) -> Result<()> {
    let name = engine.start(&["--memory", "64m"])?;
    let line = engine.ok(&["stats", "--no-stream", "--format", "{{.PIDs}} {{.MemUsage}}", &name])?;
    if line.starts_with('0') || !(line.contains("64MiB") || line.contains("67.11MB")) {
        return Err(Error::NotMet(format!("statistics without processes or limit: {line}")));
    }
    engine.remove(&name)
}

fn health(engine: &Engine) -> Result<()> {
    let name = engine.start(&[
        "--health-cmd",
        "test ! -e /tmp/ill",
        "--health-interval",
        "1s",
        "--health-retries",
        "1",
    ])?;
    // Podman leaves its own to systemd; asked for, both answer.
    let check = |expected: &str| {
        wait_until(&format!("the container is {expected}"), || {
            if engine.is("podman") {
                engine.stage.run(&engine.words(&["healthcheck", "run", &name]), "")?;
            }
            Ok(engine.ok(&["inspect", &name])?.contains(&format!("\"Status\": \"{expected}\"")))
        })
    };
    check("healthy")?;
    engine.ok(&["exec", &name, "touch", "/tmp/ill"])?;
    check("unhealthy")?;
    engine.remove(&name)
}

fn policy(engine: &Engine) -> Result<()> {
    let name = engine.name();
    engine.run_code(
        0,
        &["-d", "--restart", "on-failure:2", "--name", &name, IMAGE, "sh", "-c", "echo once; exit 4"],
    )?;
    wait_until("the container was started three times", || {
        Ok(engine.ok(&["logs", &name])?.lines().count() == 3)
    })?;
    engine.wait_for(&name, ".State.Status", "exited")?;
    same("code", &engine.inspect(&name, ".State.ExitCode")?, "4")?;
    engine.remove(&name)
}
