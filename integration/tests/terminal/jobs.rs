//! Jobs of a shell: what those who type `^Z`, `fg` and `bg` expect. The test plays the shell, in a session of its own.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use integration::differs_from;
use integration::harness::*;
use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, ioctl_tiocsctty, setsid, waitid};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr, tcsetpgrp};
use serde_json::json;

use super::{is_raw, soon, until, user_terminal};

/// Stops a call before the runtime is executed, so that the shell can choose its place before it looks.
const STOP_FIRST: &str = "[ \"$JOB\" ] && kill -STOP $$";

/// An interactive shell.
struct Shell {
    keyboard: OwnedFd,
    screen: Stream,
    terminal: File,
    modes: Termios,
}

impl Shell {
    /// Makes this process one. It stays one, for it would not outlive its terminal.
    fn new() -> &'static mut Self {
        setsid().unwrap();
        let (keyboard, terminal) = user_terminal();
        ioctl_tiocsctty(&terminal).unwrap();
        let modes = tcgetattr(&terminal).unwrap();
        let screen = Stream::over(keyboard.try_clone().unwrap());
        Box::leak(Box::new(Self { keyboard, screen, terminal, modes }))
    }

    /// `call &`
    fn start_in_background(&self, call: Invocation) -> Running {
        let job = self.prepare(call);
        job.signal(Signal::CONT);
        job
    }

    /// `call`
    fn start(&self, call: Invocation) -> Running {
        let job = self.prepare(call);
        self.foreground(&job);
        job
    }

    fn prepare(&self, call: Invocation) -> Running {
        let stream = || self.terminal.try_clone().unwrap();
        let call = call.env("JOB", "yes").job().stdin(stream()).stdout_and_stderr(stream(), stream());
        let job = call.spawn();
        wait_for_stop(&job, Signal::STOP);
        job
    }

    /// `fg`
    fn foreground(&self, job: &Running) {
        self.give(job);
        job.signal(Signal::CONT);
    }

    fn give(&self, job: &Running) {
        tcsetpgrp(&self.terminal, pid(job)).unwrap();
    }

    /// What a shell does when a job has stopped.
    fn take(&self) {
        // It is in the background until then.
        let stops = SigSet::from(nix::sys::signal::SIGTTOU);
        stops.thread_block().unwrap();
        tcsetpgrp(&self.terminal, getpgrp()).unwrap();
        stops.thread_unblock().unwrap();
    }

    fn set_modes(&self, modes: &Termios) {
        tcsetattr(&self.terminal, OptionalActions::Now, modes).unwrap();
    }

    fn press(&self, keys: &str) {
        rustix::io::write(&self.keyboard, keys.as_bytes()).unwrap();
    }

    fn shows(&mut self, line: &str) {
        assert_eq!(self.screen.line(soon()), line);
    }
}

fn pid(job: &Running) -> Pid {
    Pid::from_raw(job.pid().cast_signed()).unwrap()
}

#[track_caller]
fn wait_for_stop(job: &Running, signal: Signal) {
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
    until("the job stops", || match waitid(WaitId::Pid(pid(job)), options).unwrap() {
        Some(status) => {
            assert_eq!(status.stopping_signal(), Some(signal.as_raw()));
            true
        }
        None => false,
    });
}

/// A sandbox whose calls a shell can start as jobs; its container prints the signals that come.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new().after_shell(STOP_FIRST);
    sandbox.configure(|config| {
        config["process"]["terminal"] = json!(true);
        config.probe(&["signals"]);
    });
    sandbox
}

fn run(sandbox: &Sandbox) -> Invocation {
    sandbox.with_bundle("run", &[])
}

/// A job that prints signals on its terminal is stopped by `SIGTSTP` and goes on.
fn stop_and_go_on(shell: &mut Shell, call: Invocation) {
    let job = shell.start(call);
    shell.shows("\"ready\"");
    assert!(is_raw(&shell.terminal));
    job.signal(Signal::TSTP);
    wait_for_stop(&job, Signal::TSTP);
    assert!(!is_raw(&shell.terminal), "it is the shell's again");
    shell.take();
    shell.foreground(&job);
    // The one that stops is not there any more if the program has not looked before it was continued.
    while shell.screen.line(soon()) != "18" {}
    until("the terminal is raw again", || is_raw(&shell.terminal));
    job.signal(Signal::TERM);
    shell.shows("15");
    job.wait().success();
    assert!(!is_raw(&shell.terminal));
    shell.take();
}

#[test]
fn a_job_that_is_stopped_gives_the_terminal_back_and_takes_it_again() {
    differs_from!("runc", "it passes the signal on and is not stopped itself");
    alone(Host::Native, "jobs::a_job_that_is_stopped_gives_the_terminal_back_and_takes_it_again", || {
        let shell = Shell::new();
        let sandbox = sandbox();
        stop_and_go_on(shell, run(&sandbox));
        let container = sandbox.started(&["pause"], |_| {});
        let call = sandbox.runtime(&["exec", "-t", sandbox.id(), "/probe", "signals"]);
        stop_and_go_on(shell, call);
        container.kill("KILL");
        container.wait();
        container.delete();
    });
}

