//! Options that only the file system understands.

/// Adds `option`, which may hold several behind commas as mount(2) would split them.
pub(super) fn add(data: &mut Vec<(String, Option<String>)>, option: &str) {
    for item in split(option) {
        match item.split_once('=') {
            Some((key, value)) => data.push((key.to_owned(), Some(unquoted(value).to_owned()))),
            None => data.push((item.to_owned(), None)),
        }
    }
}

/// A comma in double quotes (SELinux contexts) or behind a backslash (overlay's folders) does not separate.
fn split(option: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    let items = option.split(move |c| {
        let separates = c == ',' && !quoted && !escaped;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        separates
    });
    items.filter(|item| !item.is_empty())
}

/// The quotes are for mount(2)'s comma-separated text; fsconfig(2) takes values one by one.
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}
