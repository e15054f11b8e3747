//! Valid configurations. A field is there or not, and has any of the values that the rules of `spec` accept.

use libcontainer::spec::known;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use crate::process::{id, process};

/// A configuration that asks for next to nothing.
pub(crate) fn least() -> Value {
    json!({
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "mounts": [],
        "linux": {"namespaces": [{"type": "mount"}], "maskedPaths": [], "readonlyPaths": []},
    })
}

/// The fields that are there.
pub(crate) fn object(fields: Vec<(&str, Option<Value>)>) -> Value {
    let there = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(Map::from_iter(there))
}

pub(crate) fn maybe<T: Into<Value> + std::fmt::Debug>(
    of: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<Value>> {
    option::of(of.prop_map(Into::into))
}

pub(crate) fn words(of: &'static [&'static str], most: usize) -> impl Strategy<Value = Value> {
    subsequence(of.to_vec(), 0..=most.min(of.len())).prop_map(|words| json!(words))
}

/// A mount on `destination`, of any kind and with any options that need nothing else.
pub(crate) fn mount(destination: &'static str) -> impl Strategy<Value = Value> {
    const DATA: [&str; 3] = ["mode=755", "size=64k", "a=b,c"];
    const WITH_MORE: [&str; 6] = ["bind", "rbind", "idmap", "ridmap", "remount", "tmpcopyup"];
    let fits = |word: &String| !WITH_MORE.contains(&word.as_str());
    let options: Vec<String> = known::mount_options().into_iter().filter(fits).collect();
    let options = options.into_iter().chain(DATA.map(str::to_owned)).collect::<Vec<_>>();
    let options = vec(select(options), 0..5);
    let kind = select(&["bind", "rbind", "tmpfs", "proc", "sysfs", "cgroup", "mqueue"][..]);
    (kind, options).prop_map(move |(kind, mut options)| {
        let (fstype, source) = match kind {
            "bind" | "rbind" => ("none", "/srv/data"),
            fstype => (fstype, fstype),
        };
        if fstype == "none" {
            options.push(kind.to_owned());
        }
        json!({"destination": destination, "type": fstype, "source": source, "options": options})
    })
}

