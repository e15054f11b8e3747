//! The suite's programs, built from Debian's source package with Debian's Go.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::xtask::process::capture;
use crate::xtask::{Error, Result, cache, workspace};

const SOURCE: &str = "golang-github-opencontainers-runtime-tools";
const VERSION: &str = "0.9.0.109.ge931285-1";

/// Where the source package is, whatever release this host runs.
const ARCHIVE: &str = "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n";

/// What the suite is built with. The TAP package that it imports too is in fixtures.
pub const PACKAGES: [&str; 12] = [
    "golang-go",
    "golang-github-blang-semver-dev",
    "golang-github-google-uuid-dev",
    "golang-github-hashicorp-go-multierror-dev",
    "golang-github-mrunalp-fileutils-dev",
    "golang-github-opencontainers-selinux-dev",
    "golang-github-opencontainers-specs-dev",
    "golang-github-sirupsen-logrus-dev",
    "golang-github-urfave-cli-dev",
    "golang-github-xeipuuv-gojsonschema-dev",
    "golang-gocapability-dev",
    "golang-golang-x-sys-dev",
];

/// What every test needs beside its own program.
pub(super) const SHARED: [&str; 2] = ["runtimetest", ROOT_FILE_SYSTEM];
#[cfg(target_arch = "x86_64")]
const ROOT_FILE_SYSTEM: &str = "rootfs-amd64.tar.gz";
#[cfg(not(target_arch = "x86_64"))]
const ROOT_FILE_SYSTEM: &str = "rootfs-386.tar.gz";

/// The suite, ready to be run.
pub(super) struct Suite {
    /// Holds the programs, and what they look for in their working folder.
    pub(super) folder: PathBuf,
    /// The names of the programs that are tests.
    pub(super) tests: Vec<String>,
}

impl Suite {
    /// Gets and builds the suite, unless that has been done before.
    pub(super) fn prepare() -> Result<Self> {
        Self::cached_or(|folder, goroot| {
            println!("The suite is not in the cache: getting and building it.");
            Build { folder, goroot }.make()
        })
    }

    /// The suite, if that has been done before.
    pub(super) fn cached() -> Result<Self> {
        let why = "the validation suite is not in the cache: `cargo xtask conformance` gets it";
        Self::cached_or(|_, _| Err(Error::Missing(why.to_owned())))
    }

    fn cached_or(make: impl FnOnce(&Path, &str) -> Result<()>) -> Result<Self> {
        let go = capture(Command::new("go").args(["env", "GOVERSION", "GOROOT"]))?.stdout;
        let go = String::from_utf8_lossy(&go).into_owned();
        let stand_in = read(&stand_in())?;
        let recipe = (VERSION, include_str!("suite.rs"), &go, &stand_in);
        let goroot = go.lines().nth(1).unwrap_or_default();
        let folder = cache::folder("conformance", recipe, |folder| make(folder, goroot))?;
        let entries =
            fs::read_dir(&folder).map_err(Error::io(format!("cannot read {}", folder.display())))?;
        let names = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
        let mut tests: Vec<_> = names.filter(|name| !SHARED.contains(&name.as_str())).collect();
        tests.sort();
        Ok(Self { folder, tests })
    }
}

fn stand_in() -> PathBuf {
    workspace().join("fixtures/conformance/tap/tap.go")
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(Error::io(format!("cannot read {}", path.display())))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(Error::io(format!("cannot make {}", folder.display())))?;
    fs::write(path, text).map_err(Error::io(format!("cannot write {}", path.display())))
}

struct Build<'a> {
    /// Where the programs go.
    folder: &'a Path,
    /// Where Go's own library is.
    goroot: &'a str,
}

impl Build<'_> {
    fn make(&self) -> Result<()> {
        let scratch = tempfile::tempdir().map_err(Error::io("cannot make a temporary folder"))?;
        let scratch = scratch.path();
        let source = scratch.join("src/github.com/opencontainers/runtime-tools");
        fs::create_dir_all(&source).map_err(Error::io("cannot make the source folder"))?;
        let archive = download(&scratch.join("apt"))?;
        capture(
            Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&source).arg("--strip-components=1"),
        )?;
        write(&scratch.join("src/github.com/mndrix/tap-go/tap.go"), &read(&stand_in())?)?;
        let go = |args: &[&str]| {
            let mut go = Command::new("go");
            go.args(["build", "-ldflags", "-s -w", "-o"]).arg(self.folder).args(args).current_dir(&source);
            go.env("GO111MODULE", "off").env("GOFLAGS", "").env("GOCACHE", scratch.join("cache"));
            go.env("GOPATH", format!("{}:/usr/share/gocode", scratch.display())).env("CGO_ENABLED", "0");
            go
        };
        capture(&mut go(&["./validation/..."]))?;
        let overlay = self.leave_limits(scratch)?;
        capture(&mut go(&["-overlay", &overlay, "./cmd/runtimetest"]))?;
        let rootfs = source.join(ROOT_FILE_SYSTEM);
        fs::copy(&rootfs, self.folder.join(ROOT_FILE_SYSTEM)).map_err(Error::io("cannot copy the rootfs"))?;
        // Containers of other users run these.
        open_to_all(self.folder)
    }

    /// Go programs raise their limit of open files before `main`, so they cannot tell which limit they were given:
    /// `runtimetest` is built without that. Returns the overlay file.
    fn leave_limits(&self, scratch: &Path) -> Result<String> {
        let (empty, overlay) = (scratch.join("rlimit.go"), scratch.join("overlay.json"));
        write(&empty, "package os\n")?;
        let replaced = format!("{}/src/os/rlimit.go", self.goroot);
        let replace = serde_json::json!({ "Replace": { replaced: empty } });
        write(&overlay, &replace.to_string())?;
        Ok(overlay.display().to_string())
    }
}

fn open_to_all(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).map_err(Error::io("cannot change a mode"))
}

/// Gets the upstream archive of the source package with lists of our own, and returns its path.
fn download(folder: &Path) -> Result<PathBuf> {
    write(&folder.join("sources.list"), ARCHIVE)?;
    for name in ["lists", "cache"] {
        fs::create_dir_all(folder.join(name)).map_err(Error::io("cannot make a folder for apt"))?;
    }
    let apt = |args: &[&str]| {
        let mut apt = Command::new("apt-get");
        for (option, value) in [
            ("Dir::Etc::SourceList", "sources.list"),
            ("Dir::Etc::SourceParts", "none"),
            ("Dir::State::Lists", "lists"),
            ("Dir::Cache", "cache"),
        ] {
            apt.arg("--option").arg(format!("{option}={}", folder.join(value).display()));
        }
        // apt's unprivileged download user could not write to our folder.
        apt.args(["--quiet", "--option", "APT::Sandbox::User=root"]).args(args).current_dir(folder);
        apt
    };
    capture(&mut apt(&["update"]))?;
    // The upstream archive is all that is needed, and newer descriptions cannot be read by older tools.
    let package = format!("{SOURCE}={VERSION}");
    capture(&mut apt(&["source", "--download-only", "--tar-only", &package]))?;
    let entries = fs::read_dir(folder).map_err(Error::io(format!("cannot read {}", folder.display())))?;
    let archive = entries.filter_map(|entry| Some(entry.ok()?.path()));
    archive
        .into_iter()
        .find(|path| path.to_string_lossy().contains(".orig.tar"))
        .ok_or_else(|| Error::Missing(format!("apt-get downloaded no source of {SOURCE}")))
}
