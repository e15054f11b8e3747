//! Which items a source file names, by a simple scan of its text.

use std::fs;
use std::path::Path;

/// A source file.
pub(crate) struct Module {
    pub(crate) file: String,
    /// `["spec", "check"]`.
    pub(crate) path: Vec<String>,
    /// Without comments and tests.
    pub(crate) text: String,
}

impl Module {
    pub(crate) fn new(file: &str, path: Vec<String>, text: &str) -> Self {
        let lines = text.lines().zip(text.lines().skip(1).chain([""]));
        let is_test = |line: &str, next: &str| line == "#[cfg(test)]" && next.ends_with("mod tests {");
        let code = lines.take_while(|(line, next)| !is_test(line, next));
        let code = code.map(|(line, _)| line.split("//").next().unwrap());
        Self { file: file.to_owned(), path, text: code.collect::<Vec<_>>().join("\n") }
    }
}

/// Every path of this crate (`["spec", "Config"]`) or of the executor's (`["init", "Step"]`) that `module` names.
pub(crate) fn uses(module: &Module) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (keyword, start) in [("crate::", vec![]), ("libcontainer_init::", vec!["init".to_owned()])] {
        for rest in after(&module.text, keyword) {
            tree(rest, &start, &mut found);
        }
    }
    for rest in after(&module.text, "super::") {
        let mut start = module.path.clone();
        start.pop();
        let mut rest = rest;
        while let Some(further) = rest.strip_prefix("super::") {
            start.pop();
            rest = further;
        }
        tree(rest, &start, &mut found);
    }
    found.into_iter().filter_map(resolve).collect()
}

/// What follows each `keyword` that is not the end of a longer word or path.
fn after<'a>(text: &'a str, keyword: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(keyword).filter_map(move |(index, _)| {
        let before = text[..index].chars().next_back();
        let continues =
            before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':');
        (!continues).then(|| &text[index + keyword.len()..])
    })
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Reads a use tree, `a::{b, c::d}`, and returns what follows it.
fn tree<'a>(text: &'a str, prefix: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let mut rest = group.trim_start();
        while !rest.is_empty() && !rest.starts_with('}') {
            let next = tree(rest, prefix, found).trim_start();
            // `as NAME`, a comma, or the end.
            let end = next.find([',', '}']).unwrap_or(next.len());
            rest = next[end..].trim_start_matches(',').trim_start();
        }
        return rest.strip_prefix('}').unwrap_or(rest);
    }
    let end = text.find(|letter| !is_word(letter)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let mut path = prefix.to_vec();
    if word != "self" && !word.is_empty() {
        path.push(word.to_owned());
    }
    match rest.strip_prefix("::") {
        // `f::<T>()`
        Some(rest) if !rest.starts_with('<') => tree(rest, &path, found),
        _ => {
            found.push(path);
            rest
        }
    }
}

/// An item of the crate's root, as the module that it comes from; `None` for what has no module.
fn resolve(mut path: Vec<String>) -> Option<Vec<String>> {
    let first = path.first()?.clone();
    if first.starts_with(char::is_lowercase) {
        return Some(path);
    }
    if first == "SPEC_VERSION" {
        return None;
    }
    let module = exports().into_iter().find(|(_, item)| *item == first).map(|(module, _)| module);
    path.insert(0, module.unwrap_or_else(|| panic!("lib.rs does not export {first}")));
    Some(path)
}

/// `pub use MODULE::{ITEM, …}` of lib.rs.
fn exports() -> Vec<(String, String)> {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut paths = Vec::new();
    for (_, rest) in lib.match_indices("pub use ").map(|(index, keyword)| lib.split_at(index + keyword.len()))
    {
        tree(rest, &[], &mut paths);
    }
    paths.into_iter().filter_map(|path| Some((path.first()?.clone(), path.last()?.clone()))).collect()
}
