//! A container from a real bundle, made and run on this host.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::process::{capture, line};
use super::{Error, Result, build, busybox, is_root};

/// What runs inside.
const SCRIPT: &str = include_str!("demo.sh");

/// What the container runs, and the code that it must end with.
struct Payload {
    args: Vec<&'static str>,
    code: i32,
}

/// Builds the runtime and the bundle, runs the container, and removes everything but the build.
pub fn run() -> Result<()> {
    if !is_root() {
        let hint = "the demo makes a container with root's namespaces: run it as root, for example with `sudo -E env PATH=\"$PATH\" cargo xtask demo`";
        return Err(Error::Missing(hint.to_owned()));
    }
    let shim = build::shim()?;
    let bundle = tempfile::tempdir().map_err(Error::io("cannot make a temporary folder"))?;
    let payload = make_rootfs(&bundle.path().join("rootfs"))?;
    write_config(&shim, bundle.path(), &payload)?;
    println!(
        "\nThe bundle is {}; its config.json is that of `runc-shim spec` with other args.",
        bundle.path().display()
    );
    let mut container = Command::new(&shim);
    container.arg("run").arg("--bundle").arg(bundle.path()).arg(format!("demo-{}", std::process::id()));
    println!("$ {}\n", line(&container));
    let status = container.status().map_err(Error::io(format!("cannot start {}", shim.display())))?;
    println!();
    match status.code() {
        Some(code) if code == payload.code => {
            println!("The container ended with code {code}, as it was told to. That was a container.");
            Ok(())
        }
        _ => Err(Error::NotMet(format!(
            "the container should end with code {}; it ended with {status}",
            payload.code
        ))),
    }
}

/// Fills the root file system: with busybox where it can be had, else with our own static reporter.
fn make_rootfs(rootfs: &Path) -> Result<Payload> {
    for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        let dir = rootfs.join(name);
        fs::create_dir_all(&dir).map_err(Error::io(format!("cannot make {}", dir.display())))?;
    }
    match busybox::find(&rootfs.with_file_name("busybox-static")) {
        Ok(program) => {
            println!("The root file system is made of {}.", program.display());
            busybox::install(&program, &rootfs.join("bin"))?;
            fs::write(rootfs.join("demo.sh"), SCRIPT).map_err(Error::io("cannot write the script"))?;
            Ok(Payload { args: vec!["/bin/sh", "/demo.sh"], code: 7 })
        }
        Err(error) => {
            println!(
                "There is no static busybox ({error}); the container runs this project's own reporter instead."
            );
            let probe = build::probe()?;
            fs::copy(&probe, rootfs.join("bin/probe")).map_err(Error::io("cannot copy the reporter"))?;
            Ok(Payload { args: vec!["/bin/probe"], code: 0 })
        }
    }
}

fn write_config(shim: &Path, bundle: &Path, payload: &Payload) -> Result<()> {
    capture(Command::new(shim).arg("spec").current_dir(bundle))?;
    let path = bundle.join("config.json");
    let text = fs::read(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
    let mut config: Value =
        serde_json::from_slice(&text).map_err(Error::io(format!("{} is not JSON", path.display())))?;
    let changes = [
        ("/process/terminal", json!(false)),
        ("/process/args", json!(payload.args)),
        ("/hostname", json!("demo")),
    ];
    for (pointer, value) in changes {
        let place = config.pointer_mut(pointer);
        *place.ok_or_else(|| Error::NotMet(format!("`runc-shim spec` wrote no {pointer}")))? = value;
    }
    fs::write(&path, config.to_string()).map_err(Error::io(format!("cannot write {}", path.display())))
}
