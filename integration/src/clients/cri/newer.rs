//! What only containerd 2 can do.

use std::fs;

use serde_json::{Value, json};

use super::{Cri, code};
use crate::clients::Check;
use crate::clients::engine::{expect, same};
use crate::xtask::{Error, Result};

pub(super) const CHECKS: &[Check<Cri>] = &[
    Check { name: "features of the handler", run: features },
    Check { name: "users of its own, and a volume of theirs", run: users },
    Check { name: "mounts: read-only to the bottom", run: read_only },
];

/// What the kubelet lets pods ask for; containerd knows it from `features`.
fn features(cri: &Cri) -> Result<()> {
    let status = cri.call("Status", &json!({}))?;
    let handlers = status.pointer("/runtime_handlers").and_then(Value::as_array).into_iter().flatten();
    let mut named = handlers.filter(|handler| handler.pointer("/name") == Some(&json!(cri.runtime.name)));
    let features = named.next().and_then(|handler| handler.pointer("/features")).cloned();
    let expected = json!({ "recursive_read_only_mounts": true, "user_namespaces": true });
    same("features", &features.unwrap_or_default().to_string(), &expected.to_string())
}

fn volume(cri: &Cri, name: &str) -> Result<String> {
    let folder = cri.stage.folder().join(format!("{name}-{}", cri.runtime.name));
    fs::create_dir_all(&folder).map_err(Error::io("cannot make a folder"))?;
    Ok(folder.display().to_string())
}

/// The volume is the host's root's, and through its mount that of the root of the pod.
fn users(cri: &Cri) -> Result<()> {
    let source = volume(cri, "of-users")?;
    let ids = json!([{ "container_id": 0, "host_id": 100_000, "length": 65536 }]);
    // Users of its own must not have the network of others.
    let options = json!({ "network": "POD", "userns_options": { "uids": ids, "gids": ids } });
    let pod = cri.pod_with(&json!({ "namespace_options": options }))?;
    let mount =
        json!({ "container_path": "/volume", "host_path": source, "uidMappings": ids, "gidMappings": ids });
    let id = cri.start(&pod, "first", &json!({ "mounts": [mount] }))?;
    let script = "tr -s ' ' </proc/self/uid_map; touch /volume/file; stat -c %u /bin /volume /volume/file";
    same("ids", &cri.script(&id, script)?, "0 100000 65536\n0\n0\n0")?;
    let outside = cri.stage.run(&["stat", "--format", "%u", &format!("{source}/file")], "")?;
    same("owner on the host", expect(0, outside)?.stdout.trim(), "0")?;
    cri.remove(&pod.id)
}

fn read_only(cri: &Cri) -> Result<()> {
    let source = volume(cri, "read-only")?;
    let on_stage = |script: &str| expect(0, cri.stage.run(&["sh", "-ec", script, "sh", &source], "")?);
    on_stage("mkdir -p \"$1/sub\"; mount -t tmpfs sub \"$1/sub\"")?;
    let pod = cri.pod()?;
    let mount = json!({
        "container_path": "/volume", "host_path": source, "readonly": true, "recursive_read_only": true,
    });
    let id = cri.start(&pod, "first", &json!({ "mounts": [mount] }))?;
    let written = cri.exec(&id, "touch /volume/sub/file")?;
    cri.remove(&pod.id)?;
    on_stage("umount \"$1/sub\"")?;
    code(&written, "1")
}
