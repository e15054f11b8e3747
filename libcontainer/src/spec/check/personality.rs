//! `/linux/personality`.

use crate::spec::problem::{Checked, Problem};
use crate::spec::raw;

/// linux/personality.h; libc does not have them for every C library.
const PER_LINUX: u32 = 0x0000;
const PER_LINUX32: u32 = 0x0008;

/// The number for personality(2).
pub(super) fn personality(raw: &raw::Personality) -> Checked<u32> {
    if !raw.flags.is_empty() {
        let message = "the runtime-spec has no flags yet; remove them";
        return Err(Problem::unsupported("/linux/personality/flags", message));
    }
    match raw.domain.as_str() {
        "LINUX" => Ok(PER_LINUX),
        "LINUX32" => Ok(PER_LINUX32),
        other => {
            let message = format!("{other:?} is not a domain; use LINUX or LINUX32");
            Err(Problem::invalid("/linux/personality/domain", message))
        }
    }
}
