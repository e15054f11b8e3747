//! Hooks: who runs which, and when.
//!
//! The runtime-spec calls the first three kinds between the mounts and the change of root, startContainer between the
//! start and the program, poststart behind the program's start. Only those of the container's own namespaces are run
//! by its first process; what they read and where they are found then differs (runtime-spec, "Hooks" and "State").

use std::collections::BTreeMap;
use std::path::Path;

use libcontainer_init::Step;
use libcontainer_init::step::{self, Environment};
use serde::Serialize;

use super::build::Build;
use super::entry::HostStep;
use crate::Status;
use crate::spec::{Hook, HookKind};

/// What a hook reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HookState<'a> {
    pub(crate) oci_version: &'static str,
    pub(crate) id: &'a str,
    pub(crate) status: Status,
    /// As the hook's own pid namespace knows it; absent when the container has stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<i32>,
    pub(crate) bundle: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: &'a BTreeMap<String, String>,
}

impl<'a> HookState<'a> {
    /// Of a created container whose pid is not known.
    pub(crate) fn new(id: &'a str, bundle: &Path, annotations: &'a BTreeMap<String, String>) -> Self {
        let oci_version = crate::SPEC_VERSION;
        let bundle = bundle.to_string_lossy().into_owned();
        Self { oci_version, id, status: Status::Created, pid: None, bundle, annotations }
    }

    pub(crate) fn to_json(&self) -> String {
        // Text and numbers under keys of text: there is nothing that JSON could not say.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Hooks that see the mounts and the old root.
pub(super) fn before_pivot(build: &mut Build<'_>) {
    of_runtime(build);
    let hooks = &build.request.config.hooks;
    init(build, HookKind::CreateContainer, &hooks.create_container);
}

/// Those of them that the runtime runs in its own namespaces.
pub(super) fn of_runtime(build: &mut Build<'_>) {
    let hooks = &build.request.config.hooks;
    host(build, HookKind::Prestart, &hooks.prestart);
    host(build, HookKind::CreateRuntime, &hooks.create_runtime);
}

/// Hooks of the start, before the program has given up its rights.
pub(super) fn before_program(build: &mut Build<'_>) {
    init(build, HookKind::StartContainer, &build.request.config.hooks.start_container);
}

/// Hooks that find the program running.
pub(super) fn after_program(build: &mut Build<'_>) {
    host(build, HookKind::Poststart, &build.request.config.hooks.poststart);
}

fn host(build: &mut Build<'_>, kind: HookKind, hooks: &[Hook]) {
    for (number, hook) in hooks.iter().enumerate() {
        build.host_for(HostStep::RunHook { kind, number, hook: hook.clone() }, kind.pointer(number));
    }
}

fn init(build: &mut Build<'_>, kind: HookKind, hooks: &[Hook]) {
    if hooks.is_empty() {
        return;
    }
    let request = build.request;
    let state = HookState::new(request.id, &request.options.bundle, &request.config.annotations).to_json();
    // Its first process knows its own pid, and puts it before the rest of the object.
    let state = build.pool.text(format!(",{}", state.strip_prefix('{').unwrap_or_default()));
    let confined = kind == HookKind::StartContainer;
    for (number, hook) in hooks.iter().enumerate() {
        let environment = match &hook.env {
            Some(entries) => Environment::Given(build.pool.pointers(entries)),
            // A program of the image must not learn what is in the environment of a program of the host.
            None if confined => Environment::Container,
            None => Environment::Runtime,
        };
        let step = step::Hook {
            path: build.pool.text(&hook.path),
            argv: build.pool.pointers(&hook.args),
            environment,
            state,
            timeout: hook.timeout.unwrap_or(0),
            confined,
        };
        build.init_for(Step::Hook(step), kind.pointer(number));
    }
}

/// A hook as plans show it.
pub(super) fn describe(kind: &str, number: usize, path: &str, timeout: u32) -> String {
    let limit = if timeout == 0 { String::new() } else { format!(" (at most {timeout} s)") };
    format!("run {kind} hook #{number} {path}{limit}")
}

/// A hook that `delete` runs.
pub(super) fn poststop(number: usize, hook: &Hook) -> String {
    describe(HookKind::Poststop.as_str(), number, &hook.path, hook.timeout.unwrap_or(0))
}
