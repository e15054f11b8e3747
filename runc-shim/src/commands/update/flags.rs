//! The options that are values of `/linux/resources`.

use serde_json::{Map, Value};

use super::size;
use crate::failure::Failure;
use crate::messages;

/// An option, and the value that it gives.
pub(super) struct Flag {
    pub(super) name: &'static str,
    /// Where in the resources: block and field.
    pub(super) pointer: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Unsigned,
    Signed,
    /// Bytes, with a suffix.
    Size,
    Text,
}

pub(super) const FLAGS: &[Flag] = &[
    flag("--blkio-weight", "/blockIO/weight", Kind::Unsigned),
    flag("--cpu-period", "/cpu/period", Kind::Unsigned),
    flag("--cpu-quota", "/cpu/quota", Kind::Signed),
    flag("--cpu-burst", "/cpu/burst", Kind::Unsigned),
    flag("--cpu-share", "/cpu/shares", Kind::Unsigned),
    flag("--cpu-rt-period", "/cpu/realtimePeriod", Kind::Unsigned),
    flag("--cpu-rt-runtime", "/cpu/realtimeRuntime", Kind::Signed),
    flag("--cpu-idle", "/cpu/idle", Kind::Signed),
    flag("--cpuset-cpus", "/cpu/cpus", Kind::Text),
    flag("--cpuset-mems", "/cpu/mems", Kind::Text),
    flag("--memory", "/memory/limit", Kind::Size),
    flag("--memory-reservation", "/memory/reservation", Kind::Size),
    flag("--memory-swap", "/memory/swap", Kind::Size),
    flag("--kernel-memory", "/memory/kernel", Kind::Size),
    flag("--kernel-memory-tcp", "/memory/kernelTCP", Kind::Size),
    flag("--pids-limit", "/pids/limit", Kind::Signed),
];

/// All options of the command, for its help.
pub(super) const HELP: &[(&str, &str)] = &[
    (
        "--resources FILE, -r FILE",
        "read a JSON document like /linux/resources; - is stdin; other limits are ignored",
    ),
    ("--blkio-weight N", "weight of block I/O, 10 to 1000"),
    ("--cpu-period N", "period of the CPU quota in microseconds"),
    ("--cpu-quota N", "CPU time in each period in microseconds; -1 for no limit"),
    ("--cpu-burst N", "unused CPU quota that may be saved up, in microseconds"),
    ("--cpu-share N", "weight of CPU time, 2 to 262144"),
    ("--cpu-rt-period N", "period of real-time scheduling (cgroup v1)"),
    ("--cpu-rt-runtime N", "real-time scheduling in each period (cgroup v1)"),
    ("--cpu-idle N", "1: run only when nobody else wants to"),
    ("--cpuset-cpus LIST", "CPUs, for example 0-3,7"),
    ("--cpuset-mems LIST", "memory nodes"),
    ("--memory N", "limit of memory in bytes; k, m, g for KiB, MiB, GiB; -1 for no limit"),
    ("--memory-reservation N", "memory that is left to it when memory gets short"),
    ("--memory-swap N", "limit of memory and swap together"),
    ("--kernel-memory N", "ignored: kernels do not have it any more"),
    ("--kernel-memory-tcp N", "limit of TCP buffers (cgroup v1)"),
    ("--pids-limit N", "limit of processes; -1 for none"),
    ("--l3-cache-schema SCHEMA", "share of the L3 cache, for example L3:0=ff;1=c0"),
    ("--mem-bw-schema SCHEMA", "share of the memory's bandwidth, for example MB:0=20;1=70"),
];

const fn flag(name: &'static str, pointer: &'static str, kind: Kind) -> Flag {
    Flag { name, pointer, kind }
}

impl Flag {
    /// Puts the value into `resources`; an empty one is none.
    pub(super) fn read(&self, text: &str, resources: &mut Value) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        let value = match self.kind {
            Kind::Unsigned => text.parse::<u64>().ok().map(Value::from),
            Kind::Signed => text.parse::<i64>().ok().map(Value::from),
            Kind::Size => size::parse(text).map(Value::from),
            Kind::Text => Some(Value::from(text)),
        };
        let value = value.ok_or_else(|| {
            let what =
                if matches!(self.kind, Kind::Size) { "a size such as 512m, or -1" } else { "a number" };
            Failure::Usage(messages::bad_value(self.name, text, what))
        })?;
        let (block, field) = self.pointer.trim_start_matches('/').split_once('/').unwrap_or_default();
        if let Some(blocks) = resources.as_object_mut() {
            let fields = blocks.entry(block).or_insert_with(|| Value::Object(Map::new()));
            if let Some(fields) = fields.as_object_mut() {
                fields.insert(field.to_owned(), value);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(flags: &[(&str, &str)]) -> Result<Value, String> {
        let mut resources = json!({});
        for (name, text) in flags {
            let flag = FLAGS.iter().find(|flag| flag.name == *name).unwrap();
            flag.read(text, &mut resources).map_err(|failure| failure.to_string())?;
        }
        Ok(resources)
    }

    #[test]
    fn flags_become_the_document_that_they_stand_for() {
        let flags = [
            ("--memory", "512m"),
            ("--memory-swap", "-1"),
            ("--cpu-quota", "-1"),
            ("--cpu-share", "0"),
            ("--cpuset-cpus", "0-1"),
            ("--pids-limit", "0"),
            ("--memory-reservation", ""),
        ];
        let document = json!({
            "memory": {"limit": 536_870_912, "swap": -1}, "cpu": {"quota": -1, "shares": 0, "cpus": "0-1"},
            "pids": {"limit": 0}
        });
        assert_eq!(read(&flags).unwrap(), document);
    }

    #[test]
    fn what_is_no_value_is_told_with_the_flag() {
        for (name, text) in [("--memory", "1x"), ("--cpu-share", "-1"), ("--pids-limit", "many")] {
            let error = read(&[(name, text)]).unwrap_err();
            assert!(error.contains(name) && error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn every_flag_is_in_the_help() {
        for flag in FLAGS {
            assert!(
                HELP.iter().any(|(option, _)| option.split(' ').next() == Some(flag.name)),
                "{}",
                flag.name
            );
        }
    }
}
