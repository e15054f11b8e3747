use rustix::process::Resource;

use crate::spec::config::Rlimit;
use crate::spec::problem::{Checked, Problem};
use crate::spec::raw;

const KNOWN: [(&str, Resource); 16] = [
    ("RLIMIT_CPU", Resource::Cpu),
    ("RLIMIT_FSIZE", Resource::Fsize),
    ("RLIMIT_DATA", Resource::Data),
    ("RLIMIT_STACK", Resource::Stack),
    ("RLIMIT_CORE", Resource::Core),
    ("RLIMIT_RSS", Resource::Rss),
    ("RLIMIT_NPROC", Resource::Nproc),
    ("RLIMIT_NOFILE", Resource::Nofile),
    ("RLIMIT_MEMLOCK", Resource::Memlock),
    ("RLIMIT_AS", Resource::As),
    ("RLIMIT_LOCKS", Resource::Locks),
    ("RLIMIT_SIGPENDING", Resource::Sigpending),
    ("RLIMIT_MSGQUEUE", Resource::Msgqueue),
    ("RLIMIT_NICE", Resource::Nice),
    ("RLIMIT_RTPRIO", Resource::Rtprio),
    ("RLIMIT_RTTIME", Resource::Rttime),
];

pub(super) fn rlimits(list: &[raw::Rlimit]) -> Checked<Vec<Rlimit>> {
    let mut rlimits: Vec<Rlimit> = Vec::with_capacity(list.len().min(KNOWN.len()));
    for (index, raw) in list.iter().enumerate() {
        let rlimit = rlimit(raw, index)?;
        if rlimits.iter().any(|other| other.resource == rlimit.resource) {
            let message = format!("{} is given twice; keep one", rlimit.name);
            return Err(Problem::invalid(format_args!("/process/rlimits/{index}/type"), message));
        }
        rlimits.push(rlimit);
    }
    Ok(rlimits)
}

fn rlimit(raw: &raw::Rlimit, index: usize) -> Checked<Rlimit> {
    let Some((name, resource)) = KNOWN.iter().find(|(name, _)| *name == raw.name) else {
        let message = format!("{:?} is not a resource limit; see getrlimit(2) for the names", raw.name);
        return Err(Problem::invalid(format_args!("/process/rlimits/{index}/type"), message));
    };
    if raw.soft > raw.hard {
        let message = format!("the soft limit {} is above the hard limit {}; lower it", raw.soft, raw.hard);
        return Err(Problem::invalid(format_args!("/process/rlimits/{index}/soft"), message));
    }
    Ok(Rlimit { resource: *resource as u32, name, soft: raw.soft, hard: raw.hard })
}
