//! Where the contenders run: a private mount namespace with cgroup v2 alone, and bundles on a tmpfs.

use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::xtask::{Error, Result, build};

const CGROUPS: &str = "/sys/fs/cgroup";
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// The default config as `runc spec` writes it on a cgroup v2 host, without a terminal.
const CONFIG: &str = include_str!("config.json");

/// The static programs that the benchmark needs beside the runtimes.
pub(super) struct Programs {
    /// The least that a container costs.
    pub(super) floor: PathBuf,
    /// A container that ends at once.
    pub(super) noop: PathBuf,
    /// A container that stays.
    pub(super) pause: PathBuf,
    /// Measures the peak memory of a command.
    pub(super) peak: PathBuf,
}

impl Programs {
    /// Builds all of them.
    pub(super) fn build() -> Result<Self> {
        let program = |name| build::static_binary("integration", name);
        Ok(Self {
            floor: program("floor")?,
            noop: program("noop")?,
            pause: program("pause")?,
            peak: program("peak")?,
        })
    }
}

/// The prepared place. Its mounts go with the process's mount namespace, its folder when it is dropped.
pub(super) struct Arena {
    dir: TempDir,
}

impl Arena {
    /// Moves this thread to a mount namespace of its own and prepares it.
    ///
    /// All contenders get the same host: crun refuses one that has cgroup v1 and v2 together.
    pub(super) fn new(programs: &Programs) -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWNS).map_err(Error::io("cannot unshare the mount namespace"))?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).map_err(Error::io("cannot make the mounts private"))?;
        mount_cgroup2()?;
        let dir = tempfile::tempdir().map_err(Error::io("cannot make a temporary folder"))?;
        mount("tmpfs", dir.path(), "tmpfs", MountFlags::empty(), c"mode=755")
            .map_err(Error::io("cannot mount a tmpfs for the bundles"))?;
        let arena = Self { dir };
        arena.make_bundle(&arena.noop_bundle(), &programs.noop)?;
        arena.make_bundle(&arena.pause_bundle(), &programs.pause)?;
        // The container's first process becomes our child when `create` ends, as it becomes a container
        // manager's: so we can wait for its end instead of asking the runtime again and again.
        let this = Some(rustix::process::getpid());
        rustix::process::set_child_subreaper(this).map_err(Error::io("cannot become a subreaper"))?;
        Ok(arena)
    }

    /// The bundle whose process ends at once.
    #[must_use]
    pub(super) fn noop_bundle(&self) -> PathBuf {
        self.dir.path().join("noop")
    }

    /// The bundle whose process stays.
    #[must_use]
    pub(super) fn pause_bundle(&self) -> PathBuf {
        self.dir.path().join("pause")
    }

    /// A file or folder of the benchmark's own.
    #[must_use]
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A bundle of the default config around one program.
    pub(super) fn make_bundle(&self, bundle: &Path, program: &Path) -> Result<()> {
        let rootfs = bundle.join("rootfs");
        for name in ["proc", "dev", "sys"] {
            let dir = rootfs.join(name);
            fs::create_dir_all(&dir).map_err(Error::io(format!("cannot make {}", dir.display())))?;
        }
        let name = program.file_name().unwrap_or_default();
        fs::copy(program, rootfs.join(name))
            .map_err(Error::io(format!("cannot copy {}", program.display())))?;
        let path = bundle.join("config.json");
        fs::write(&path, config(&format!("/{}", name.to_string_lossy()))?)
            .map_err(Error::io(format!("cannot write {}", path.display())))
    }

    /// Changes the config of a bundle.
    pub(super) fn configure(
        &self,
        bundle: &Path,
        change: impl FnOnce(&mut Value) -> Result<()>,
    ) -> Result<()> {
        let path = bundle.join("config.json");
        let text = fs::read_to_string(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
        let mut config: Value =
            serde_json::from_str(&text).map_err(Error::io("the bundle's config is not JSON"))?;
        change(&mut config)?;
        fs::write(&path, config.to_string()).map_err(Error::io(format!("cannot write {}", path.display())))
    }

    /// Shows the contenders the v1 hierarchies of this host alone, instead of cgroup v2; the controllers that they
    /// have. Without any nothing is changed.
    pub(super) fn change_to_v1(&self) -> Result<Vec<String>> {
        let own =
            fs::read_to_string("/proc/self/cgroup").map_err(Error::io("cannot read /proc/self/cgroup"))?;
        let names: Vec<&str> =
            own.lines().filter_map(|line| line.split(':').nth(1)).filter(|names| !names.is_empty()).collect();
        if names.iter().all(|names| names.starts_with("name=")) {
            return Ok(Vec::new());
        }
        unmount(CGROUPS, UnmountFlags::DETACH).map_err(Error::io(format!("cannot unmount {CGROUPS}")))?;
        let folder = Path::new(CGROUPS);
        mount("tmpfs", folder, "tmpfs", MountFlags::empty(), c"mode=755")
            .map_err(Error::io(format!("cannot mount a tmpfs on {CGROUPS}")))?;
        for hierarchy in &names {
            let place = folder.join(hierarchy.trim_start_matches("name="));
            fs::create_dir(&place).map_err(Error::io(format!("cannot make {}", place.display())))?;
            let none = if hierarchy.starts_with("name=") { "none," } else { "" };
            let options = CString::new(format!("{none}{hierarchy}"))
                .map_err(Error::io("a hierarchy has a NUL in its name"))?;
            mount("cgroup", &place, "cgroup", MountFlags::empty(), Some(options.as_c_str()))
                .map_err(Error::io(format!("cannot mount {}", place.display())))?;
        }
        Ok(names.iter().flat_map(|names| names.split(',')).map(str::to_owned).collect())
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if let Err(error) = unmount(self.dir.path(), UnmountFlags::DETACH) {
            eprintln!("bench: cannot unmount {}: {error}", self.dir.path().display());
        }
    }
}

fn config(program: &str) -> Result<String> {
    let mut config: Value =
        serde_json::from_str(CONFIG).map_err(Error::io("the benchmark's config is not JSON"))?;
    if let Some(args) = config.pointer_mut("/process/args") {
        *args = json!([program]);
    }
    Ok(config.to_string())
}

fn mount_cgroup2() -> Result<()> {
    let found = rustix::fs::statfs(CGROUPS).map_err(Error::io(format!("cannot stat {CGROUPS}")))?;
    if u64::try_from(found.f_type) == Ok(CGROUP2_MAGIC) {
        return Ok(());
    }
    unmount(CGROUPS, UnmountFlags::DETACH).map_err(Error::io(format!("cannot unmount {CGROUPS}")))?;
    mount("cgroup2", CGROUPS, "cgroup2", MountFlags::empty(), None)
        .map_err(Error::io(format!("cannot mount cgroup2 on {CGROUPS}")))
}
