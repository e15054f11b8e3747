//! The emulated machine while it runs.

use std::fmt::{self, Display, Formatter};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

use super::super::process::line;
use super::super::{Error, Result};
use super::image::Image;

/// Always emulated, so that it does the same on every host; hosts that are machines themselves often cannot do better.
///
/// QEMU 7.2 emulates cmpxchg16b wrongly, which the kernel's allocator uses where the processor has it.
const PROCESSOR: [&str; 8] = ["-accel", "tcg,thread=multi", "-cpu", "Nehalem,-cx16", "-smp", "2", "-m", "2G"];

/// On a loaded host all is slow, and only our own time limit should tell slow from broken.
const KERNEL_LINE: &str = "root=/dev/nvme0n1 rw console=ttyS0 quiet panic=-1 mitigations=off TERM=dumb \
    systemd.show_status=1 systemd.default_device_timeout_sec=600 systemd.default_timeout_start_sec=600";

/// The security module that the machine's kernel runs: of these two it runs one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lsm {
    /// With the profiles of the image.
    AppArmor,
    /// With Debian's policy, which is enforced.
    SeLinux,
}

impl Lsm {
    /// Both, in the order in which the machine runs with them.
    pub const BOTH: [Self; 2] = [Self::AppArmor, Self::SeLinux];

    /// What the kernel is told.
    fn words(self) -> &'static str {
        match self {
            Self::AppArmor => "security=apparmor",
            Self::SeLinux => "security=selinux enforcing=1",
        }
    }
}

impl Display for Lsm {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AppArmor => "AppArmor",
            Self::SeLinux => "SELinux",
        })
    }
}

/// What the machine did next.
pub(super) enum Event {
    /// It said a line.
    Line(String),
    /// It ended.
    End,
    /// It said nothing until the deadline.
    Silence,
}

/// A machine that is ended when this is dropped, or when this process ends.
pub(super) struct Machine {
    qemu: Child,
    lines: Receiver<io::Result<String>>,
    console: PathBuf,
}

impl Machine {
    /// Starts the machine with `image` and, as its second disk, `payload`. Neither is changed.
    pub(super) fn boot(image: &Image, lsm: Lsm, payload: &Path, console: &Path) -> Result<Self> {
        let mut command = Command::new("setpriv");
        // Others may be working on this host, and the machine takes all that it gets.
        command.args(["--pdeathsig", "KILL", "nice", "-n", "10", "qemu-system-x86_64"]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]).args(PROCESSOR);
        command.arg("-kernel").arg(image.kernel());
        command.arg("-append").arg(format!("{KERNEL_LINE} {}", lsm.words()));
        command.arg("-serial").arg(format!("file:{}", console.display()));
        command.args(["-device", "virtio-serial", "-device", "virtserialport,chardev=results,name=results"]);
        command.args(["-chardev", "file,id=results,path=/dev/stdout"]);
        // The kernel has the first one's driver built in. Were they alike, either could become the first.
        for (disk, device) in [(image.disk().as_path(), "nvme,serial=root"), (payload, "virtio-blk")] {
            let path = disk.display().to_string().replace(',', ",,");
            let id = device.split(',').next().unwrap_or(device);
            command.arg("-drive").arg(format!("if=none,id={id},format=raw,snapshot=on,file={path}"));
            command.arg("-device").arg(format!("{device},drive={id}"));
        }
        let what = format!("cannot start `{}`", line(&command));
        let mut qemu =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(Error::io(what))?;
        let (sender, lines) = channel();
        if let Some(output) = qemu.stdout.take() {
            std::thread::spawn(move || forward(output, &sender));
        }
        Ok(Self { qemu, lines, console: console.to_owned() })
    }

    /// Waits for the next line until `deadline`.
    pub(super) fn next(&self, deadline: Instant) -> Result<Event> {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => Ok(Event::Line(line.map_err(Error::io("cannot read from the machine"))?)),
            Err(RecvTimeoutError::Timeout) => Ok(Event::Silence),
            Err(RecvTimeoutError::Disconnected) => Ok(Event::End),
        }
    }

    /// The end of what its console showed.
    #[must_use]
    pub(super) fn last_words(&self) -> String {
        let text = std::fs::read(&self.console).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<_> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(30)..).unwrap_or_default();
        format!("The end of {}:\n{}", self.console.display(), last.join("\n"))
    }
}

/// Ends when the machine does, or when nobody listens any more.
fn forward(output: ChildStdout, sender: &Sender<io::Result<String>>) {
    for line in BufReader::new(output).split(b'\n') {
        let line = line.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned());
        if sender.send(line).is_err() {
            return;
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}
