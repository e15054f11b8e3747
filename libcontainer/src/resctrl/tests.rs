//! Against a folder that looks like the root of the file system. The kernel's files in groups go with their groups;
//! here the tests take them away.

use std::fs;
use std::path::Path;

use super::*;
use crate::Error;

fn tree() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    for folder in ["info", "mon_groups", "gold/mon_groups"] {
        fs::create_dir_all(tree.path().join(folder)).unwrap();
    }
    fs::write(tree.path().join("info/last_cmd_status"), "ok\n").unwrap();
    fs::write(tree.path().join("schemata"), "L3:0=fffff\n").unwrap();
    fs::write(tree.path().join("gold/schemata"), "L3:0=000ff\n").unwrap();
    tree
}

fn group(path: PathBuf) -> Group {
    Group { path, schemata: vec!["L3:0=f".into(), "MB:0=20".into()], own: true }
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_mount_is_found() {
    let mounts = b"22 1 0:20 / /proc rw - proc proc rw\n\
        40 22 0:9 / /sys/fs/res\\040ctrl rw,relatime shared:7 - resctrl resctrl rw,mba_MBps\n";
    assert_eq!(find(mounts), Some("/sys/fs/res ctrl".into()));
    assert_eq!(find(b"22 1 0:20 / /resctrl rw - proc resctrl rw\n"), None);
    assert_eq!(find(b" - resctrl \n\n"), None);
}

#[test]
fn a_look_tells_of_the_class_and_of_monitoring() {
    let tree = tree();
    let root = tree.path().to_path_buf();
    let class = |name| look(root.clone(), name).unwrap().class;
    assert_eq!(class(None), None);
    assert_eq!(class(Some("silver")), None);
    assert_eq!(class(Some("gold")).as_deref(), Some("L3:0=000ff\n"));
    assert_eq!(class(Some("/")).as_deref(), Some("L3:0=fffff\n"));
    assert!(look(root.clone(), None).unwrap().monitoring);
    fs::remove_dir(root.join("mon_groups")).unwrap();
    assert!(!look(root, None).unwrap().monitoring);
}

#[test]
fn a_group_is_made_joined_and_removed() {
    let tree = tree();
    let group = group(tree.path().join("web"));
    create(&group).unwrap();
    assert_eq!(read(group.path.join("schemata")), "L3:0=f\nMB:0=20\n");
    let monitored = Group { path: tree.path().join("mon_groups/web"), schemata: Vec::new(), own: true };
    create(&monitored).unwrap();
    assert!(!monitored.path.join("schemata").exists());
    let groups = [group.path, monitored.path];
    join(&groups, 4711).unwrap();
    for group in &groups {
        assert_eq!(read(group.join("tasks")), "4711");
        fs::remove_file(group.join("tasks")).unwrap();
    }
    fs::remove_file(groups[0].join("schemata")).unwrap();
    remove(&groups).unwrap();
    assert!(groups.iter().all(|group| !group.exists()));
    remove(&groups).unwrap();
}

#[test]
fn a_group_inside_another_goes_first() {
    let tree = tree();
    let outer = tree.path().join("outer");
    let inner = outer.join("inner");
    for path in [&outer, &inner] {
        create(&Group { path: path.clone(), schemata: Vec::new(), own: true }).unwrap();
    }
    remove(&[outer.clone(), inner]).unwrap();
    assert!(!outer.exists());
}

#[test]
fn a_name_that_is_taken_is_an_error_and_stays() {
    let tree = tree();
    let error = create(&group(tree.path().join("gold"))).unwrap_err();
    assert!(error.to_string().contains("EEXIST"), "{error}");
    assert_eq!(read(tree.path().join("gold/schemata")), "L3:0=000ff\n");
}

#[test]
fn errors_have_the_kernels_words() {
    let tree = tree();
    fs::write(tree.path().join("info/last_cmd_status"), "Out of CLOSIDs\n").unwrap();
    let error: Error = join(&[tree.path().join("silver")], 1).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("silver/tasks (the kernel says: Out of CLOSIDs): ENOENT"), "{text}");
}
