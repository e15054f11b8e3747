//! containerd, driven as Kubernetes does: by the container runtime interface.

mod checks;
mod newer;

use std::cell::Cell;
use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use super::archive::{self, NAME};
use super::containerd::{OLD_PLUGIN, log, plugin, start};
use super::engine::{expect, same};
use super::stage::{Inventory, Output, Stage, tail, wait_until};
use super::systemd::Cgroups;
use super::{Driver, Options, Report, Runtime, Setup, judge, readme};
use crate::xtask::{Error, Result, workspace};

/// Where containerd's shim lets the runtime keep the containers of pods.
const ROOT: &str = "/run/containerd/runc/k8s.io";

/// What the README has no need to say: where the pods' own image is, and which network they have.
fn more_config(plugin: &str, networks: &str) -> String {
    let image = if plugin == OLD_PLUGIN {
        format!("[plugins.'{plugin}']\nsandbox_image = '{NAME}'\n")
    } else {
        format!(
            "[plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = '{NAME}'\n[plugins.'{plugin}']\n"
        )
    };
    let network = format!("[plugins.'{plugin}'.cni]\nconf_dir = '{networks}'\nbin_dir = '{networks}/bin'\n");
    image + "restrict_oom_score_adj = true\n" + &network
}

/// The configuration with what README says of systemd, for runc as well.
fn by_systemd(config: &str) -> String {
    let lines = config.lines().map(|line| match line.strip_suffix(".runc]") {
        Some(table) => format!("{table}.runc.options]\nSystemdCgroup = true\n{line}\n"),
        None if line.starts_with("BinaryName") => format!("{line}\nSystemdCgroup = true\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// Makes the folder of networks, and returns its path.
fn make_networks(stage: &Stage) -> Result<String> {
    let folder = stage.folder().join("networks");
    fs::create_dir_all(folder.join("bin")).map_err(Error::io("cannot make a folder"))?;
    for name in ["loopback", "empty"] {
        fs::copy(workspace().join("fixtures/clients/cni.sh"), folder.join("bin").join(name))
            .map_err(Error::io("cannot copy cni.sh"))?;
    }
    let network = json!({ "cniVersion": "0.3.1", "name": "empty", "plugins": [{ "type": "empty" }] });
    fs::write(folder.join("empty.conflist"), network.to_string())
        .map_err(Error::io("cannot write a network's configuration"))?;
    Ok(folder.display().to_string())
}

/// The interface with one runtime.
struct Cri {
    stage: Arc<Stage>,
    runtime: Runtime,
    program: String,
    empty: Inventory,
    pods: Cell<u32>,
}

/// A pod that runs.
struct Pod {
    id: String,
    config: Value,
    /// Which namespaces its containers share, as they are told as well.
    namespaces: Value,
}

/// Runs all checks.
pub(super) fn drive(stage: &Arc<Stage>, setup: &Setup, options: &Options) -> Result<Report> {
    let [_, ours] = &setup.runtimes;
    let plugin = plugin(stage)?;
    let mut text = readme::snippet(plugin, &ours.path)? + &more_config(plugin, &make_networks(stage)?);
    if stage.cgroups() == Cgroups::Systemd {
        text = by_systemd(&text);
    }
    fs::write(stage.folder().join("config.toml"), text).map_err(Error::io("cannot write config.toml"))?;
    let daemon = start(stage)?;
    let image = archive::pack(&setup.image, stage.folder())?.display().to_string();
    expect(0, stage.run(&["ctr", "--namespace", "k8s.io", "images", "import", &image], "")?)?;
    let program = setup.cri.display().to_string();
    let cris = setup.runtimes.each_ref().map(|runtime| {
        let (stage, runtime, program) = (Arc::clone(stage), runtime.clone(), program.clone());
        let empty = stage.inventory(&[])?;
        Ok(Cri { stage, runtime, program, empty, pods: Cell::new(0) })
    });
    let [control, ours] = cris;
    let cris = [control?, ours?];
    let [control, _] = &cris;
    wait_until("containerd knows the image", || control.has_image())
        .map_err(|error| Error::NotMet(format!("{error}\n{}", tail(&log(stage)))))?;
    let mut report = judge(stage, &cris, checks::CHECKS, options)?;
    if plugin != OLD_PLUGIN {
        report.add(judge(stage, &cris, newer::CHECKS, options)?);
    }
    if stage.cgroups() == Cgroups::Systemd {
        report.add(judge(stage, &cris, checks::ON_SYSTEMD, options)?);
    }
    drop(daemon);
    Ok(report)
}

impl Cri {
    fn raw(&self, method: &str, request: &Value) -> Result<Output> {
        self.stage.run(&["/usr/bin/python3", &self.program, method, &request.to_string()], "")
    }

    /// The answer of a call that must succeed.
    fn call(&self, method: &str, request: &Value) -> Result<Value> {
        let output = expect(0, self.raw(&format!("RuntimeService.{method}"), request)?)?;
        serde_json::from_str(&output.stdout).map_err(|error| output.wrong(&error.to_string()))
    }

    /// The error of a call that must fail.
    fn error(&self, method: &str, request: &Value) -> Result<String> {
        Ok(expect(1, self.raw(&format!("RuntimeService.{method}"), request)?)?.stderr)
    }

    fn has_image(&self) -> Result<bool> {
        let request = json!({ "image": { "image": NAME } });
        let output = expect(0, self.raw("ImageService.ImageStatus", &request)?)?;
        Ok(output.stdout.contains("sha256:"))
    }

    /// Starts a pod in the network of the stage, whose containers have processes of their own.
    fn pod(&self) -> Result<Pod> {
        self.pod_with(&json!({}))
    }

    /// The same with another security context.
    fn pod_with(&self, security: &Value) -> Result<Pod> {
        self.pods.set(self.pods.get() + 1);
        let name = format!("{}-{}", self.runtime.name, self.pods.get());
        let mut context = json!({ "namespace_options": { "network": "NODE", "pid": "CONTAINER" } });
        merge(&mut context, security);
        let namespaces = context.pointer("/namespace_options").cloned().unwrap_or_default();
        let config = json!({
            "metadata": { "name": name, "uid": name, "namespace": "default" },
            "log_directory": self.stage.folder().join(&name),
            "linux": { "cgroup_parent": self.stage.cgroup_parent(), "security_context": context },
        });
        let request = json!({ "config": config, "runtime_handler": self.runtime.name });
        let id = text(&self.call("RunPodSandbox", &request)?, "/pod_sandbox_id")?;
        Ok(Pod { id, config, namespaces })
    }

    /// Creates a container that runs a shell script, with more in its configuration.
    fn create(&self, pod: &Pod, name: &str, script: &str, more: &Value) -> Result<String> {
        let mut config = json!({
            "metadata": { "name": name },
            "image": { "image": NAME },
            "command": ["/bin/sh", "-c", script],
            "log_path": format!("{name}.log"),
            "linux": { "security_context": { "namespace_options": pod.namespaces } },
        });
        merge(&mut config, more);
        let request = json!({ "pod_sandbox_id": pod.id, "config": config, "sandbox_config": pod.config });
        text(&self.call("CreateContainer", &request)?, "/container_id")
    }

    /// Creates and starts a container that stays, and ends with 3 at SIGTERM.
    fn start(&self, pod: &Pod, name: &str, more: &Value) -> Result<String> {
        let script = "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done";
        let id = self.create(pod, name, script, more)?;
        self.call("StartContainer", &json!({ "container_id": id }))?;
        // Before it has set its trap, the first process of a pid namespace ignores the signal.
        wait_until("the container says that it is up", || Ok(self.log(pod, name)?.contains("up")))?;
        Ok(id)
    }

    /// The log that the kubelet reads.
    fn log(&self, pod: &Pod, name: &str) -> Result<String> {
        let path = format!("{}/{name}.log", text(&pod.config, "/log_directory")?);
        fs::read_to_string(&path).map_err(Error::io(format!("cannot read {path}")))
    }

    fn status(&self, id: &str) -> Result<Value> {
        let answer = self.call("ContainerStatus", &json!({ "container_id": id }))?;
        Ok(answer.pointer("/status").cloned().unwrap_or_default())
    }

    fn wait_for(&self, id: &str, state: &str) -> Result<()> {
        wait_until(&format!("{id} is {state}"), || Ok(text(&self.status(id)?, "/state")? == state))
    }

    /// Runs a shell script in a container to its end.
    fn exec(&self, id: &str, script: &str) -> Result<Value> {
        self.call("ExecSync", &json!({ "container_id": id, "cmd": ["/bin/sh", "-c", script], "timeout": 60 }))
    }

    /// The output of a script that must succeed.
    fn script(&self, id: &str, script: &str) -> Result<String> {
        let answer = self.exec(id, script)?;
        code(&answer, "0")?;
        Ok(text(&answer, "/stdout")?.trim().to_owned())
    }

    /// Stops a container by SIGTERM, which it must end at with 3.
    fn stop(&self, id: &str) -> Result<()> {
        self.call("StopContainer", &json!({ "container_id": id, "timeout": 60 }))?;
        let status = self.status(id)?;
        same("stopped", &text(&status, "/state")?, "CONTAINER_EXITED")?;
        code(&status, "3")
    }

    /// With a pod go its containers.
    fn remove(&self, pod: &str) -> Result<()> {
        let request = json!({ "pod_sandbox_id": pod });
        self.call("StopPodSandbox", &request)?;
        self.call("RemovePodSandbox", &request).map(drop)
    }

    /// The names in the list of an answer.
    fn list(&self, method: &str, list: &str) -> Result<Vec<String>> {
        let answer = self.call(method, &json!({}))?;
        let all = answer.pointer(list).and_then(Value::as_array).into_iter().flatten();
        all.map(|entry| text(entry, "/id")).collect()
    }
}

/// Adds the fields of `more`, in the objects that both have too.
fn merge(fields: &mut Value, more: &Value) {
    match (fields.as_object_mut(), more.as_object()) {
        (Some(fields), Some(more)) => {
            more.iter().for_each(|(name, value)| merge(fields.entry(name).or_insert(Value::Null), value));
        }
        _ => *fields = more.clone(),
    }
}

/// The text at a place of an answer.
fn text(answer: &Value, pointer: &str) -> Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| Error::NotMet(format!("no text at {pointer} of {answer}")))
}

/// Fails unless that is the exit code in the answer.
fn code(answer: &Value, expected: &str) -> Result<()> {
    let found = answer.pointer("/exit_code").map(Value::to_string).unwrap_or_default();
    same("code", &found, expected).map_err(|error| Error::NotMet(format!("{error}: {answer}")))
}

impl Driver for Cri {
    fn clean(&self) -> Result<()> {
        self.list("ListPodSandbox", "/items")?.iter().try_for_each(|id| self.remove(id))
    }

    fn leaks(&self) -> Result<()> {
        same("containers that are left", &self.list("ListContainers", "/containers")?.join(" "), "")?;
        same("pods that are left", &self.list("ListPodSandbox", "/items")?.join(" "), "")?;
        self.stage.wait_for_inventory(&self.empty, &[ROOT])
    }

    fn log(&self) -> String {
        tail(&log(&self.stage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_merged_and_all_else_is_replaced() {
        let mut fields = json!({ "a": { "b": 1, "c": [1] }, "d": 2 });
        merge(&mut fields, &json!({ "a": { "c": [2], "e": 3 }, "f": {} }));
        assert_eq!(fields, json!({ "a": { "b": 1, "c": [2], "e": 3 }, "d": 2, "f": {} }));
    }
}
