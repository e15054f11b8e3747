//! Mounts are found again, and nothing is made outside of the container for them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use integration::harness::*;
use integration::skip;

use super::counter::Counter;

#[test]
fn binds_are_found_again() {
    let counter = Counter::new(Host::Native, need_criu!());
    let [data, inner, file] = ["data", "inner", "file"].map(|name| counter.sandbox.file(name));
    for folder in [&data, &inner] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(Path::new(&data).join("name"), "data").unwrap();
    fs::write(Path::new(&inner).join("name"), "inner").unwrap();
    fs::write(&file, "file").unwrap();
    let rootfs = counter.sandbox.rootfs();
    fs::create_dir_all(rootfs.join("real")).unwrap();
    symlink("real", rootfs.join("link")).unwrap();
    let counter = counter.configure(|config| {
        config.bind(&data, "/data", &["rbind"]);
        config.bind(&inner, "/data/inner", &["bind"]);
        config.bind(&file, "/link/file", &["bind", "ro"]);
    });
    counter.checkpointed();
    // The image may be a new one, on another host.
    for path in ["data", "real/file", "data/inner"] {
        let path = rootfs.join(path);
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
    }
    fs::remove_dir(Path::new(&data).join("inner")).unwrap();
    fs::write(&file, "changed").unwrap();
    let container = counter.restored(&[]);
    for (path, text) in [("/data/name", "data"), ("/data/inner/name", "inner"), ("/link/file", "changed")] {
        assert_eq!(counter.read(path), text, "{path}");
    }
    counter.goes_on(container);
}

#[test]
fn links_of_an_image_do_not_lead_out_of_it() {
    let counter = Counter::new(Host::Native, need_criu!());
    let outside = counter.sandbox.file("outside");
    let source = counter.sandbox.file("source");
    for folder in [&outside, &source] {
        fs::create_dir(folder).unwrap();
    }
    let counter = counter.configure(|config| {
        config.bind(&source, "/data/place", &["bind"]);
    });
    counter.checkpointed();
    let data = counter.sandbox.rootfs().join("data");
    fs::remove_dir_all(&data).unwrap();
    symlink(&outside, &data).unwrap();
    counter.restoring(&["--detach"]).output().fails_saying("criu failed");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    counter.sandbox.assert_nothing_left();
}
