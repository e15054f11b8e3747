use super::*;

fn settings() -> Settings {
    Settings { images: "/images".into(), ..Settings::default() }
}

fn options() -> Options {
    Options {
        settings: settings(),
        images: 5,
        log: "dump.log",
        root: "/bundle/rootfs".into(),
        configuration: Some("/etc/criu/runc.conf".into()),
        ..Options::default()
    }
}

#[test]
fn a_dump_with_the_defaults() {
    let request = Request::dump(&Options { pid: Some(77), ..options() }, false);
    let expected = "type: 1 opts { images_dir_fd: 5 log_level: 4 log_file: \"dump.log\" notify_scripts: 1 \
                    root: \"/bundle/rootfs\" manage_cgroups: 1 manage_cgroups_mode: 6 orphan_pts_master: 1 \
                    config_file: \"/etc/criu/runc.conf\" pid: 77 }";
    assert_eq!(request.message.to_string(), expected);
}

#[test]
fn a_dump_with_all_that_can_be_asked_for() {
    let settings = Settings {
        tcp_established: true,
        ext_unix_sockets: true,
        shell_job: true,
        file_locks: true,
        auto_dedup: true,
        lazy_pages: true,
        empty_network: true,
        cgroups_mode: Some(CgroupsMode::Ignore),
        ..settings()
    };
    let options = Options {
        settings,
        work: Some(6),
        mounts: vec![("/data".into(), "/data".into())],
        external: vec!["net[4026531840]:extRootNetNS".into()],
        leave_running: true,
        tcp_skip_in_flight: true,
        link_remap: true,
        freezer: Some("/sys/fs/cgroup/freezer/web".into()),
        parent: Some("../before".into()),
        page_server: Some(PageServer { address: "10.0.0.1".into(), port: 7000 }),
        configuration: None,
        ..options()
    };
    let expected = "type: 4 opts { images_dir_fd: 5 ext_unix_sk: 1 tcp_established: 1 shell_job: 1 file_locks: 1 \
                    log_level: 4 log_file: \"dump.log\" notify_scripts: 1 root: \"/bundle/rootfs\" auto_dedup: 1 \
                    work_dir_fd: 6 ext_mnt { key: \"/data\" val: \"/data\" } manage_cgroups: 1 \
                    manage_cgroups_mode: 0 external: \"net[4026531840]:extRootNetNS\" empty_ns: 1073741824 \
                    lazy_pages: 1 orphan_pts_master: 1 leave_running: 1 ps { address: \"10.0.0.1\" port: 7000 } \
                    parent_img: \"../before\" track_mem: 1 link_remap: 1 \
                    freeze_cgroup: \"/sys/fs/cgroup/freezer/web\" tcp_skip_in_flight: 1 }";
    assert_eq!(Request::dump(&options, true).message.to_string(), expected);
}

#[test]
fn a_restore() {
    let options = Options {
        log: "restore.log",
        root: "/run/web/criu-root".into(),
        mounts: vec![("/data".into(), "/srv".into()), ("/dev/null".into(), "/dev/null".into())],
        inherited: vec![("pipe:[7]".into(), 1), ("extRootNetNS".into(), 9)],
        joined: vec![("ipc", "/proc/1/ns/ipc".into())],
        cgroup_roots: vec![("memory".into(), "/web".into())],
        lsm_profile: Some("apparmor:web".into()),
        lsm_mount_context: Some("system_u:object_r:x:s0".into()),
        // Of a dump, and hence not sent.
        pid: Some(7),
        ..options()
    };
    let expected = "type: 2 opts { images_dir_fd: 5 log_level: 4 log_file: \"restore.log\" notify_scripts: 1 \
                    root: \"/run/web/criu-root\" ext_mnt { key: \"/data\" val: \"/srv\" } \
                    ext_mnt { key: \"/dev/null\" val: \"/dev/null\" } manage_cgroups: 1 manage_cgroups_mode: 6 \
                    orphan_pts_master: 1 config_file: \"/etc/criu/runc.conf\" evasive_devices: 1 \
                    cg_root { ctrl: \"memory\" path: \"/web\" } rst_sibling: 1 \
                    inherit_fd { key: \"pipe:[7]\" fd: 1 } inherit_fd { key: \"extRootNetNS\" fd: 9 } \
                    join_ns { ns: \"ipc\" ns_file: \"/proc/1/ns/ipc\" } lsm_profile: \"apparmor:web\" \
                    lsm_mount_context: \"system_u:object_r:x:s0\" }";
    assert_eq!(Request::restore(&options).message.to_string(), expected);
}

#[test]
fn questions_and_answers() {
    assert_eq!(Request::version().message.encode(), b"\x08\x0a");
    assert_eq!(Request::answer().message.encode(), b"\x08\x06\x18\x01");
    assert_eq!(Request::feature(2, "lazy_pages").message.to_string(), "type: 9 features { lazy_pages: 1 }");
}

#[test]
fn each_mode_has_its_number() {
    let modes = [CgroupsMode::Ignore, CgroupsMode::Soft, CgroupsMode::Full, CgroupsMode::Strict];
    assert_eq!(modes.map(|one| mode(Some(one))), [0, 3, 4, 5]);
}
