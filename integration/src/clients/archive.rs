//! The image as an archive that containerd imports.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::image::Image;
use crate::xtask::process::capture;
use crate::xtask::{Error, Result};

/// What the image is called there.
pub(super) const NAME: &str = "localhost/busybox:1";

/// The architecture by the name that images have for it.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// Packs the image for containerd below `folder`. As the sandbox of a pod it only has to stay.
pub(super) fn pack(image: &Image, folder: &Path) -> Result<PathBuf> {
    let sum = capture(Command::new("sha256sum").arg(&image.archive))?.stdout;
    let sum = String::from_utf8_lossy(&sum).split_whitespace().next().unwrap_or_default().to_owned();
    let config = json!({
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": { "Env": ["PATH=/bin"], "Entrypoint": ["/bin/sleep", "infinity"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{sum}")] },
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": [NAME], "Layers": ["rootfs.tar"] }]);
    let write = |name: &str, value: &Value| {
        fs::write(folder.join(name), value.to_string()).map_err(Error::io(format!("cannot write {name}")))
    };
    write("config.json", &config)?;
    write("manifest.json", &manifest)?;
    fs::copy(&image.archive, folder.join("rootfs.tar")).map_err(Error::io("cannot copy rootfs.tar"))?;
    let packed = folder.join("image.tar");
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(folder).arg("-cf").arg(&packed).args(["manifest.json", "config.json", "rootfs.tar"]);
    capture(&mut tar)?;
    Ok(packed)
}
