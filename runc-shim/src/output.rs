//! What commands print.

use std::io::Write;

use libcontainer::State;
use serde::Serialize;

use crate::failure::Failure;
use crate::messages;

/// Writes `text` to stdout, at once.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// Writes `bytes` to stdout, at once.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::system(messages::WRITING_OUTPUT, error),
    })
}

/// Whether `--format` asks for JSON instead of a table.
pub(crate) fn is_json(format: &str) -> Result<bool, Failure> {
    match format {
        "json" => Ok(true),
        "table" => Ok(false),
        _ => Err(Failure::Usage(messages::BAD_TABLE_FORMAT.to_owned())),
    }
}

/// Prints `value` as JSON, indented by two.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Other(messages::json(&error)))?;
    print(&(text + "\n"))
}

/// Prints `value` as JSON on one line.
pub(crate) fn print_json_line(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::Other(messages::json(&error)))?;
    print(&(text + "\n"))
}

/// The text of `--version`.
pub(crate) fn version(program: &str) -> String {
    let commit = match COMMIT {
        Some(commit) => format!("commit: {commit}\n"),
        None => String::new(),
    };
    format!("{program} version {VERSION}\n{commit}spec: {}\n", libcontainer::SPEC_VERSION)
}

/// The version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit it was built from, if the build said so.
pub(crate) const COMMIT: Option<&str> = option_env!("RUNC_SHIM_COMMIT");

/// The table of `list`: columns at least twelve wide, three blanks between them, the last one open.
pub(crate) fn table(states: &[State]) -> String {
    let mut rows = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned)];
    rows.extend(states.iter().map(row));
    let mut widths = [MIN_WIDTH; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count() + GAP);
        }
    }
    rows.iter().map(|row| line(row, &widths)).collect()
}

const MIN_WIDTH: usize = 12;
const GAP: usize = 3;

fn row(state: &State) -> [String; 6] {
    [
        state.id.clone(),
        state.pid.to_string(),
        state.status.as_str().to_owned(),
        state.bundle.display().to_string(),
        state.created.clone(),
        state.owner.clone(),
    ]
}

fn line(row: &[String; 6], widths: &[usize; 6]) -> String {
    let [cells @ .., last] = row;
    let mut line: String = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    line.push_str(last);
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use libcontainer::Status;

    use super::*;

    fn state(id: &str, bundle: &str) -> State {
        State {
            oci_version: "1.3.0".into(),
            id: id.into(),
            pid: 4321,
            status: Status::Running,
            bundle: bundle.into(),
            rootfs: "/b/rootfs".into(),
            created: "2026-11-21T12:05:38.123456789Z".into(),
            annotations: [("a".to_owned(), "b".to_owned())].into(),
            owner: "root".into(),
        }
    }

    #[test]
    fn columns_line_up_as_in_go_s_tabwriter() {
        assert_eq!(table(&[]), "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
        assert_eq!(
            table(&[state("a", "/b"), state("a-long-container-name", "/b")]),
            "ID                      PID         STATUS      BUNDLE      CREATED                          OWNER\n\
             a                       4321        running     /b          2026-11-21T12:05:38.123456789Z   root\n\
             a-long-container-name   4321        running     /b          2026-11-21T12:05:38.123456789Z   root\n"
        );
    }

    #[test]
    fn json_keys_stand_in_runc_s_order() {
        let text = serde_json::to_string(&state("web", "/b")).unwrap();
        let keys =
            ["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "annotations", "owner"];
        let places: Vec<_> = keys.iter().map(|key| text.find(&format!("\"{key}\":")).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn the_version_s_first_line_carries_the_name_it_was_called_by() {
        assert!(version("runc").starts_with(&format!("runc version {VERSION}\n")));
        assert!(version("runc-shim").ends_with("spec: 1.3.0\n"));
    }
}
