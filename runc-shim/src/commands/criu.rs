//! The options that `checkpoint` and `restore` share.

use std::path::PathBuf;

use libcontainer::CgroupsMode;

use super::creation::not_empty;
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::messages;

/// What both are told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Common {
    images: Option<PathBuf>,
    pub(super) work: Option<PathBuf>,
    pub(super) tcp_established: bool,
    pub(super) ext_unix_sockets: bool,
    pub(super) shell_job: bool,
    pub(super) file_locks: bool,
    pub(super) auto_dedup: bool,
    pub(super) lazy_pages: bool,
    pub(super) empty_network: bool,
    pub(super) cgroups_mode: Option<CgroupsMode>,
}

/// The help of the options that [`Common::option`] knows.
macro_rules! criu_options {
    ($($more:expr),* $(,)?) => {
        &[
            ("--image-path DIR", "folder of the images (default: checkpoint in the current one)"),
            ("--work-path DIR", "folder for criu's log and temporary files (default: that of the images)"),
            ("--tcp-established", "allow open TCP connections"),
            ("--ext-unix-sk", "allow Unix sockets that are connected to the outside"),
            ("--shell-job", "allow a session or terminal of the outside"),
            ("--file-locks", "allow locks of files"),
            ("--manage-cgroups-mode MODE", "soft (default), full, strict or ignore"),
            ("--empty-ns KIND", "leave out what is in this namespace; only network"),
            ("--auto-dedup", "free memory in the images that is no longer needed there"),
            ("--lazy-pages", "move memory when it is needed, by userfaultfd"),
            $($more),*
        ]
    };
}
pub(super) use criu_options;

impl Common {
    /// Reads the option `flag` if it is one of these; whether it was.
    pub(super) fn option(&mut self, flag: &str, arguments: &mut Arguments) -> Result<bool, Failure> {
        match flag {
            "--image-path" => self.images = not_empty(arguments.path()?),
            "--work-path" => self.work = not_empty(arguments.path()?),
            "--tcp-established" => self.tcp_established = arguments.switch()?,
            "--ext-unix-sk" => self.ext_unix_sockets = arguments.switch()?,
            "--shell-job" => self.shell_job = arguments.switch()?,
            "--file-locks" => self.file_locks = arguments.switch()?,
            "--manage-cgroups-mode" => self.cgroups_mode = cgroups_mode(&arguments.text()?)?,
            "--empty-ns" => self.empty_network = empty_namespace(&arguments.text()?)?,
            "--auto-dedup" => self.auto_dedup = arguments.switch()?,
            "--lazy-pages" => self.lazy_pages = arguments.switch()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The folder of the images.
    pub(super) fn images(&self) -> Result<PathBuf, Failure> {
        let folder = self.images.clone().unwrap_or_else(|| "checkpoint".into());
        std::path::absolute(&folder).map_err(|error| Failure::system(messages::opening(&folder), error))
    }
}

/// Puts what is [`Common`] into the options of a library call.
macro_rules! with_common {
    ($options:expr, $common:expr) => {{
        let common: &Common = $common;
        let mut options = $options
            .tcp_established(common.tcp_established)
            .ext_unix_sockets(common.ext_unix_sockets)
            .shell_job(common.shell_job)
            .file_locks(common.file_locks)
            .auto_dedup(common.auto_dedup)
            .lazy_pages(common.lazy_pages)
            .empty_network(common.empty_network);
        if let Some(work) = &common.work {
            options = options.work_path(work);
        }
        if let Some(mode) = common.cgroups_mode {
            options = options.cgroups_mode(mode);
        }
        options
    }};
}
pub(super) use with_common;

fn cgroups_mode(mode: &str) -> Result<Option<CgroupsMode>, Failure> {
    match mode {
        "" => Ok(None),
        "soft" => Ok(Some(CgroupsMode::Soft)),
        "full" => Ok(Some(CgroupsMode::Full)),
        "strict" => Ok(Some(CgroupsMode::Strict)),
        "ignore" => Ok(Some(CgroupsMode::Ignore)),
        _ => Err(Failure::Usage(messages::BAD_CGROUPS_MODE.to_owned())),
    }
}

fn empty_namespace(kind: &str) -> Result<bool, Failure> {
    match kind {
        "" => Ok(false),
        "network" => Ok(true),
        _ => Err(Failure::Usage(messages::bad_empty_namespace(kind))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_read() {
        let mut common = Common::default();
        let line = [
            "--image-path=/i",
            "--work-path",
            "/w",
            "--tcp-established",
            "--ext-unix-sk",
            "--shell-job",
            "--file-locks=true",
            "--manage-cgroups-mode",
            "ignore",
            "--empty-ns",
            "network",
            "--auto-dedup",
            "--lazy-pages",
        ];
        let mut arguments = Arguments::of(&line);
        while let Some(token) = arguments.next().unwrap() {
            let crate::cli::Token::Flag(flag) = token else { panic!("{token:?}") };
            assert!(common.option(&flag, &mut arguments).unwrap(), "{flag}");
        }
        let expected = Common {
            images: Some("/i".into()),
            work: Some("/w".into()),
            tcp_established: true,
            ext_unix_sockets: true,
            shell_job: true,
            file_locks: true,
            auto_dedup: true,
            lazy_pages: true,
            empty_network: true,
            cgroups_mode: Some(CgroupsMode::Ignore),
        };
        assert_eq!(common, expected);
        assert!(Common::default().images().unwrap().ends_with("checkpoint"));
    }

    #[test]
    fn words_that_mean_nothing_are_refused() {
        assert!(cgroups_mode("none").is_err());
        assert!(empty_namespace("pid").is_err());
        assert_eq!(cgroups_mode("").ok(), Some(None));
        assert_eq!(empty_namespace("").ok(), Some(false));
    }
}
