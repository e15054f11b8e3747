//! `exec --cgroup`: a program in a cgroup below the container's.

use std::fs;
use std::path::PathBuf;

use integration::harness::*;
use integration::skip;

use super::{end, exec};

/// The container's cgroup in the hierarchy of `controller`, or the only one.
fn cgroup(sandbox: &Sandbox, host: Host, controller: &str) -> PathBuf {
    let hierarchy = host.hierarchy(controller);
    let mut all = cgroups_named(sandbox.id()).into_iter();
    let found = all.find(|path| hierarchy.as_ref().is_none_or(|hierarchy| path.starts_with(hierarchy)));
    found.expect("the container has a cgroup")
}

/// What the program sees as its cgroup in the hierarchies named `names`.
#[track_caller]
fn seen(sandbox: &Sandbox, options: &[&str], names: &[&str]) -> Vec<String> {
    let report = Report::parse(&exec(sandbox, options, &["report"]).success().stdout());
    names.iter().map(|name| report["cgroups"][name].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_program_runs_in_a_cgroup_below_the_container_s() {
    let sandbox = Sandbox::on(Host::V2);
    let container = sandbox.started(&["pause"], |_| {});
    let own = seen(&sandbox, &[], &[""]).remove(0);
    fs::create_dir_all(cgroup(&sandbox, Host::V2, "").join("sub/below")).unwrap();
    for (option, end) in [("sub", "sub"), ("/sub/below", "sub/below"), ("/", "")] {
        let expected = format!("{}/{end}", own.trim_end_matches('/'));
        let seen = seen(&sandbox, &["--cgroup", option], &[""]).remove(0);
        assert_eq!(seen.trim_end_matches('/'), expected.trim_end_matches('/'), "{option}");
    }
    end(container);
}

#[test]
fn each_v1_controller_may_have_a_cgroup_of_its_own() {
    let host = Host::Native;
    let names = ["pids", "freezer", "devices", "memory"];
    if !host.has_v1() || names.iter().any(|name| host.hierarchy(name).is_none()) {
        skip!("needs the v1 hierarchies {names:?}");
    }
    let sandbox = Sandbox::on(host);
    let container = sandbox.started(&["pause"], |_| {});
    let own = seen(&sandbox, &[], &names);
    for (controller, sub) in [("pids", "sub"), ("freezer", "sub"), ("devices", "other/below")] {
        fs::create_dir_all(cgroup(&sandbox, host, controller).join(sub)).unwrap();
    }
    let options = ["--cgroup", "pids,freezer:sub", "--cgroup", "devices:/other/below"];
    let seen = seen(&sandbox, &options, &names);
    let expected = [
        format!("{}/sub", own[0]),
        format!("{}/sub", own[1]),
        format!("{}/other/below", own[2]),
        own[3].clone(),
    ];
    assert_eq!(seen, expected);
    end(container);
}

/// Each is an error of its own, and nothing is executed.
#[track_caller]
fn refused(host: Host, cases: &[(&[&str], &str)]) {
    let sandbox = Sandbox::on(host);
    let container = sandbox.started(&["pause"], |_| {});
    for (values, text) in cases {
        let options: Vec<&str> = values.iter().flat_map(|value| ["--cgroup", value]).collect();
        let output = exec(&sandbox, &options, &["report"]);
        let error = output.stderr();
        assert_eq!((output.code(), output.stdout().as_str()), (255, ""), "{values:?}: {error}");
        assert!(!runtime().is_ours() || error.contains(text), "{values:?}: {error}");
    }
    end(container);
}

#[test]
fn a_cgroup_that_is_not_there_or_not_below_is_an_error_that_names_it() {
    refused(
        Host::V2,
        &[
            (&["../.."], "bad sub cgroup path: ../..: it leads up"),
            (&["sub/../../other"], "bad sub cgroup path: sub/../../other: it leads up"),
            (&["missing"], "missing: ENOENT"),
            (&["memory:sub"], "unknown controller memory"),
            (&["a", "b"], "missing <controller>: prefix"),
        ],
    );
}

#[test]
fn a_cgroup_of_a_v1_controller_that_is_wrong_is_an_error_that_names_it() {
    if !Host::Native.has_v1() {
        skip!("needs cgroup v1");
    }
    refused(
        Host::Native,
        &[
            (&["pids:../.."], "bad sub cgroup path: ../..: it leads up"),
            (&["pids:missing"], "missing: ENOENT"),
            (&["nothing:sub"], "unknown controller nothing"),
            (&["pids:/", "freezer"], "missing <controller>: prefix"),
            (&[":sub"], "empty <controller> prefix"),
            (&["pids:/", "freezer,pids:/"], "more than once"),
        ],
    );
}
