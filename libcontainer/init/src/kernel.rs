//! The mounts at `/proc` and `/sys`. What is hidden in them is looked for from the mounts themselves: whoever shares the
//! root file system with the container can put another folder in the place of the one that they were mounted on, and a
//! path that leads nowhere needs no hiding.

use crate::program::{CText, Program, Text};
use crate::slot::Slot;
use crate::sys::{self, Handle};
use crate::{Result, resolve};

/// Those that have been mounted so far, each the one on top.
#[derive(Default)]
pub(crate) struct Kernel {
    proc: Option<i32>,
    sys: Option<i32>,
}

/// The mount, and the path below it, that a path says without detours.
type Below<'a> = (i32, CText<'a>);

impl Kernel {
    /// Notes what was mounted at a target. If it is one of the two, its descriptor stays open.
    pub(crate) fn mounted(&mut self, target: CText<'_>, mount: Handle) {
        if let Some(noted) = self.at(target) {
            *noted = Some(mount.keep());
        }
    }

    /// Notes which tree was attached at a target.
    pub(crate) fn attached(&mut self, program: &Program<'_>, target: Text, tree: Slot) -> Result<()> {
        if let Some(noted) = self.at(program.text(target)?) {
            *noted = Some(program.slot(tree)?);
        }
        Ok(())
    }

    fn at(&mut self, target: CText<'_>) -> Option<&mut Option<i32>> {
        match target.bytes() {
            b"/proc" => Some(&mut self.proc),
            b"/sys" => Some(&mut self.sys),
            _ => None,
        }
    }

    /// Opens what is at `path` below `root`, or below the mount that holds it.
    pub(crate) fn open(&self, root: i32, path: CText<'_>, flags: i32) -> Result<Handle> {
        let (from, path) = self.below(path).unwrap_or((root, path));
        resolve::open(from, path, flags)
    }

    /// Notes that a copy was put over what `path` led to, if that was one of the mounts.
    pub(crate) fn covered(&mut self, path: CText<'_>, place: &Handle, copy: Handle) -> Result<()> {
        if self.below(path).is_some() {
            return Ok(());
        }
        let covered = sys::place(place.fd())?;
        for mount in [&mut self.proc, &mut self.sys].into_iter().flatten() {
            if sys::place(*mount)? == covered {
                *mount = copy.keep();
                break;
            }
        }
        Ok(())
    }

    fn below<'a>(&self, path: CText<'a>) -> Option<Below<'a>> {
        let within = |place: &[u8]| path.bytes().strip_prefix(place)?.strip_prefix(b"/");
        let (mount, rest) = match (within(b"/proc"), within(b"/sys")) {
            (Some(rest), _) => (self.proc?, rest),
            (None, rest) => (self.sys?, rest?),
        };
        if rest.split(|&byte| byte == b'/').any(|part| matches!(part, b"" | b"." | b"..")) {
            return None;
        }
        let start = path.bytes().len().checked_sub(rest.len())?;
        Some((mount, CText::new(path.with_nul().get(start..)?).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_says_without_detours_is_below_a_mount() {
        let kernel = Kernel { proc: Some(3), sys: Some(4) };
        let below = |path| kernel.below(CText::literal(path)).map(|(mount, rest)| (mount, rest.with_nul()));
        assert_eq!(below(c"/proc/sys/net"), Some((3, &b"sys/net\0"[..])));
        assert_eq!(below(c"/sys/firmware"), Some((4, &b"firmware\0"[..])));
        for path in [c"/proc", c"/proc/", c"/proc/.", c"/proc/../etc", c"/proc//x", c"/process/x", c"/etc/x"]
        {
            assert_eq!(below(path), None, "{path:?}");
        }
        assert!(Kernel::default().below(CText::literal(c"/proc/kcore")).is_none());
    }
}
