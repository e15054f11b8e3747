use super::super::bus::fake::{Call, Fake, job, job_removed, refuse, reply};
use super::*;
use crate::cgroup::systemd::Value;

fn manager_of(fake: &Fake, on_bus: bool) -> Manager {
    Manager::connect_to(&[(fake.socket(), on_bus)], false).unwrap()
}

fn unit() -> Unit {
    Unit::of(Some("a.slice:p:x"), "x", false).unwrap()
}

fn wanted() -> Vec<Property> {
    vec![
        Property::new("MemoryMax", 5u64).because_of("/linux/resources/memory/limit"),
        Property::new("Delegate", true),
    ]
}

/// What a systemd does in which everything goes well.
fn well(call: &Call) -> Vec<u8> {
    match call.name.as_str() {
        "StartTransientUnit" | "StopUnit" => {
            [reply(call, vec![job(7)]), job_removed(7, "done", None)].concat()
        }
        _ => reply(call, Vec::new()),
    }
}

#[test]
fn a_scope_is_started_with_its_process_slice_and_properties() {
    let (sent, arguments) = std::sync::mpsc::channel();
    let fake = Fake::new(move |call| {
        sent.send(call.arguments.iter().map(|value| value.try_clone().unwrap()).collect::<Vec<_>>()).unwrap();
        well(call)
    });
    manager_of(&fake, false).start(&unit(), 42, &wanted()).unwrap();
    assert_eq!(fake.calls(), ["StartTransientUnit"]);
    let arguments = arguments.recv().unwrap();
    let value = |value: Value| variant(&value).unwrap().try_to_owned().unwrap();
    let pids = Value::Array(crate::cgroup::systemd::Type::U32, vec![Value::U32(42)]);
    let expected = [
        ("Slice", value("a.slice".into())),
        ("PIDs", value(pids)),
        ("MemoryMax", value(5u64.into())),
        ("Delegate", value(true.into())),
    ];
    let expected = expected.into_iter().map(|(name, value)| pair(name, value.into()));
    assert_eq!(arguments[0], Variant::from("p-x.scope"));
    assert_eq!(arguments[1], Variant::from("replace"));
    assert_eq!(arguments[2], list("(sv)", expected).unwrap());
}

#[test]
fn on_a_bus_jobs_are_subscribed_to_before_the_first_and_only_systemd_is_believed() {
    let fake = Fake::new(|call| match call.name.as_str() {
        "StartTransientUnit" => [
            job_removed(7, "failed", Some(":1.99")),
            reply(call, vec![job(7)]),
            job_removed(6, "failed", None),
            job_removed(7, "done", None),
        ]
        .concat(),
        _ => well(call),
    });
    let mut manager = manager_of(&fake, true);
    manager.start(&unit(), 42, &[]).unwrap();
    manager.stop(&unit()).unwrap();
    let calls = ["Hello", "AddMatch", "Subscribe", "StartTransientUnit", "StopUnit", "ResetFailedUnit"];
    assert_eq!(fake.calls(), calls);
}

#[test]
fn a_job_that_is_over_before_the_answer_counts() {
    let fake = Fake::new(|call| match call.name.as_str() {
        "StartTransientUnit" => [job_removed(7, "done", None), reply(call, vec![job(7)])].concat(),
        _ => well(call),
    });
    manager_of(&fake, false).start(&unit(), 42, &[]).unwrap();
}

#[test]
fn a_job_that_fails_is_an_error_and_the_unit_is_forgotten() {
    for result in ["failed", "timeout", "canceled", "dependency", "skipped"] {
        let fake = Fake::new(move |call| match call.name.as_str() {
            "StartTransientUnit" => [reply(call, vec![job(7)]), job_removed(7, result, None)].concat(),
            _ => well(call),
        });
        let error = manager_of(&fake, false).start(&unit(), 42, &[]).unwrap_err();
        let words = format!("systemd: start p-x.scope: the job ended with {result:?} instead of \"done\"");
        assert_eq!(error.to_string(), words);
        assert_eq!(fake.calls(), ["StartTransientUnit", "ResetFailedUnit"]);
    }
}

#[test]
fn a_unit_that_failed_makes_way_and_one_that_runs_does_not() {
    let mut tries = 0;
    let fake = Fake::new(move |call| match call.name.as_str() {
        "StartTransientUnit" if std::mem::replace(&mut tries, 1) == 0 => refuse(call, EXISTS, "it exists"),
        _ => well(call),
    });
    manager_of(&fake, false).start(&unit(), 42, &[]).unwrap();
    assert_eq!(fake.calls(), ["StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"]);

    let fake = Fake::new(|call| match call.name.as_str() {
        "StartTransientUnit" => refuse(call, EXISTS, "it exists"),
        _ => refuse(call, NO_SUCH_UNIT, "it has not failed"),
    });
    let error = manager_of(&fake, false).start(&unit(), 42, &[]).unwrap_err();
    assert_eq!(error.to_string(), format!("systemd: start p-x.scope: it exists ({EXISTS})"));
    assert_eq!(fake.calls(), ["StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"]);
}