fn mounts() -> impl Strategy<Value = Vec<Value>> {
    let proc = Just(json!({"destination": "/proc", "type": "proc", "source": "proc"}));
    let dev =
        Just(json!({"destination": "dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}));
    let own = select(&["/tmp", "/a/b", "/sys", "/sys/fs/cgroup", "/dev/shm", "/etc/hosts"][..])
        .prop_flat_map(mount);
    let all = (option::of(proc), option::of(dev), vec(own, 0..6));
    all.prop_map(|(proc, dev, own)| proc.into_iter().chain(dev).chain(own).collect())
}

/// New, joined or the host's, for each kind.
fn namespaces() -> impl Strategy<Value = Vec<(&'static str, bool)>> {
    let optional = ["pid", "network", "ipc", "uts", "user", "cgroup", "time"];
    let chosen = subsequence(optional.to_vec(), 0..=optional.len());
    let own_mounts = option::weighted(0.9, Just(("mount", false)));
    (own_mounts, chosen, vec(proptest::prelude::any::<bool>(), 7))
        .prop_map(|(mounts, kinds, joined)| mounts.into_iter().chain(kinds.into_iter().zip(joined)).collect())
}

fn devices() -> impl Strategy<Value = Vec<Value>> {
    let device =
        (select(&["c", "b", "u", "p"][..]), 0..4096_u32, 0..1_048_576_u32, maybe(0..=0o777_u32), id());
    let paths = subsequence(vec!["/dev/fuse", "/dev/null", "/srv/tty"], 0..=3);
    (paths, vec(device, 3)).prop_map(|(paths, devices)| {
        let with_path = |(path, (kind, major, minor, mode, uid)): (&str, _)| {
            let (kind, major, minor): (&str, u32, u32) = (kind, major, minor);
            object(vec![
                ("path", Some(path.into())),
                ("type", Some(kind.into())),
                ("major", Some(major.into())),
                ("minor", Some(minor.into())),
                ("fileMode", mode),
                ("uid", Some(u32::into(uid))),
            ])
        };
        paths.into_iter().zip(devices).map(with_path).collect()
    })
}

fn resources() -> impl Strategy<Value = Value> {
    let bytes = || prop_oneof![Just(-1_i64), 4096..1_i64 << 40];
    let memory = (maybe(bytes()), maybe(bytes()), option::weighted(0.1, (0..=100_u64).prop_map(Value::from)));
    let memory = memory.prop_map(|(limit, reservation, swappiness)| {
        object(vec![("limit", limit), ("reservation", reservation), ("swappiness", swappiness)])
    });
    let cpu = (maybe(2..262_144_u64), maybe(1000..1_000_000_i64), maybe(Just("0-1")), maybe(0..=1_i64));
    let cpu = cpu.prop_map(|(shares, quota, cpus, idle)| {
        object(vec![("shares", shares), ("quota", quota), ("cpus", cpus), ("idle", idle)])
    });
    let rule = (
        proptest::prelude::any::<bool>(),
        select(&["a", "b", "c"][..]),
        maybe(0..300_i64),
        select(&["r", "rw", "rwm"][..]),
    );
    let rule = rule.prop_map(|(allow, kind, major, access)| {
        let major = major.filter(|_| kind != "a");
        let access = if kind == "a" { "rwm" } else { access };
        object(vec![
            ("allow", Some(allow.into())),
            ("type", Some(kind.into())),
            ("major", major),
            ("access", Some(access.into())),
        ])
    });
    let pids = (-1..1000_i64).prop_map(|limit| json!({"limit": limit}));
    let all = (maybe(memory), maybe(cpu), maybe(pids), maybe(vec(rule, 0..4)));
    all.prop_map(|(memory, cpu, pids, devices)| {
        object(vec![("memory", memory), ("cpu", cpu), ("pids", pids), ("devices", devices)])
    })
}

fn seccomp() -> impl Strategy<Value = Value> {
    let action =
        || select(&["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_LOG", "SCMP_ACT_KILL_PROCESS"][..]);
    let operator = select(libcontainer::seccomp::OPERATORS);
    let condition = (0..6_u32, proptest::prelude::any::<u64>(), proptest::prelude::any::<u64>(), operator)
        .prop_map(
            |(index, value, two, op)| json!({"index": index, "value": value, "valueTwo": two, "op": op}),
        );
    let names = subsequence(vec!["mknod", "clone", "socket", "personality", "no_such_call"], 1..=3);
    let rule = (names, action(), vec(condition, 0..3))
        .prop_map(|(names, action, args)| json!({"names": names, "action": action, "args": args}));
    (action(), vec(rule, 0..4), words(libcontainer::seccomp::KNOWN_FLAGS, 4)).prop_map(
        |(default, rules, flags)| json!({"defaultAction": default, "syscalls": rules, "flags": flags}),
    )
}

fn intel_rdt() -> impl Strategy<Value = Value> {
    let lines = (maybe(Just("L3:0=7f0")), maybe(Just("MB:0=20")), maybe(vec("L2:[0-9]=f", 0..3)));
    (maybe(select(&["", "/", "guaranteed"][..])), lines, maybe(proptest::prelude::any::<bool>())).prop_map(
        |(class, (cache, memory, schemata), monitoring)| {
            object(vec![
                ("closID", class),
                ("l3CacheSchema", cache),
                ("memBwSchema", memory),
                ("schemata", schemata),
                ("enableMonitoring", monitoring),
            ])
        },
    )
}

fn hidden() -> impl Strategy<Value = Value> {
    words(&["/proc/kcore", "/proc/sys", "/sys/firmware", "/etc/secret"], 4)
}

fn personality() -> impl Strategy<Value = Value> {
    select(&["LINUX", "LINUX32"][..]).prop_map(|domain| json!({"domain": domain}))
}

fn memory_policy() -> impl Strategy<Value = Value> {
    let nodes = select(&["0", "0-1,70", "1500-1600"][..]);
    (select(known::MEMORY_POLICY_MODES), nodes).prop_map(|(mode, nodes)| match mode {
        "MPOL_DEFAULT" | "MPOL_LOCAL" => json!({"mode": mode}),
        _ => json!({"mode": mode, "nodes": nodes, "flags": ["MPOL_F_STATIC_NODES"]}),
    })
}

/// Everything of `/linux` but what depends on the namespaces.
fn linux() -> impl Strategy<Value = Value> {
    let propagation = ["private", "rshared", "slave", "runbindable", "shared"];
    let cgroup = select(&["", "/a/web", "web", "/a/../b", "a:b:c"][..]);
    let first = (maybe(devices()), maybe(resources()), maybe(seccomp()), hidden(), hidden());
    let intel_rdt = option::weighted(0.2, intel_rdt());
    let places = (maybe(personality()), maybe(memory_policy()));
    (first, maybe(select(propagation.to_vec())), maybe(cgroup), intel_rdt, places).prop_map(
        |(first, propagation, cgroups_path, intel_rdt, (personality, memory_policy))| {
            let (devices, resources, seccomp, masked, read_only) = first;
            object(vec![
                ("devices", devices),
                ("resources", resources),
                ("seccomp", seccomp),
                ("maskedPaths", Some(masked)),
                ("readonlyPaths", Some(read_only)),
                ("rootfsPropagation", propagation),
                ("cgroupsPath", cgroups_path),
                ("intelRdt", intel_rdt),
                ("personality", personality),
                ("memoryPolicy", memory_policy),
            ])
        },
    )
}

/// What only a container with these namespaces may have.
fn fit_namespaces(document: &mut Value, namespaces: &[(&str, bool)], name: &str) {
    let list = namespaces.iter().map(|(kind, joined)| match joined {
        true => json!({"type": kind, "path": format!("/proc/1/ns/{kind}")}),
        false => json!({"type": kind}),
    });
    document["linux"]["namespaces"] = list.collect();
    let has = |kind: &str| namespaces.iter().any(|(own, _)| *own == kind);
    if namespaces.contains(&("user", false)) {
        let ids = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
        document["linux"]["uidMappings"] = ids.clone();
        document["linux"]["gidMappings"] = ids;
    }
    if namespaces.contains(&("time", false)) && name.len() > 3 {
        document["linux"]["timeOffsets"] = json!({"monotonic": {"secs": 7}, "boottime": {"nanosecs": 9}});
    }
    if has("uts") {
        document["hostname"] = name.into();
        document["domainname"] = name.into();
    }
    let parameters =
        [("network", "net.ipv4.ip_forward"), ("ipc", "kernel.sem"), ("user", "user/max_user_namespaces")];
    let allowed = parameters.iter().filter(|(kind, _)| has(kind));
    document["linux"]["sysctl"] = allowed.map(|(_, key)| ((*key).to_owned(), Value::from("1"))).collect();
}

/// Any valid configuration.
pub(crate) fn any() -> impl Strategy<Value = Value> {
    let top = (maybe(process()), mounts(), hooks(), annotations(), "[a-z]{0,8}");
    (top, linux(), namespaces()).prop_map(
        |((process, mounts, hooks, annotations, name), linux, namespaces)| {
            let mut document = least();
            document["root"]["readonly"] = (name.len() % 2 == 0).into();
            document["mounts"] = mounts.into();
            document["hooks"] = hooks;
            document["annotations"] = annotations;
            document["linux"] = linux;
            if let Some(process) = process {
                document["process"] = process;
            }
            fit_namespaces(&mut document, &namespaces, &name);
            document
        },
    )
}

fn hooks() -> impl Strategy<Value = Value> {
    let hook = (maybe(vec("[ -~]{0,3}", 0..3)), maybe(vec("[A-C]=[ -~]{0,3}", 0..3)), maybe(1..100_u32));
    let hook = hook.prop_map(|(args, env, timeout)| {
        object(vec![("path", Some("/bin/hook".into())), ("args", args), ("env", env), ("timeout", timeout)])
    });
    let kinds = subsequence(known::HOOKS.to_vec(), 0..=known::HOOKS.len());
    (kinds, vec(hook, 0..3)).prop_map(|(kinds, hooks)| {
        kinds.into_iter().map(|kind| (kind.to_owned(), Value::from(hooks.clone()))).collect()
    })
}

fn annotations() -> impl Strategy<Value = Value> {
    vec(("[a-z.]{1,6}", ".{0,4}"), 0..3)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key, Value::from(value))).collect())
}

/// Values at the edges of what any field can be.
pub(crate) fn odd_value() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 10] = ["", "/", "..", "r", "rw", "user", "=", "/proc/..", "bind", "SCMP_ACT_KILL"];
    prop_oneof![
        Just(Value::Null),
        proptest::prelude::any::<bool>().prop_map(Value::from),
        proptest::prelude::any::<i64>().prop_map(Value::from),
        proptest::prelude::any::<u64>().prop_map(Value::from),
        (0_u64..3).prop_map(Value::from),
        select(WORDS.to_vec()).prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ]
}
