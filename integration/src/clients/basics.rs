//! Starting programs: `run` and `exec`, their streams and their exit codes.

use super::Check;
use super::engine::{Engine, IMAGE, contains, expect, same};
use super::stage::wait_until;
use crate::xtask::Result;

pub(super) const CHECKS: &[Check<Engine>] = &[
    Check { name: "run: streams and exit code", run },
    Check { name: "run: stdin", run: run_stdin },
    Check { name: "run: terminal", run: run_terminal },
    Check { name: "run: exit codes 125, 126, 127", run: run_codes },
    Check { name: "run: killed by a signal", run: run_killed },
    Check { name: "run: detached, logs, wait", run: detached },
    Check { name: "run: six at once", run: many },
    Check { name: "exec: streams and exit code", run: exec },
    Check { name: "exec: user, folder, environment", run: exec_options },
    Check { name: "exec: terminal", run: exec_terminal },
    Check { name: "exec: detached", run: exec_detached },
    Check { name: "exec: exit codes of what cannot be run", run: exec_codes },
    Check { name: "exec: six at once", run: exec_many },
];

fn run(engine: &Engine) -> Result<()> {
    let output = engine.run_code(7, &["--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7"])?;
    same("stdout", &output.stdout, "out\n")?;
    contains("stderr", &output.stderr, "err\n")
}

fn run_stdin(engine: &Engine) -> Result<()> {
    let words = engine.run_words(&["--rm", "--interactive", IMAGE, "wc", "-c"]);
    let output = expect(0, engine.stage.run(&words, &"x".repeat(100_000))?)?;
    same("bytes that arrived", output.stdout.trim(), "100000")
}

/// Runs the words on a terminal, which `script` makes.
fn on_terminal(engine: &Engine, words: &[&str]) -> Result<String> {
    let output = engine.stage.run(&["script", "-qec", &words.join(" "), "/dev/null"], "")?;
    Ok(expect(0, output)?.stdout)
}

fn run_terminal(engine: &Engine) -> Result<()> {
    let words = engine.run_words(&["--rm", "--interactive", "--tty", IMAGE, "tty"]);
    contains("terminal", &on_terminal(engine, &words)?, "/dev/pts/0")
}

fn run_codes(engine: &Engine) -> Result<()> {
    engine.run_code(127, &["--rm", IMAGE, "/missing"])?;
    engine.run_code(127, &["--rm", IMAGE, "missing"])?;
    engine.run_code(127, &["--rm", IMAGE, ""])?;
    engine.run_code(126, &["--rm", IMAGE, "/not-executable"])?;
    engine.run_code(126, &["--rm", IMAGE, "/etc"])?;
    engine.run_code(125, &["--rm", "--no-such-flag", IMAGE, "true"])?;
    Ok(())
}

fn run_killed(engine: &Engine) -> Result<()> {
    // The child of the first process, since that one may not be killed from inside.
    engine.run_code(137, &["--rm", IMAGE, "sh", "-c", "sh -c 'kill -KILL $$'; exit $?"]).map(drop)
}

fn detached(engine: &Engine) -> Result<()> {
    let name = engine.name();
    engine.run_code(0, &["-d", "--name", &name, IMAGE, "sh", "-c", "echo in the log; exit 9"])?;
    same("code", &engine.ok(&["wait", &name])?, "9")?;
    same("log", &engine.ok(&["logs", &name])?, "in the log")?;
    engine.remove(&name)
}

/// Runs the same words so many times beside each other, with a shell that counts in `$i`.
fn at_once(engine: &Engine, words: &[&str]) -> Result<()> {
    let command = words.join(" ");
    let script = format!(
        "for i in 1 2 3 4 5 6; do {{ {command} sh -c \"exit $i\"; [ $? = $i ] && echo right; }} & done; wait"
    );
    let output = expect(0, engine.stage.run(&["sh", "-c", &script], "")?)?;
    same("right codes", &output.stdout.lines().filter(|line| *line == "right").count().to_string(), "6")
}

fn many(engine: &Engine) -> Result<()> {
    at_once(engine, &engine.run_words(&["--rm", IMAGE]))
}

fn exec(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    let output = engine.code(5, &["exec", &name, "sh", "-c", "echo out; echo err >&2; exit 5"])?;
    same("stdout", &output.stdout, "out\n")?;
    contains("stderr", &output.stderr, "err\n")?;
    let output = engine.stage.run(&engine.words(&["exec", "--interactive", &name, "cat"]), "from stdin")?;
    same("stdin", &expect(0, output)?.stdout, "from stdin")?;
    engine.remove(&name)
}

fn exec_options(engine: &Engine) -> Result<()> {
    let name = engine.start(&["--env", "A=1"])?;
    let script = "id -u; id -g; pwd; echo $A$B; echo $HOME";
    let flags = ["exec", "--user", "web", "--workdir", "/tmp", "--env", "B=2", &name, "sh", "-c", script];
    same("what the program sees", &engine.ok(&flags)?, "1000\n1000\n/tmp\n12\n/home/web")?;
    engine.remove(&name)
}

fn exec_terminal(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    let words = engine.words(&["exec", "--interactive", "--tty", &name, "tty"]);
    contains("terminal", &on_terminal(engine, &words)?, "/dev/pts/0")?;
    engine.remove(&name)
}

fn exec_detached(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    engine.ok(&["exec", "--detach", &name, "touch", "/tmp/made"])?;
    wait_until("the detached program has made its file", || {
        let test = engine.words(&["exec", &name, "test", "-e", "/tmp/made"]);
        Ok(engine.stage.run(&test, "")?.code == 0)
    })?;
    engine.remove(&name)
}

fn exec_codes(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    for program in ["/missing", "missing", "/not-executable", "/etc"] {
        let output = engine.stage.run(&engine.words(&["exec", &name, program]), "")?;
        // Managers do not agree on which it is, and Podman 5 does not know runc's words about a folder.
        let codes: &[i32] = if program == "/etc" { &[126, 127, 255] } else { &[126, 127] };
        if !codes.contains(&output.code) {
            return Err(output.wrong("expected code 126 or 127, of a folder perhaps 255"));
        }
    }
    engine.remove(&name)
}

fn exec_many(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    at_once(engine, &engine.words(&["exec", &name]))?;
    engine.remove(&name)
}
