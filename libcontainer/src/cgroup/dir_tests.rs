use std::os::unix::ffi::OsStringExt;

use super::*;

/// What a walk meets, by the last part of its path; what is left with a minus.
fn met(top: &Path) -> Vec<OsString> {
    let mut met = Vec::new();
    walk(top, |step| {
        met.push(match step {
            Step::Cgroup(dir) => dir.path().file_name().unwrap().to_owned(),
            Step::Left(_, name) => [OsStr::new("-"), name].into_iter().collect(),
        });
        Ok(())
    })
    .unwrap();
    met
}

#[test]
fn parents_come_before_what_is_in_them_and_are_left_after_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("top/a/b")).unwrap();
    assert_eq!(met(&folder.path().join("top")), ["top", "a", "b", "-b", "-a"]);
    assert!(met(&folder.path().join("missing")).is_empty());
}

#[test]
fn what_is_removed_during_the_walk_ends_it_for_that_part_alone() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top");
    std::fs::create_dir_all(top.join("a/b/c")).unwrap();
    let mut left = Vec::new();
    walk(&top, |step| {
        match step {
            Step::Cgroup(dir) if dir.path().ends_with("a/b") => {
                std::fs::remove_dir_all(top.join("a/b")).unwrap();
            }
            Step::Left(_, name) => left.push(name.to_owned()),
            Step::Cgroup(_) => {}
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(left, ["b", "a"]);
}

#[test]
fn names_are_bytes_and_paths_have_any_length() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top");
    std::fs::create_dir(&top).unwrap();
    let name = OsString::from_vec([b"\xff".as_slice(), &[b'x'; 200]].concat());
    let mut here = Dir::open(&top).unwrap();
    for _ in 0..40 {
        rustix::fs::mkdirat(&here, &name, Mode::RWXU).unwrap();
        here = here.child_if_exists(&name).unwrap().unwrap();
    }
    assert_eq!(met(&top).len(), 81);
    walk(&top, |step| {
        if let Step::Left(dir, name) = step {
            rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR).unwrap();
        }
        Ok(())
    })
    .unwrap();
    std::fs::remove_dir(&top).unwrap();
}
