//! Options that are longer than the 255 bytes that fsconfig(2) takes for a value: overlay's list of layers, above all.

use crate::spec::attr;
use crate::{Error, ErrorKind, Result};

use super::filesystems::Datum;

/// Bytes of a value for fsconfig(2), without the NUL.
const VALUE_MAX: usize = 255;
/// Bytes of all options for mount(2) on every machine, with the NUL.
const TEXT_MAX: usize = 4096;

/// Options in a form that the kernel takes.
pub(super) enum Fitted {
    /// For fsconfig(2).
    Values(Vec<Datum>),
    /// For mount(2).
    Text {
        /// The source.
        source: String,
        /// All others, with commas between.
        options: String,
    },
}

/// Chooses the way: fsconfig(2) if it can, else mount(2), and beyond a page overlay's own key for one layer after the
/// other (Linux 6.7).
pub(super) fn fit(fstype: &str, options: Vec<Datum>, mount: usize) -> Result<Fitted> {
    if options.iter().all(fits) {
        return Ok(Fitted::Values(options));
    }
    let (source, rest): (Vec<&Datum>, Vec<&Datum>) = options.iter().partition(|(key, _)| key == "source");
    let text = rest.iter().map(|option| spell(option)).collect::<Vec<_>>().join(",");
    if text.len() < TEXT_MAX {
        let source = source.first().and_then(|(_, value)| value.clone()).unwrap_or_default();
        return Ok(Fitted::Text { source, options: text });
    }
    let options: Vec<Datum> = options
        .into_iter()
        .flat_map(|option| match option {
            (key, Some(value)) if fstype == "overlay" && key == "lowerdir" => layers(&value),
            other => vec![other],
        })
        .collect();
    match options.iter().find(|option| !fits(option)) {
        None => Ok(Fitted::Values(options)),
        Some((key, _)) => {
            let pointer = format!("/mounts/{mount}/options");
            let message =
                format!("{pointer}: the value of {key} is longer than the kernel takes; shorten it");
            Err(Error::new(ErrorKind::Unsupported { pointer }, message))
        }
    }
}

fn fits((_, value): &Datum) -> bool {
    value.as_ref().is_none_or(|value| value.len() <= VALUE_MAX)
}

/// As mount(2) wants it: a comma in a value is quoted, unless it is escaped already.
fn spell((key, value): &Datum) -> String {
    match value {
        None => key.clone(),
        Some(value) if value.contains(',') && !value.contains('\\') => format!("{key}=\"{value}\""),
        Some(value) => format!("{key}={value}"),
    }
}

/// overlay's `lowerdir`: layers with colons between, data-only ones behind two colons.
fn layers(value: &str) -> Vec<Datum> {
    let mut escaped = false;
    let parts = value.split(move |letter: char| {
        let separates = letter == ':' && !escaped;
        escaped = letter == '\\' && !escaped;
        separates
    });
    let mut key = "lowerdir+";
    let mut layers = Vec::new();
    for part in parts {
        if part.is_empty() {
            key = "datadir+";
        } else {
            layers.push((key.to_owned(), Some(part.to_owned())));
        }
    }
    layers
}

/// `MOUNT_ATTR_*` as the `MS_*` of mount(2).
pub(super) fn flags(attributes: u64) -> u64 {
    let pairs = [
        (attr::RDONLY, libc::MS_RDONLY),
        (attr::NOSUID, libc::MS_NOSUID),
        (attr::NODEV, libc::MS_NODEV),
        (attr::NOEXEC, libc::MS_NOEXEC),
        (attr::NODIRATIME, libc::MS_NODIRATIME),
        (attr::NOSYMFOLLOW, MS_NOSYMFOLLOW),
    ];
    let plain = pairs.iter().filter(|(attribute, _)| attributes & attribute != 0);
    let atime = match attributes & attr::ATIME {
        attr::NOATIME => libc::MS_NOATIME,
        attr::STRICTATIME => libc::MS_STRICTATIME,
        _ => 0,
    };
    plain.fold(atime, |flags, (_, flag)| flags | flag)
}

/// linux/mount.h
const MS_NOSYMFOLLOW: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(fstype: &str, options: &[(&str, &str)]) -> Fitted {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), Some((*value).to_owned()));
        fit(fstype, options.iter().map(own).collect(), 3).unwrap()
    }

    #[test]
    fn what_fits_is_left_alone_and_the_rest_becomes_text() {
        let limit = "x".repeat(VALUE_MAX);
        assert!(matches!(fitted("overlay", &[("lowerdir", &limit)]), Fitted::Values(_)));
        let long = "x".repeat(VALUE_MAX + 1);
        match fitted("overlay", &[("source", "o"), ("lowerdir", &long), ("context", "a,b"), ("x", r"c\,d")]) {
            Fitted::Text { source, options } => {
                assert_eq!(source, "o");
                assert_eq!(options, format!(r#"lowerdir={long},context="a,b",x=c\,d"#));
            }
            Fitted::Values(values) => panic!("{values:?}"),
        }
    }

    #[test]
    fn beyond_a_page_overlay_gets_its_layers_one_by_one() {
        let many = (0..600).map(|n| format!(r"/layer\:{n}")).collect::<Vec<_>>().join(":") + "::/data";
        match fitted("overlay", &[("lowerdir", &many)]) {
            Fitted::Values(values) => {
                assert_eq!(values.len(), 601);
                assert_eq!(values[1], ("lowerdir+".to_owned(), Some(r"/layer\:1".to_owned())));
                assert_eq!(values[600], ("datadir+".to_owned(), Some("/data".to_owned())));
            }
            Fitted::Text { options, .. } => panic!("{options}"),
        }
        let own = vec![("lowerdir".to_owned(), Some(many))];
        let error = fit("tmpfs", own, 3).err().unwrap();
        assert!(error.to_string().starts_with("/mounts/3/options: the value of lowerdir"), "{error}");
    }

    #[test]
    fn attributes_are_the_flags_of_the_same_names() {
        let all = attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC | attr::NODIRATIME;
        assert_eq!(flags(all | attr::NOSYMFOLLOW | attr::NOATIME), 1 | 2 | 4 | 8 | 256 | 1024 | 2048);
        assert_eq!(flags(attr::STRICTATIME), libc::MS_STRICTATIME);
        assert_eq!(flags(0), 0);
    }
}
