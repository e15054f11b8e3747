//! `update`: changes the limits of a container.

mod flags;
mod size;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

use libcontainer::{Error, ErrorKind, Update, spec};
use serde_json::Value;

use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::messages;
use flags::FLAGS;

/// Far above what any client sends.
const MAX_BYTES: u64 = 16 << 20;

/// What the library's pointers begin with.
const RESOURCES: &str = "/linux/resources";
const CACHE: &str = "/linux/intelRdt/l3CacheSchema";
const BANDWIDTH: &str = "/linux/intelRdt/memBwSchema";

pub(super) const COMMAND: Command = Command {
    name: "update",
    summary: "change the limits of a container",
    usage: "[OPTIONS] ID",
    options: flags::HELP,
    seals: false,
    run: update,
};

fn update(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let mut resources = Value::Object(serde_json::Map::new());
    let mut document = None;
    let (mut cache, mut bandwidth) = (String::new(), String::new());
    let id = context.one_id(arguments, |flag, arguments| {
        match flag {
            "--resources" | "-r" => document = Some(arguments.path()?),
            "--l3-cache-schema" => cache = arguments.text()?,
            "--mem-bw-schema" => bandwidth = arguments.text()?,
            _ => match FLAGS.iter().find(|known| known.name == flag) {
                Some(flag) => flag.read(&arguments.text()?, &mut resources)?,
                None => return Ok(false),
            },
        }
        Ok(true)
    })?;
    let from_document = document.is_some();
    let resources = match document {
        Some(path) => {
            let mut resources = spec::parse_resources(&read(&path)?, &path)?;
            // Devices that a hook allowed meanwhile would be lost, which clients with such hooks know from runc.
            resources.set_devices(None);
            resources
        }
        None => spec::parse_resources(resources.to_string().as_bytes(), Path::new("command line"))
            .map_err(|error| in_users_words(&error, false))?,
    };
    let update = Update::default().resources(resources).l3_cache_schema(cache).mem_bw_schema(bandwidth);
    let updated = context.runtime()?.load(&id)?.update(&update);
    updated.map(|()| 0).map_err(|error| match error.kind() {
        ErrorKind::InvalidSpec { .. } | ErrorKind::Unsupported { .. } | ErrorKind::Cgroup => {
            in_users_words(&error, from_document)
        }
        _ => error.into(),
    })
}

/// The library names values by their place in a configuration; the user gave them by flags, or in a document that is
/// only a part of one.
fn in_users_words(error: &Error, from_document: bool) -> Failure {
    let mut text = error.to_string();
    for (pointer, flag) in [(CACHE, "--l3-cache-schema"), (BANDWIDTH, "--mem-bw-schema")] {
        text = text.replace(pointer, flag);
    }
    if !from_document {
        // Longer ones first: one pointer may begin with another.
        let mut flags: Vec<_> = FLAGS.iter().collect();
        flags.sort_by_key(|flag| std::cmp::Reverse(flag.pointer.len()));
        for flag in flags {
            text = text.replace(&format!("{RESOURCES}{}", flag.pointer), flag.name);
            text = text.replace(&format!("command line: {}", flag.pointer), flag.name);
        }
    }
    Failure::Other(text.replace(&format!("{RESOURCES}/"), "/"))
}

/// The document in a file, or on standard input for `-`.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let result = if path.as_os_str() == OsStr::new("-") {
        stdin().lock().take(MAX_BYTES).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes))
    };
    result.map(|_| bytes).map_err(|error| Failure::system(messages::opening(path), error))
}
