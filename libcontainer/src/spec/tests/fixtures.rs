//! What real clients write.

use std::time::Instant;

use super::{CONTAINERD, DOCKER, RUNC_SPEC, accepted};
use crate::spec::{Config, Membership, MountKind, attr};

fn destinations(config: &Config) -> Vec<&str> {
    config.mounts.iter().map(|mount| mount.destination.as_str()).collect()
}

#[test]
fn the_default_of_runc_spec() {
    let config = accepted(RUNC_SPEC);
    let process = config.process.as_ref().unwrap();
    assert!(process.terminal && process.no_new_privileges && config.root.readonly);
    assert_eq!(process.args, ["sh"]);
    assert_eq!(process.capabilities.bounding, 1 << 29 | 1 << 5 | 1 << 10);
    assert_eq!(process.capabilities.ambient, 0);
    assert_eq!((process.rlimits[0].soft, process.rlimits[0].hard), (1024, 1024));
    assert_eq!(config.hostname.as_deref(), Some("runc"));
    let expected = ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"];
    assert_eq!(destinations(&config), expected);
    assert_eq!(config.namespaces.cgroup.membership, Membership::Host);
    assert_eq!((config.masked_paths.len(), config.readonly_paths.len()), (10, 5));
    assert!(config.warnings.is_empty());
}

#[test]
fn a_container_of_docker() {
    let config = accepted(DOCKER);
    let process = config.process.as_ref().unwrap();
    assert_eq!((process.oom_score_adj, process.additional_gids.len()), (Some(0), 11));
    assert_eq!(process.capabilities.effective, 0xa804_25fb);
    assert_eq!(config.sysctl[0].path, "net/ipv4/ip_unprivileged_port_start");
    assert_eq!(config.sysctl[1].value, "0 2147483647");
    let binds =
        config.mounts.iter().filter(|mount| matches!(mount.kind, MountKind::Bind { recursive: true, .. }));
    assert_eq!(binds.count(), 3);
    assert_eq!(config.mounts[4].kind, MountKind::Cgroup);
    assert_eq!(config.mounts[4].attributes.set, attr::RDONLY | attr::NOSUID | attr::NOEXEC | attr::NODEV);
    let profile = config.seccomp.as_ref().unwrap();
    let names: usize = profile.syscalls().iter().flatten().map(|rule| rule.names().len()).sum();
    assert!(names > 360, "{names}");
    assert!(config.cgroups_path.unwrap().starts_with("/docker/"));
    assert!(config.warnings.is_empty());
}

#[test]
fn a_container_of_containerd() {
    let config = accepted(CONTAINERD);
    assert_eq!(config.annotations.len(), 1);
    assert_eq!(destinations(&config)[6], "/run");
    assert_eq!(config.namespaces.cgroup.membership, Membership::New);
    assert_eq!(config.resources.unwrap().devices().as_ref().unwrap().len(), 10);
    assert!(config.warnings.is_empty());
}

/// For release mode: `cargo test --release -p libcontainer cost_of_reading -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, which needs a release build and a quiet machine"]
fn cost_of_reading() {
    const ROUNDS: u32 = 2_000;
    let budgets = [("runc spec", RUNC_SPEC, 60), ("containerd", CONTAINERD, 60), ("docker", DOCKER, 300)];
    for (name, text, micros) in budgets {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            std::hint::black_box(accepted(std::hint::black_box(text)));
        }
        let cost = start.elapsed() / ROUNDS;
        println!("{name}: {cost:?} for {} bytes", text.len());
        assert!(cost.as_micros() < micros, "{name}: {cost:?}");
    }
}
