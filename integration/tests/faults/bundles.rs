//! The configurations whose plans are gone through.

use std::fs;

use integration::harness::*;
use serde_json::json;

/// What `runc spec` writes.
pub(super) fn default() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "7"]);
    });
    sandbox
}

/// The same in a user namespace, as another user.
pub(super) fn user_namespace() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "7"]).user_namespace(100_000, 65_536);
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000, "additionalGids": [29]});
        config["process"]["oomScoreAdj"] = json!(100);
    });
    sandbox
}

/// In the host's mount namespace, with a volume and all that is changed after it was mounted.
pub(super) fn host_mounts() -> Sandbox {
    let sandbox = Sandbox::new();
    let folder = sandbox.file("volume");
    fs::create_dir(&folder).unwrap();
    sandbox.configure(|config| {
        config.probe(&["exit", "7"]).without_namespace("mount");
        config.bind(folder, "/tmp", &["rbind", "ro"]);
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/home" }));
        config.mount(json!({ "destination": "/home", "options": ["remount", "ro"] }));
    });
    sandbox
}

/// Joins what only a process between the host and the container can join.
pub(super) fn joined() -> (Sandbox, Holder) {
    let holder = Holder::new(&["--pid", "--fork", "--time", "--net", "--uts"]);
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "7"]);
        config.as_object_mut().unwrap().remove("hostname");
        for (kind, name) in
            [("pid", "pid_for_children"), ("time", "time_for_children"), ("network", "net"), ("uts", "uts")]
        {
            config.join(kind, &holder.namespace(name));
        }
    });
    (sandbox, holder)
}

/// Clocks of its own, and everything that says when and where the program runs.
pub(super) fn scheduled() -> (Sandbox, Holder) {
    let holder = Holder::new(&["--uts"]);
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "7"]).user_namespace(100_000, 65_536).namespace("time");
        config.as_object_mut().unwrap().remove("hostname");
        config.join("uts", &holder.namespace("uts"));
        config["process"]["scheduler"] = json!({"policy": "SCHED_BATCH", "nice": 3});
        config["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_BE", "priority": 6});
        config["linux"]["personality"] = json!({"domain": "LINUX"});
        config["linux"]["memoryPolicy"] = json!({"mode": "MPOL_BIND", "nodes": "0"});
        config["linux"]["timeOffsets"] = json!({"boottime": {"secs": 100}});
    });
    (sandbox, holder)
}

/// Volumes that the host prepares: one with ids of its own, one filled from the image, and so many that it lends some
/// while others are being attached.
pub(super) fn prepared_volumes() -> Sandbox {
    let sandbox = Sandbox::new();
    let folder = sandbox.file("volume");
    fs::create_dir(&folder).unwrap();
    fs::write(sandbox.rootfs().join("home/app/file"), "of the image\n").unwrap();
    let map = json!([{ "containerID": 0, "hostID": 200_000, "size": 65_536 }]);
    sandbox.configure(|config| {
        config.probe(&["exit", "7"]);
        config.mount(json!({ "type": "bind", "source": &folder, "destination": "/tmp",
            "options": ["rbind", "ridmap"], "uidMappings": map, "gidMappings": map }));
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/home/app",
            "options": ["tmpcopyup"] }));
        for number in 0..17 {
            config.bind(&folder, &format!("/many/{number}"), &["rbind", "ro"]);
        }
    });
    sandbox
}

/// The network namespace of this thread, with a device `v0` in it that is to be moved.
pub(super) struct Network(());

/// Leaves the host's network for one with such a device; `None` where the kernel or iproute2 cannot make it.
pub(super) fn network() -> Option<Network> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    Some(Network(())).filter(Network::make_device)
}

impl Network {
    /// Makes the device; whether that could be done. The kernel may not have removed the other end of one that is gone.
    pub(super) fn make_device(&self) -> bool {
        let script = "ip link delete v1; ip link add v0 mtu 1400 type veth peer name v1 && ip address add 192.0.2.7/24 dev v0 \
            && ip link set v1 up && ip link set v0 up";
        Invocation::new(&["sh", "-c", script]).output().code() == 0
    }

    /// All that `ip` says of `v0` but its number and what changes by itself.
    pub(super) fn device(&self) -> serde_json::Value {
        let output = Invocation::new(&["ip", "-json", "address", "show", "v0"]).output().success();
        let devices: serde_json::Value = serde_json::from_str(&output.stdout()).expect("JSON");
        let device = &devices[0];
        let up = device["flags"].as_array().unwrap().contains(&json!("UP"));
        let addresses = device["addr_info"].as_array().unwrap().iter();
        let addresses: Vec<_> = addresses
            .filter(|address| address["scope"] == "global")
            .map(|address| &address["local"])
            .collect();
        json!({ "mtu": device["mtu"], "up": up, "addresses": addresses })
    }
}

pub(super) fn network_device() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "7"]);
        config["linux"]["netDevices"] = json!({ "v0": { "name": "moved" } });
    });
    sandbox
}

/// Docker's, with the files that its daemon would have made.
pub(super) fn docker() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut config = Config::parse(include_str!("../../../fixtures/configs/docker.json"));
    config.probe(&["exit", "7"]);
    config["linux"]["cgroupsPath"] = json!(format!("/docker/{}", sandbox.id()));
    for mount in config["mounts"].as_array_mut().unwrap().iter_mut().filter(|mount| mount["type"] == "bind") {
        let file = sandbox.file(mount["destination"].as_str().unwrap().rsplit('/').next().unwrap());
        fs::write(&file, "made by the daemon\n").unwrap();
        mount["source"] = json!(file);
    }
    sandbox.write(&config);
    sandbox
}
