//! The image that all checks use: Debian's static busybox.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::xtask::process::capture;
use crate::xtask::{Error, Result, busybox};

const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/home/web:/bin/sh\n";

/// A root file system, as a folder and as an archive.
pub(super) struct Image {
    pub(super) rootfs: PathBuf,
    pub(super) archive: PathBuf,
}

impl Image {
    /// Makes it below `folder`.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let (rootfs, archive) = (folder.join("rootfs"), folder.join("rootfs.tar"));
        for name in ["bin", "dev", "etc", "home/web", "proc", "root", "sys", "tmp", "volume"] {
            fs::create_dir_all(rootfs.join(name)).map_err(Error::io(format!("cannot make {name}")))?;
        }
        let program = busybox::find(&folder.join("busybox-static"))?;
        busybox::install(&program, &rootfs.join("bin"))?;
        let write = |name: &str, text: &str| {
            fs::write(rootfs.join(name), text).map_err(Error::io(format!("cannot write {name}")))
        };
        write("etc/passwd", USERS)?;
        write("etc/group", "root:x:0:\nweb:x:1000:\n")?;
        write("not-executable", "#!/bin/sh\n")?;
        capture(Command::new("tar").arg("-C").arg(&rootfs).arg("-cf").arg(&archive).arg("."))?;
        Ok(Self { rootfs, archive })
    }
}
