//! The snippets of README.md that set up container managers: the clients run with exactly those.

use std::fs;
use std::path::Path;

use crate::xtask::{Error, Result, workspace};

/// What the snippets call our runtime.
pub(super) const NAME: &str = "runc-shim";

/// Where the snippets say that the binary is.
const INSTALLED: &str = "/usr/local/bin/runc-shim";

/// The code block of README.md that contains `mark`, with the path of the binary replaced.
pub(super) fn snippet(mark: &str, binary: &Path) -> Result<String> {
    let path = workspace().join("README.md");
    let text = fs::read_to_string(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
    let snippet = block(&text, mark);
    let snippet = snippet.ok_or_else(|| Error::NotMet(format!("README.md has no code block with {mark}")))?;
    Ok(snippet.replace(INSTALLED, &binary.display().to_string()))
}

fn block<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let blocks = text.split("```").skip(1).step_by(2);
    let blocks = blocks.filter_map(|block| Some(block.split_once('\n')?.1));
    blocks.into_iter().find(|block| block.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_by_what_is_in_it() {
        let text = "a\n```json\n{ \"a\": 1 }\n```\nb\n```toml\n[b]\n```\n";
        assert_eq!(block(text, "[b]"), Some("[b]\n"));
        assert_eq!(block(text, "\"a\""), Some("{ \"a\": 1 }\n"));
        assert_eq!(block(text, "c"), None);
        assert!(snippet("\"runtimes\"", Path::new("/x")).unwrap().contains("\"/x\""));
    }
}