#[test]
fn a_job_that_had_no_time_to_give_the_terminal_back_makes_it_raw_again() {
    differs_from!("runc", "it leaves the terminal as the shell has set it");
    alone(Host::Native, "jobs::a_job_that_had_no_time_to_give_the_terminal_back_makes_it_raw_again", || {
        let shell = Shell::new();
        let sandbox = sandbox();
        let job = shell.start(run(&sandbox));
        shell.shows("\"ready\"");
        until("the terminal is raw", || is_raw(&shell.terminal));
        job.signal(Signal::STOP);
        wait_for_stop(&job, Signal::STOP);
        shell.take();
        shell.set_modes(&shell.modes);
        shell.foreground(&job);
        shell.shows("18");
        until("the terminal is raw again", || is_raw(&shell.terminal));
        job.signal(Signal::TERM);
        shell.shows("15");
        job.wait().success();
        assert!(!is_raw(&shell.terminal));
    });
}

#[test]
fn a_job_in_the_background_leaves_the_keyboard_to_the_shell() {
    differs_from!("runc", "it is not stopped");
    alone(Host::Native, "jobs::a_job_in_the_background_leaves_the_keyboard_to_the_shell", || {
        let shell = Shell::new();
        let sandbox = sandbox();
        sandbox.configure(|config| {
            config["process"]["terminal"] = json!(true);
            config.probe(&["echo"]);
        });
        let job = shell.start(run(&sandbox));
        until("the terminal is raw", || is_raw(&shell.terminal));
        job.signal(Signal::TSTP);
        wait_for_stop(&job, Signal::TSTP);
        shell.take();
        // `bg`
        job.signal(Signal::CONT);
        shell.press("for the shell\n");
        assert!(wait_readable(&[shell.terminal.as_fd()], soon())[0], "the job took what was typed");
        let mut line = [0; 100];
        let count = shell.terminal.read(&mut line).unwrap();
        assert_eq!(&line[..count], b"for the shell\n");
        assert!(!is_raw(&shell.terminal));
        // `fg` of a job that runs: shells do not signal it.
        shell.give(&job);
        until("the terminal is raw again", || is_raw(&shell.terminal));
        shell.press("hello\n\u{4}");
        while !shell.screen.line(soon()).contains("6 bytes") {}
        job.wait().success();
    });
}

#[test]
fn a_job_in_the_background_prints_unless_the_terminal_stops_who_does() {
    differs_from!("runc", "it asks for the terminal again and again");
    alone(Host::Native, "jobs::a_job_in_the_background_prints_unless_the_terminal_stops_who_does", || {
        let shell = Shell::new();
        let sandbox = sandbox();
        let job = shell.start_in_background(run(&sandbox));
        shell.shows("\"ready\"");
        assert!(!is_raw(&shell.terminal));
        let mut modes = shell.modes.clone();
        modes.local_modes |= LocalModes::TOSTOP;
        shell.set_modes(&modes);
        sandbox.command(&["kill", "ID", "USR1"]).success();
        wait_for_stop(&job, Signal::TTOU);
        shell.foreground(&job);
        shell.shows("10");
        shell.shows("18");
        job.signal(Signal::TERM);
        shell.shows("15");
        job.wait().success();
    });
}

#[test]
fn a_job_that_ends_in_the_background_leaves_the_terminal_as_the_shell_set_it() {
    differs_from!("runc", "it asks for the terminal again and again");
    alone(
        Host::Native,
        "jobs::a_job_that_ends_in_the_background_leaves_the_terminal_as_the_shell_set_it",
        || {
            let shell = Shell::new();
            let sandbox = sandbox();
            let job = shell.start(run(&sandbox));
            shell.shows("\"ready\"");
            until("the terminal is raw", || is_raw(&shell.terminal));
            job.signal(Signal::STOP);
            wait_for_stop(&job, Signal::STOP);
            shell.take();
            let mut modes = shell.modes.clone();
            modes.local_modes -= LocalModes::ECHO;
            shell.set_modes(&modes);
            sandbox.command(&["kill", "ID", "KILL"]).success();
            job.signal(Signal::CONT);
            job.wait().exits_with(137);
            assert_eq!(tcgetattr(&shell.terminal).unwrap().local_modes, modes.local_modes);
        },
    );
}

#[test]
fn the_stop_character_stops_a_job_whose_container_has_no_terminal() {
    differs_from!("runc", "it passes the signal on and is not stopped itself");
    alone(Host::Native, "jobs::the_stop_character_stops_a_job_whose_container_has_no_terminal", || {
        let shell = Shell::new();
        let sandbox = sandbox();
        sandbox.configure(|config| {
            config.probe(&["term", "7"]);
        });
        let job = shell.start(run(&sandbox));
        shell.shows("\"ready\"");
        shell.press("\u{1a}");
        wait_for_stop(&job, Signal::TSTP);
        shell.take();
        shell.foreground(&job);
        job.signal(Signal::TERM);
        job.wait().exits_with(7);
    });
}

#[test]
fn without_a_shell_that_would_continue_it_the_runtime_only_passes_the_signal_on() {
    // A session without a terminal.
    let sandbox = Sandbox::new().wrapped(&["setsid"]);
    sandbox.configure(|config| {
        config.probe(&["signals"]);
    });
    let mut running = run(&sandbox).spawn();
    assert_eq!(running.line(), "\"ready\"");
    for signal in [Signal::TSTP, Signal::CONT, Signal::TERM] {
        running.signal(signal);
        assert_eq!(running.line(), signal.as_raw().to_string());
    }
    running.wait().success();
}
