//! Places where a cgroup cannot be made as usual.

use std::fs;

use super::*;
use crate::cgroup::host_tests::{Place, SOON, unified, waiting};
use crate::cgroup::kill_all;

/// A place two levels below a cgroup of the test's own in the unified hierarchy, and a controller that can be had there.
fn nested(name: &str) -> Option<(Place, PathBuf, String)> {
    let mut place = Place::of(name, unified)?;
    let offered =
        place.layout.v2.as_ref().and_then(|unified| unified.controllers.clone()).unwrap_or_default();
    let top = place.dirs().first()?.clone();
    fs::create_dir(&top).unwrap();
    // What the hierarchy gives to its first level.
    let given = fs::read_to_string(top.join("cgroup.controllers")).unwrap();
    let Some(controller) =
        offered.into_iter().find(|name| given.split_whitespace().any(|given| given == name))
    else {
        println!("skipped: the unified hierarchy gives no controller to its cgroups");
        fs::remove_dir(&top).unwrap();
        return None;
    };
    place.placement.groups[0].path.push_str("/inner");
    Some((place, top, controller))
}

#[test]
fn below_a_busy_cgroup_what_is_needed_is_an_error_and_what_is_offered_is_not() {
    let Some((place, top, controller)) = nested("busy-parent") else { return };
    let mut child = waiting("read x");
    fs::write(top.join("cgroup.procs"), child.id().to_string()).unwrap();
    let needed = Controllers { needed: vec![controller.clone()], offered: Vec::new() };
    let error = create(&place.placement, &needed).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::BUSY), "{error}");
    assert!(error.to_string().contains("it has processes of its own"), "{error}");
    assert!(!place.dirs()[0].exists(), "nothing is left");
    let offered = Controllers { needed: Vec::new(), offered: vec![controller] };
    create(&place.placement, &offered).unwrap().undo().unwrap();
    kill_all(std::slice::from_ref(&top), SOON).unwrap();
    child.wait().unwrap();
    remove(&[top], SOON).unwrap();
}

#[test]
fn below_a_threaded_cgroup_none_is_made() {
    let Some((place, top, _)) = nested("threaded-parent") else { return };
    fs::create_dir(top.join("threads")).unwrap();
    fs::write(top.join("threads/cgroup.type"), "threaded").unwrap();
    let error = create(&place.placement, &Controllers::default()).unwrap_err();
    assert!(error.to_string().contains("below a threaded cgroup and takes no processes"), "{error}");
    assert!(!place.dirs()[0].exists(), "nothing is left");
    remove(&[top], SOON).unwrap();
}

#[test]
fn controllers_are_enabled_at_every_level_and_only_once() {
    let Some((place, top, controller)) = nested("levels") else { return };
    let offered = Controllers { needed: Vec::new(), offered: vec![controller.clone()] };
    for _ in 0..2 {
        let created = create(&place.placement, &offered).unwrap();
        let enabled = fs::read_to_string(place.dirs()[0].join("cgroup.controllers")).unwrap();
        assert!(enabled.split_whitespace().any(|name| name == controller), "{enabled}");
        created.undo().unwrap();
    }
    remove(&[top], SOON).unwrap();
}
