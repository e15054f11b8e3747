use super::text;
use crate::spec::config::IntelRdt;
use crate::spec::problem::{Checked, Problem};
use crate::spec::raw;

/// What the file system has in its root besides classes.
const RESERVED: [&str; 3] = ["info", "mon_groups", "mon_data"];

/// NAME_MAX.
const MAX_NAME_BYTES: usize = 255;

pub(super) fn intel_rdt(raw: Option<raw::IntelRdt>) -> Checked<Option<IntelRdt>> {
    let Some(raw) = raw else { return Ok(None) };
    Ok(Some(IntelRdt {
        schemata: lines(&raw)?,
        class: class(raw.clos_id)?,
        enable_monitoring: raw.enable_monitoring || raw.enable_cmt || raw.enable_mbm,
    }))
}

fn class(name: String) -> Checked<Option<String>> {
    let pointer = "/linux/intelRdt/closID";
    let has_slash = name != "/" && name.contains('/');
    let is_reserved = RESERVED.contains(&name.as_str()) || matches!(name.as_str(), "." | "..");
    if has_slash || is_reserved || name.contains('\n') || name.len() > MAX_NAME_BYTES {
        let message =
            format!("{name:?} cannot be the name of a class; use a plain name, or / for the default class");
        return Err(Problem::invalid(pointer, message));
    }
    text::c_string(&name, format_args!("{pointer}"))?;
    Ok(text::present(name))
}

/// All lines for the `schemata` file. Of the cache's, those for memory give way to the one made for it.
fn lines(raw: &raw::IntelRdt) -> Checked<Vec<String>> {
    let pointer = "/linux/intelRdt";
    text::entries(raw.schemata.len(), "/linux/intelRdt/schemata")?;
    text::c_string(&raw.l3_cache_schema, format_args!("{pointer}/l3CacheSchema"))?;
    let memory = raw.mem_bw_schema.as_str();
    if !memory.is_empty() {
        if !memory.starts_with("MB:") {
            let message = format!("{memory:?} does not start with MB: as in \"MB:0=20;1=70\"");
            return Err(Problem::invalid(format_args!("{pointer}/memBwSchema"), message));
        }
        one_line(memory, &format!("{pointer}/memBwSchema"))?;
    }
    let cache = raw.l3_cache_schema.lines().filter(|line| memory.is_empty() || !line.starts_with("MB:"));
    let mut lines: Vec<String> = cache.chain([memory]).map(str::to_owned).collect();
    for (index, line) in raw.schemata.iter().enumerate() {
        one_line(line, &format!("{pointer}/schemata/{index}"))?;
        lines.push(line.clone());
    }
    lines.retain(|line| !line.is_empty());
    Ok(lines)
}

fn one_line(line: &str, pointer: &str) -> Checked {
    text::c_string(line, format_args!("{pointer}"))?;
    match line.contains('\n') {
        true => Err(Problem::invalid(pointer, "more than one line; write one line an entry of schemata")),
        false => Ok(()),
    }
}
