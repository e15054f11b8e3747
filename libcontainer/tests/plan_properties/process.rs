//! The program of a configuration.

use libcontainer::spec::known;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use crate::configs::{maybe, object, words};

pub(crate) fn id() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), 0..70_000_u32, Just(u32::MAX - 1)]
}

fn capabilities() -> impl Strategy<Value = Value> {
    let set = || words(known::capabilities(), 41);
    (set(), set(), set(), set(), set()).prop_map(|(bounding, effective, inheritable, permitted, ambient)| {
        json!({"bounding": bounding, "effective": effective, "inheritable": inheritable,
               "permitted": permitted, "ambient": ambient})
    })
}

fn user() -> impl Strategy<Value = Value> {
    (id(), id(), maybe(0..=0o777_u32), maybe(vec(id(), 0..4))).prop_map(|(uid, gid, umask, groups)| {
        object(vec![
            ("uid", Some(uid.into())),
            ("gid", Some(gid.into())),
            ("umask", umask),
            ("additionalGids", groups),
        ])
    })
}

fn rlimits() -> impl Strategy<Value = Vec<Value>> {
    const NAMES: [&str; 4] = ["RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_NPROC"];
    let values = vec((any::<u32>(), any::<u32>()), NAMES.len());
    (subsequence(NAMES.to_vec(), 0..=NAMES.len()), values).prop_map(|(names, values)| {
        let limit = |(name, (one, other)): (&str, (u32, u32))| {
            json!({"type": name, "soft": one.min(other), "hard": one.max(other)})
        };
        names.into_iter().zip(values).map(limit).collect()
    })
}

fn scheduler() -> impl Strategy<Value = Value> {
    let flags = || words(&["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_KEEP_PARAMS"], 2);
    prop_oneof![
        (select(&["SCHED_OTHER", "SCHED_BATCH", "SCHED_IDLE"][..]), -20..=19_i32, flags())
            .prop_map(|(policy, nice, flags)| json!({"policy": policy, "nice": nice, "flags": flags})),
        (select(&["SCHED_FIFO", "SCHED_RR"][..]), 1..=99_u32)
            .prop_map(|(policy, priority)| json!({"policy": policy, "priority": priority})),
        (1024..=1_000_000_u64, 1_000_000..=2_000_000_u64).prop_map(|(runtime, deadline)| {
            json!({"policy": "SCHED_DEADLINE", "runtime": runtime, "deadline": deadline})
        }),
    ]
}

fn io_priority() -> impl Strategy<Value = Value> {
    let class = select(&["IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"][..]);
    (class, 0..=7_u32).prop_map(|(class, priority)| json!({"class": class, "priority": priority}))
}

pub(crate) fn process() -> impl Strategy<Value = Value> {
    let size =
        (any::<u16>(), any::<u16>()).prop_map(|(height, width)| json!({"height": height, "width": width}));
    let first =
        (any::<bool>(), maybe(size), user(), vec("[a-z/]{1,8}", 1..4), vec("[A-Z]{1,4}=[a-z]{0,4}", 0..4));
    let second =
        (select(&["/", "/work/here"][..]), maybe(capabilities()), maybe(rlimits()), maybe(any::<bool>()));
    let third = (maybe("[a-z]{1,8}"), maybe("[a-z:]{1,8}"), maybe(-1000..=1000_i32));
    let fourth = (maybe(scheduler()), maybe(io_priority()), maybe(Just(json!({"initial": "0-3,2000"}))));
    (first, second, third, fourth).prop_map(|(first, second, third, fourth)| {
        let (terminal, size, user, args, env) = first;
        let (cwd, capabilities, rlimits, no_new_privileges) = second;
        let (apparmor, selinux, score) = third;
        let (scheduler, io_priority, affinity) = fourth;
        object(vec![
            ("terminal", Some(terminal.into())),
            ("consoleSize", size),
            ("user", Some(user)),
            ("args", Some(args.into())),
            ("env", Some(env.into())),
            ("cwd", Some(cwd.into())),
            ("capabilities", capabilities),
            ("rlimits", rlimits),
            ("noNewPrivileges", no_new_privileges),
            ("apparmorProfile", apparmor),
            ("selinuxLabel", selinux),
            ("oomScoreAdj", score),
            ("scheduler", scheduler),
            ("ioPriority", io_priority),
            ("execCPUAffinity", affinity),
        ])
    })
}
