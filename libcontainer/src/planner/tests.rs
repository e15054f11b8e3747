//! What holds of all plans.

use std::path::Path;

use super::{Action, HostStep, Options, Plan, Request, exec, make, verify};
use crate::ErrorKind;
use crate::facts::Facts;
use crate::spec::{self, Membership};

/// The files of a folder of `fixtures/plans`.
pub(super) struct Input {
    pub(super) config: spec::Config,
    pub(super) facts: Facts,
    pub(super) options: Options,
}

impl Input {
    pub(super) fn read(case: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/plans").join(case);
        let read = |file: &str| std::fs::read(folder.join(file)).unwrap();
        let options = match folder.join("options.json").exists() {
            true => serde_json::from_slice(&read("options.json")).unwrap(),
            false => Options::default(),
        };
        Self {
            config: spec::parse(&read("config.json"), Path::new("/bundle")).unwrap(),
            facts: serde_json::from_slice(&read("facts.json")).unwrap(),
            options,
        }
    }
}

impl Input {
    pub(super) fn plan(&self) -> crate::Result<Plan> {
        let Self { config, facts, options } = self;
        let request = Request { id: "test", config, options, facts };
        if facts.container.is_some() { exec::plan(&request) } else { make(&request) }
    }
}

/// The plan of such a folder.
pub(super) fn golden(case: &str) -> Plan {
    Input::read(case).plan().unwrap()
}

/// What a step of the host leaves behind must be undone. A step that is added has to be put on one side here.
#[test]
fn what_the_host_makes_is_undone() {
    let leaves_something = |step: &HostStep| match step {
        HostStep::Claim { .. } | HostStep::CreateCgroup { .. } | HostStep::StartUnit(_) => true,
        HostStep::PidFile { .. } => true,
        HostStep::Clone { .. } | HostStep::Adopt => true,
        HostStep::StartCriu { .. } | HostStep::RestoreNamespaces { .. } => true,
        HostStep::RestoreProcesses | HostStep::ResumeProcesses => false,
        HostStep::CreateRdtGroup(_) | HostStep::MoveNetDevice(_) => true,
        // Parts of what another step made, or descriptors of this process.
        HostStep::Record { .. }
        | HostStep::Gate
        | HostStep::NotifyFolder { .. }
        | HostStep::Limit(_)
        | HostStep::Devices(_) => false,
        HostStep::DelegateCgroup { .. } => false,
        HostStep::IdNamespace { .. }
        | HostStep::LendProc
        | HostStep::LendContainer
        | HostStep::LendRoot
        | HostStep::LendStreams
        | HostStep::OpenCgroup { .. }
        | HostStep::EnterCgroup { .. }
        | HostStep::LockMounts
        | HostStep::LendTree(_)
        | HostStep::BeginNetwork
        | HostStep::SendNetwork { .. }
        | HostStep::LendNamespace { .. } => false,
        // What a hook leaves, the hooks of `delete` take away, which an undone container runs too.
        HostStep::RunHook { .. } => false,
        HostStep::ConnectConsole { .. } | HostStep::SendPidfd { .. } | HostStep::SendListener(_) => false,
        HostStep::JoinRdtGroups(_)
        | HostStep::JoinCgroup
        | HostStep::IdMaps { .. }
        | HostStep::OomScore { .. } => false,
        HostStep::TimeOffsets(_) | HostStep::Schedule(_) | HostStep::IoPriority(_) => false,
        #[cfg(feature = "fault-injection")]
        HostStep::Fail { .. } | HostStep::Die | HostStep::KillChild => false,
    };
    for case in [
        "v2",
        "systemd-v2",
        "joined-user-and-pid",
        "user-namespace-hybrid",
        "limits-v1",
        "terminal",
        "network-devices",
        "resource-groups",
        "hooks",
        "restore-hooks",
    ] {
        for entry in &golden(case).entries {
            if let Action::Host(step) = &entry.action {
                assert_eq!(entry.undo().is_some(), leaves_something(step), "{step:?}");
            }
        }
    }
}

/// For release mode: `cargo test --release -p libcontainer cost_of_verifying -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, which needs a release build and a quiet machine"]
fn cost_of_verifying() {
    const ROUNDS: u32 = 10_000;
    let plan = golden("docker-v1");
    let start = std::time::Instant::now();
    for _ in 0..ROUNDS {
        assert!(verify(std::hint::black_box(&plan)).is_empty());
    }
    let cost = start.elapsed() / ROUNDS;
    println!("{cost:?} for {} entries", plan.entries.len());
    assert!(cost.as_micros() < 5, "{cost:?}");
}

/// Every choice of namespaces, on hosts of each kind.
#[test]
fn no_choice_of_namespaces_breaks_a_rule() {
    let hosts = ["v1", "v2", "hybrid"].map(|case| Input::read(case).facts);
    let Input { mut config, facts: mut with_devices, mut options } = Input::read("user-namespace-v2");
    let memberships = [Membership::Host, Membership::New, Membership::Join("/proc/1/ns/x".into())];
    for number in 0..3usize.pow(8) {
        let mut digits = (0..8).map(|place| number / 3usize.pow(place) % 3);
        let mut next = || memberships[digits.next().unwrap()].clone();
        let namespaces = &mut config.namespaces;
        namespaces.user.membership = next();
        namespaces.pid.membership = next();
        namespaces.time.membership = next();
        namespaces.mount.membership = next();
        namespaces.uts.membership = next();
        namespaces.ipc.membership = next();
        namespaces.network.membership = next();
        namespaces.cgroup.membership = next();
        let is_hosts = |namespace: &spec::Namespace| namespace.membership == Membership::Host;
        with_devices.kernel = Some((6, 15));
        // What `spec` makes sure of.
        config.hostname =
            Some("name".into()).filter(|_| config.namespaces.uts.membership != Membership::Host);
        options.at_once = number % 2 == 0;
        options.no_pivot = number % 5 == 0;
        with_devices.cgroup = hosts[number % hosts.len()].cgroup.clone();
        let request = Request { id: "test", config: &config, options: &options, facts: &with_devices };
        if is_hosts(&config.namespaces.mount) && !is_hosts(&config.namespaces.user) {
            let error = make(&request).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
            continue;
        }
        let plan = make(&request).unwrap();
        assert_eq!(verify(&plan), [], "{:?}\n{plan}", config.namespaces);
    }
}
