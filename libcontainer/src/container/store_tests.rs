use std::sync::Barrier;

use super::*;
use crate::container::record::tests::stored;

fn id(name: &str) -> ContainerId {
    ContainerId::new(name).unwrap()
}

fn root() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn found(folder: &Folder) -> Stored {
    match folder.read().unwrap() {
        Reading::Found(stored) => *stored,
        other => panic!("{other:?}"),
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn of_sixteen_racing_creates_one_wins_and_the_others_are_told() {
    let root = root();
    let below = root.path().join("made/on/demand");
    let start = Barrier::new(16);
    let results: Vec<_> = std::thread::scope(|scope| {
        let race = || {
            start.wait();
            claim(&below, &id("web"))
        };
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(race)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (winners, losers): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(winners.len(), 1);
    for loser in losers {
        let error = loser.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Exists);
        assert_eq!(error.to_string(), "container with given ID already exists: web");
    }
    assert_eq!(mode(&below) & 0o066, 0, "others may only pass");
    assert_eq!(mode(&below.join("web")), 0o700);
}

#[test]
fn what_is_saved_is_read_and_removed() {
    let root = root();
    let claim = claim(root.path(), &id("web")).unwrap();
    assert!(matches!(claim.folder().read().unwrap(), Reading::Missing));
    let record = stored("web");
    claim.save(&record).unwrap();
    assert_eq!(mode(&root.path().join("web/state.json")), 0o600);
    let folder = Folder::open(root.path(), &id("web")).unwrap();
    assert_eq!(found(&folder), record);
    claim.remove().unwrap();
    let error = Folder::open(root.path(), &id("web")).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NotFound);
    assert_eq!(error.to_string(), "container does not exist: web");
}

#[test]
fn a_writer_killed_half_way_is_invisible_and_leaves_nothing_behind() {
    let root = root();
    let claim = claim(root.path(), &id("web")).unwrap();
    let record = stored("web");
    claim.save(&record).unwrap();
    std::fs::write(root.path().join("web/.state.json.tmp"), b"{\"version\":1,\"id\":\"w").unwrap();
    assert_eq!(found(claim.folder()), record);
    claim.remove().unwrap();
    assert!(!root.path().join("web").exists());
}

#[test]
fn a_corrupt_or_endless_record_is_an_error_that_names_it() {
    let root = root();
    let claim = claim(root.path(), &id("web")).unwrap();
    let path = root.path().join("web/state.json");
    std::fs::write(&path, b"{\"version\":1").unwrap();
    let Reading::Corrupt(error) = claim.folder().read().unwrap() else { panic!("read half a record") };
    assert!(error.to_string().contains("web/state.json: state.json is corrupt"), "{error}");
    File::create(&path).unwrap().set_len(STATE_LIMIT as u64 + 1).unwrap();
    let error = claim.folder().read().unwrap_err().to_string();
    assert!(error.ends_with("web/state.json: EFBIG: file too large"), "{error}");
    claim.remove().unwrap();
}

#[test]
fn a_link_in_place_of_the_folder_is_not_followed() {
    let root = root();
    std::fs::create_dir(root.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", root.path().join("web")).unwrap();
    let error = Folder::open(root.path(), &id("web")).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Os);
    assert_eq!(claim(root.path(), &id("web")).unwrap_err().kind(), &ErrorKind::Exists);
}

#[test]
fn a_lock_excludes_until_it_is_dropped() {
    let root = root();
    let held = claim(root.path(), &id("web")).unwrap();
    let open = || Folder::open(root.path(), &id("web")).unwrap();
    assert!(open().is_locked().unwrap());
    let error = open().lock(Duration::from_millis(1)).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Busy);
    drop(held);
    // The thread of the attempt above may get the lock for a moment; waiting gets past it.
    open().lock(PATIENCE).unwrap();
}

#[test]
fn asking_for_the_lock_neither_takes_nor_loses_it() {
    let root = root();
    let held = claim(root.path(), &id("web")).unwrap();
    assert!(held.folder().is_locked().unwrap());
    assert!(held.folder().is_locked().unwrap());
    drop(held);
    let folder = Folder::open(root.path(), &id("web")).unwrap();
    assert!(!folder.is_locked().unwrap());
    assert!(!folder.is_locked().unwrap());
}

#[test]
fn who_waits_for_the_lock_of_a_container_being_deleted_is_told_that_it_is_gone() {
    let root = root();
    let held = claim(root.path(), &id("web")).unwrap();
    let waiting = Folder::open(root.path(), &id("web")).unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| waiting.lock(PATIENCE));
        held.remove().unwrap();
        // Even when the name has been taken again: that is another container.
        let _next = claim(root.path(), &id("web")).unwrap();
        assert_eq!(waiter.join().unwrap().unwrap_err().kind(), &ErrorKind::NotFound);
    });
}

#[test]
fn names_are_listed_sorted_and_what_is_no_container_s_name_is_left_out() {
    let root = root();
    for name in ["b", "a", "c d"] {
        std::fs::create_dir(root.path().join(name)).unwrap();
    }
    assert_eq!(ids(root.path()).unwrap(), [id("a"), id("b")]);
    assert_eq!(ids(&root.path().join("missing")).unwrap(), []);
}
