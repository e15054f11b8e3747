//! Real containers on a folder that looks like the root of a resctrl file system.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::record::Stored;
use super::store::PATIENCE;
use super::update::change_groups;
use super::{Container, Delete};
use crate::facts::{self, Handles};
use crate::launch::{Launch, create};
use crate::planner::{self, Options, Plan, Request};
use crate::spec::{self, Config};
use crate::{Bundle, ContainerId, Result, resctrl};

struct Fixture {
    folder: tempfile::TempDir,
    id: ContainerId,
    config: Config,
}

impl Fixture {
    /// `None`, and a word why, where no container can be made.
    fn new(rdt: &serde_json::Value) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: containers without a user namespace need root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        for path in ["bundle/rootfs", "root", "resctrl/mon_groups"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        fs::write(folder.path().join("resctrl/schemata"), "L3:0=fffff\n").unwrap();
        let config = json!({
            "ociVersion": "1.3.0", "root": {"path": "rootfs"},
            "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}], "intelRdt": rdt},
        });
        let config = spec::parse(config.to_string().as_bytes(), &folder.path().join("bundle")).unwrap();
        // Tests run side by side, and the cgroups of their containers too.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = ContainerId::new(format!("resctrl-{}-{count}", std::process::id())).unwrap();
        Some(Self { folder, id, config })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// As on a host whose resctrl file system is this folder.
    fn plan(&self) -> (Plan, Handles) {
        let (mut facts, handles) = facts::probe(&self.config, facts::Purpose::Create, false).unwrap();
        let class = self.config.intel_rdt.as_ref().unwrap().class.as_deref();
        facts.resctrl = Some(resctrl::look(self.path("resctrl"), class).unwrap());
        let options = Options { state: self.path("root").join(self.id.as_str()), ..Options::default() };
        let request =
            Request { id: self.id.as_str(), config: &self.config, options: &options, facts: &facts };
        (planner::plan(&request).unwrap(), handles)
    }

    fn launch(&self, plan: &Plan, handles: Handles) -> Result<Container> {
        let root = self.path("root");
        let bundle = Bundle::new(self.path("bundle"), Vec::new(), self.config.clone());
        let launched = create(
            Launch { root: &root, id: &self.id, config: &self.config, plan, handles, restoration: None },
            &bundle,
            false,
        );
        launched.map(|(stored, process)| Container::new(&root, &self.id, stored, process))
    }
}

/// The kernel's files in a group go with it.
fn empty(group: &Path) {
    for entry in fs::read_dir(group).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

#[test]
fn a_container_is_in_its_group_until_it_is_deleted() {
    let Some(fixture) = Fixture::new(&json!({"schemata": ["L3:0=f"]})) else { return };
    let (plan, handles) = fixture.plan();
    let container = fixture.launch(&plan, handles).unwrap();
    let group = fixture.path("resctrl").join(fixture.id.as_str());
    let read = |file: &str| fs::read_to_string(group.join(file)).unwrap();
    assert_eq!(read("tasks"), container.state().unwrap().pid.to_string());
    assert_eq!(read("schemata"), "L3:0=f\n");
    empty(&group);
    container.delete(Delete::Force).unwrap();
    assert!(!group.exists());
}

#[test]
fn a_failed_create_takes_its_groups_away() {
    let rdt = json!({"closID": "/", "enableMonitoring": true});
    let Some(fixture) = Fixture::new(&rdt) else { return };
    let (plan, mut handles) = fixture.plan();
    // The root cannot be lent, which is after the groups and before the clone.
    handles.root = None;
    let error = fixture.launch(&plan, handles).err().unwrap();
    assert!(error.to_string().contains("/root/path"), "{error}");
    assert!(!error.to_string().contains("undoing"), "{error}");
    assert_eq!(fs::read_dir(fixture.path("resctrl/mon_groups")).unwrap().count(), 0);
}

#[test]
fn an_update_changes_the_class_or_gives_one() {
    let Some(fixture) = Fixture::new(&json!({"schemata": ["L3:0=f"]})) else { return };
    let (plan, handles) = fixture.plan();
    let container = fixture.launch(&plan, handles).unwrap();
    let class = fixture.path("resctrl").join(fixture.id.as_str());
    let claim = container.folder().unwrap().lock(PATIENCE).unwrap();
    let mut stored = container.current(claim.folder()).unwrap();
    let change = |stored: &mut Stored, line: &str| {
        change_groups(&claim, stored, fixture.path("resctrl"), vec![line.to_owned()]).unwrap();
        fs::read_to_string(class.join("schemata")).unwrap()
    };
    assert_eq!(change(&mut stored, "L3:0=1"), "L3:0=1\n");

    // As if it had been created without.
    empty(&class);
    fs::remove_dir(&class).unwrap();
    stored.resctrl = resctrl::Membership::default();
    assert_eq!(change(&mut stored, "MB:0=20"), "MB:0=20\n");
    let pid = container.state().unwrap().pid.to_string();
    assert_eq!(fs::read_to_string(class.join("tasks")).unwrap(), pid);
    empty(&class);
    drop(claim);
    container.delete(Delete::Force).unwrap();
    assert!(!class.exists(), "delete knows of the new class");
}
