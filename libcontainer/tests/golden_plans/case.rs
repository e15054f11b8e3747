//! A folder of `fixtures/plans`, and the plan that follows from its files.

use std::fs;
use std::path::{Path, PathBuf};

use libcontainer::facts::Facts;
use libcontainer::planner::{self, Options, Request};
use libcontainer::{Plan, spec};

/// The name of every container here.
const ID: &str = "web-1";

/// One folder of `fixtures/plans`.
pub(crate) struct Case {
    pub(crate) folder: PathBuf,
}

impl Case {
    /// Every case, in the order of names.
    pub(crate) fn all() -> Vec<Self> {
        let plans = fixtures().join("plans");
        let mut folders: Vec<PathBuf> =
            fs::read_dir(plans).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        folders.into_iter().map(|folder| Self { folder }).collect()
    }

    pub(crate) fn name(&self) -> &str {
        self.folder.file_name().unwrap().to_str().unwrap()
    }

    pub(crate) fn read(&self, file: &str) -> Result<String, String> {
        let path = self.folder.join(file);
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn json<T: serde::de::DeserializeOwned>(&self, file: &str) -> Result<T, String> {
        let path = self.folder.join(file);
        serde_json::from_str(&self.read(file)?).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn options(&self) -> Result<Options, String> {
        let mut options: Options = match self.folder.join("options.json").exists() {
            true => self.json("options.json")?,
            false => Options::default(),
        };
        if options.state.as_os_str().is_empty() {
            options.state = Path::new("/run/runc-shim").join(ID);
        }
        Ok(options)
    }

    pub(crate) fn plan(&self) -> Result<Plan, String> {
        let config = self.read("config.json")?;
        let facts: Facts = self.json("facts.json")?;
        let options = self.options()?;
        let failed = |error| format!("{}: {error}", self.name());
        let config = spec::parse(config.as_bytes(), Path::new("/bundle")).map_err(failed)?;
        let request = Request { id: ID, config: &config, options: &options, facts: &facts };
        // Whose facts are of a container is about a program that is executed in it.
        let plan = if facts.container.is_some() { planner::exec } else { planner::plan };
        plan(&request).map_err(failed)
    }

    /// The plan as `plan.txt` has it: the size of a seccomp filter depends on the machine and on the compiler's art.
    pub(crate) fn text(&self) -> Result<String, String> {
        let text = self.plan()?.to_string();
        let lines = text.lines().map(|line| match line.split_once("load seccomp filter (") {
            Some((before, _)) => format!("{before}load seccomp filter (N instructions)\n"),
            None => format!("{line}\n"),
        });
        Ok(lines.collect())
    }

    /// Compares the plan with `plan.txt`.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (expected, found) = (self.read("plan.txt")?, self.text()?);
        match expected.lines().zip(found.lines()).find(|(expected, found)| expected != found) {
            Some((expected, found)) => Err(format!("{}:\n- {expected}\n+ {found}", self.name())),
            None if expected != found => Err(format!("{}: one text is longer", self.name())),
            None => Ok(()),
        }
    }
}

/// The folder `fixtures` of the workspace.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}