#[test]
fn what_systemd_refuses_is_told_by_the_value_that_it_comes_from() {
    let error = "org.freedesktop.DBus.Error.InvalidArgs";
    let fake = Fake::new(move |call| refuse(call, error, "MemoryMax= is out of range"));
    let mut manager = manager_of(&fake, false);
    let refused = manager.start(&unit(), 42, &wanted()).unwrap_err();
    let words = "/linux/resources/memory/limit: systemd: start p-x.scope: MemoryMax= is out of range \
                 (org.freedesktop.DBus.Error.InvalidArgs)";
    assert_eq!(refused.to_string(), words);
    let refused = manager.set(&unit(), &wanted()).unwrap_err();
    assert_eq!(refused.pointer(), Some("/linux/resources/memory/limit"));
}

#[test]
fn a_unit_that_is_not_there_is_stopped() {
    let fake = Fake::new(|call| refuse(call, NO_SUCH_UNIT, "Unit p-x.scope not loaded."));
    manager_of(&fake, false).stop(&unit()).unwrap();
    let fake = Fake::new(|call| refuse(call, "org.freedesktop.DBus.Error.AccessDenied", "no"));
    assert!(manager_of(&fake, false).stop(&unit()).is_err());
}

#[test]
fn nothing_to_set_is_not_said() {
    let fake = Fake::new(well);
    let mut manager = manager_of(&fake, false);
    manager.set(&unit(), &[]).unwrap();
    manager.set(&unit(), &wanted()).unwrap();
    assert_eq!(fake.calls(), ["SetUnitProperties"]);
}

#[test]
fn an_answer_of_another_form_is_an_error() {
    let answers: [fn(&Call) -> Vec<u8>; 3] = [
        |call| reply(call, Vec::new()),
        |call| reply(call, vec!["/org/x".into()]),
        |call| reply(call, vec![Variant::U32(7)]),
    ];
    for answer in answers {
        let fake = Fake::new(answer);
        let mut manager = manager_of(&fake, false);
        assert!(manager.start(&unit(), 1, &[]).is_err());
        assert!(manager.stop(&unit()).is_err());
        assert!(manager.facts(true).is_err());
    }
}

#[test]
fn the_version_is_a_number_and_a_user_s_systemd_has_a_cgroup() {
    let fake = |version: &'static str| {
        Fake::new(move |call| {
            let value = match &call.arguments[1] {
                Variant::Str(name) if name.as_str() == "Version" => version,
                _ => "/user.slice/user@7.service",
            };
            reply(call, vec![Variant::Variant(Box::new(value.into()))])
        })
    };
    for (version, number) in [("252.38-1~deb12u1", 252), ("v255.4", 255), ("257", 257), ("257~rc1", 257)] {
        let facts = manager_of(&fake(version), false).facts(false).unwrap();
        assert_eq!(facts, Systemd { version: number, user: false, control_group: String::new() });
    }
    let facts = manager_of(&fake("252"), false).facts(true).unwrap();
    assert_eq!(facts.control_group, "/user.slice/user@7.service");
    let error = manager_of(&fake("beta"), false).facts(false).unwrap_err();
    assert_eq!(error.to_string(), "systemd: Version: \"beta\" is no version");
}

#[test]
fn systemd_is_looked_for_where_it_is() {
    let path = |path: &str| Socket::Path(path.into());
    let nothing = |_: &str| None;
    assert_eq!(
        places(false, nothing),
        [(path("/run/systemd/private"), false), (path("/run/dbus/system_bus_socket"), true)]
    );
    let set = |name: &str| match name {
        "DBUS_SYSTEM_BUS_ADDRESS" => Some("unix:path=/system".to_owned()),
        "DBUS_SESSION_BUS_ADDRESS" => Some("tcp:host=x;unix:path=/session".to_owned()),
        _ => None,
    };
    assert_eq!(places(false, set), [(path("/system"), true)]);
    assert_eq!(places(true, set), [(path("/session"), true)]);
    let folder = |name: &str| (name == "XDG_RUNTIME_DIR").then(|| "/run/user/7".to_owned());
    assert_eq!(
        places(true, folder),
        [(path("/run/user/7/systemd/private"), false), (path("/run/user/7/bus"), true)]
    );
}

#[test]
fn without_systemd_the_error_says_where_it_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = |name| (Socket::Path(folder.path().join(name)), true);
    let error = Manager::connect_to(&[nobody("a"), nobody("b")], false).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("systemd cannot be reached, which --systemd-cgroup needs"), "{text}");
    assert!(text.contains("/a: connect: ENOENT") && text.contains("/b: connect: ENOENT"), "{text}");
    assert!(matches!(crate::Error::from(error).kind(), crate::ErrorKind::Unsupported { .. }));
    let error = Manager::connect_to(&[], true).unwrap_err();
    assert!(error.to_string().contains("the systemd of this user cannot be reached"), "{error}");
}

#[test]
fn the_second_place_is_taken_if_nobody_is_at_the_first() {
    let fake = Fake::new(well);
    let folder = tempfile::tempdir().unwrap();
    let nobody = (Socket::Path(folder.path().join("x")), false);
    Manager::connect_to(&[nobody, (fake.socket(), false)], false).unwrap().stop(&unit()).unwrap();
}
