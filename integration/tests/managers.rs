//! Container managers on a host whose systemd makes the cgroups, as most hosts are. `cargo xtask clients` drives them
//! without it, and has more checks.

use integration::clients::{Client, on_systemd, without_systemd};
use integration::harness::runtime;
use integration::skip;

fn drive(client: Client) {
    if let Some(reason) = without_systemd() {
        skip!("{reason}");
    }
    let outcome = on_systemd(client, runtime().path());
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn containerd() {
    drive(Client::Containerd);
}

#[test]
fn the_container_runtime_interface() {
    drive(Client::Cri);
}

#[test]
fn docker() {
    drive(Client::Docker);
}

#[test]
fn podman() {
    drive(Client::Podman);
}
