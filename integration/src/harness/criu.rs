//! The CRIU that checkpoints and restores.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::xtask::find_in_path;

/// Whether CRIU and the kernel have `feature`, by the name that `criu check` has for it.
#[must_use]
pub fn criu_has(feature: &str) -> bool {
    let Ok(path) = criu_path() else { return false };
    let program = env::split_paths(path).map(|folder| folder.join("criu")).find(|file| file.exists());
    let check = |program: PathBuf| Command::new(program).args(["check", "--feature", feature]).output();
    program.is_some_and(|program| check(program).is_ok_and(|output| output.status.success()))
}

/// The `PATH` by which a runtime finds a CRIU that works on this kernel: the one that `$CRIU` names, or else that in
/// `PATH`. If there is none, why.
pub fn criu_path() -> &'static Result<String, String> {
    static PATH: OnceLock<Result<String, String>> = OnceLock::new();
    PATH.get_or_init(|| {
        let named = env::var_os("CRIU").map(PathBuf::from);
        let program =
            named.or_else(|| find_in_path("criu")).ok_or("needs criu in PATH, or $CRIU to name it")?;
        let output = Command::new(&program).arg("check").output();
        let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let first = said.lines().next().unwrap_or_default().to_owned();
            return Err(format!("{} does not work on this kernel: {first}", program.display()));
        }
        let folder = program.parent().ok_or("$CRIU is no path of a program")?;
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(folder.to_path_buf()).chain(env::split_paths(&path));
        let joined = env::join_paths(folders).map_err(|error| error.to_string())?;
        joined.into_string().map_err(|_| "PATH is not UTF-8".to_owned())
    })
}
