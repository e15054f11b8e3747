//! The names of units: which one a container is, and where its cgroup is because of that.

use serde::{Deserialize, Serialize};

use super::super::CgroupError;

const POINTER: &str = "/linux/cgroupsPath";
/// What systemd allows (`UNIT_NAME_MAX`, without the NUL).
const LONGEST: usize = 255;
const SLICE: &str = ".slice";

/// The scope that a container is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Its name, `runc-web.scope` for example.
    pub name: String,
    /// The slice that it is in, `system.slice` for example.
    pub slice: String,
    /// Whether it is known to the systemd of a user, and not to the host's.
    #[serde(default)]
    pub user: bool,
}

impl Unit {
    /// The scope of a container, from the `slice:prefix:name` of its configuration.
    ///
    /// Without one, and where parts of it are empty, it is what runc makes of it: `system.slice`, or `user.slice` in a
    /// `user`'s own systemd, and `runc-<id>.scope`.
    ///
    /// # Errors
    /// A path of another form, and names that systemd would refuse.
    pub fn of(cgroups_path: Option<&str>, id: &str, user: bool) -> Result<Self, CgroupError> {
        let path = cgroups_path.filter(|path| !path.is_empty());
        let (slice, prefix, name) = match path {
            None => ("", "runc", id),
            Some(path) => split(path)?,
        };
        let slice = match slice {
            "" if user => "user.slice",
            "" => "system.slice",
            slice => slice,
        };
        let unit = Self { name: format!("{prefix}-{name}.scope"), slice: slice.to_owned(), user };
        unit.check(path.unwrap_or(id), name)?;
        Ok(unit)
    }

    fn check(&self, given: &str, name: &str) -> Result<(), CgroupError> {
        let invalid = |reason: String| Err(CgroupError::invalid(POINTER, format!("{given:?}"), reason));
        if name.is_empty() {
            return invalid("has no name after the second colon".to_owned());
        }
        if name.ends_with(SLICE) {
            return invalid(format!("{name} would be a slice, and processes cannot be in one"));
        }
        for unit in [&self.name, &self.slice] {
            if unit.len() > LONGEST {
                return invalid(format!("the name of unit {unit:?} has more than {LONGEST} bytes"));
            }
            if let Some(wrong) = unit.chars().find(|c| !is_allowed(*c)) {
                return invalid(format!("the name of unit {unit:?} must not have {wrong:?} in it"));
            }
        }
        if folders(&self.slice).is_none() {
            return invalid(format!("{:?} is not the name of a slice, such as a-b.slice", self.slice));
        }
        Ok(())
    }

    /// Its cgroup below that of its manager: each slice is inside of the one that its name extends.
    #[must_use]
    pub fn cgroup(&self) -> String {
        format!("{}/{}", folders(&self.slice).unwrap_or_default(), self.name)
    }
}

fn split(path: &str) -> Result<(&str, &str, &str), CgroupError> {
    let mut parts = path.split(':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(slice), Some(prefix), Some(name), None) => Ok((slice, prefix, name)),
        _ => Err(CgroupError::invalid(
            POINTER,
            format!("{path:?}"),
            "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups",
        )),
    }
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@')
}

/// `a-b.slice` → `/a.slice/a-b.slice`, the root slice `-.slice` → nothing; `None` for what is no slice.
fn folders(slice: &str) -> Option<String> {
    let name = slice.strip_suffix(SLICE)?;
    if name == "-" {
        return Some(String::new());
    }
    let mut folders = String::new();
    let mut end = 0;
    for part in name.split('-') {
        if part.is_empty() {
            return None;
        }
        end += part.len();
        folders.push_str(&format!("/{}{SLICE}", name.get(..end)?));
        end += 1;
    }
    Some(folders)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(path: &str) -> (String, String) {
        let unit = Unit::of(Some(path), "web", false).unwrap();
        (unit.name.clone(), unit.cgroup())
    }

    #[test]
    fn a_path_names_slice_prefix_and_scope() {
        let found = [
            ("machine.slice:libpod:1a", "libpod-1a.scope", "/machine.slice/libpod-1a.scope"),
            (":runc:x", "runc-x.scope", "/system.slice/runc-x.scope"),
            ("a-b-c.slice::x", "-x.scope", "/a.slice/a-b.slice/a-b-c.slice/-x.scope"),
            ("-.slice:p:x", "p-x.scope", "/p-x.scope"),
            (
                "kubepods-pod1_2.slice:cri-containerd:f0",
                "cri-containerd-f0.scope",
                "/kubepods.slice/kubepods-pod1_2.slice/cri-containerd-f0.scope",
            ),
        ];
        for (path, name, cgroup) in found {
            assert_eq!(unit(path), (name.to_owned(), cgroup.to_owned()), "{path}");
        }
    }

    #[test]
    fn without_a_path_it_is_runc_s_default() {
        for path in [None, Some("")] {
            let unit = Unit::of(path, "web", false).unwrap();
            assert_eq!(
                unit,
                Unit { name: "runc-web.scope".into(), slice: "system.slice".into(), user: false }
            );
            assert_eq!(Unit::of(path, "web", true).unwrap().slice, "user.slice");
        }
    }

    #[test]
    fn what_systemd_would_refuse_is_an_error_with_the_pointer() {
        let long = format!("system.slice:runc:{}", "x".repeat(246));
        let bad = [
            ("/a/b", "of format"),
            ("a:b", "of format"),
            ("a.slice:b:c:d", "of format"),
            ("a.slice:b:", "no name"),
            ("a.slice:b:c.slice", "processes cannot be in one"),
            ("a:b:c", "not the name of a slice"),
            (".slice:b:c", "not the name of a slice"),
            ("a--b.slice:b:c", "not the name of a slice"),
            ("-a.slice:b:c", "not the name of a slice"),
            ("a/b.slice:b:c", "'/'"),
            ("../a.slice:b:c", "'/'"),
            ("a.slice:b:../c", "'/'"),
            ("a.slice:b:c+d", "'+'"),
            ("a.slice:ä:c", "'ä'"),
            (long.as_str(), "more than 255"),
        ];
        for (path, reason) in bad {
            let error = Unit::of(Some(path), "web", false).unwrap_err();
            assert_eq!(error.pointer(), Some(POINTER), "{path}");
            assert!(error.to_string().contains(reason), "{path}: {error}");
        }
        let error = Unit::of(None, "a+b", false).unwrap_err();
        assert!(error.to_string().contains("runc-a+b.scope"), "{error}");
    }

    proptest! {
        #[test]
        fn no_name_leaves_its_slice(path in "[-a./:]{0,16}") {
            if let Ok(unit) = Unit::of(Some(&path), "web", false) {
                let cgroup = unit.cgroup();
                let mut parts = cgroup.split('/');
                prop_assert_eq!(parts.next(), Some(""));
                prop_assert!(parts.all(|part| part.ends_with(".slice") || part.ends_with(".scope")));
            }
        }
    }
}
