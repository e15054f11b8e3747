//! The log: one line an event, in runc's two formats, to the file of `--log` or else to stderr.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::cli::Globals;
use crate::failure::Failure;
use crate::messages;

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

impl Format {
    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "text" | "" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(Failure::Usage(messages::bad_log_format(other))),
        }
    }
}

struct Log {
    file: Option<File>,
    format: Format,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Opens the log that `globals` ask for and sends the library's events there.
pub(crate) fn open(globals: &Globals) -> Result<(), Failure> {
    let file = match &globals.log {
        None => None,
        Some(path) => Some(
            File::options()
                .append(true)
                .create(true)
                .open(path)
                .map_err(|error| Failure::system(messages::opening(path), error))?,
        ),
    };
    // Both are set once, here; a second call would keep the first log, which is as good.
    let _ = LOG.set(Log { file, format: globals.log_format });
    let most = if globals.debug { LevelFilter::DEBUG } else { LevelFilter::WARN };
    let _ = tracing::subscriber::set_global_default(Library { most });
    Ok(())
}

/// Reports the failure of the command: `line` to stderr as it is, and to the log file as an error.
pub(crate) fn error(line: &str) {
    if let Some(Log { file: Some(_), .. }) = LOG.get() {
        write("error", line);
    }
    to_stderr(&format!("{line}\n"));
}

fn write(level: &str, message: &str) {
    let Some(log) = LOG.get() else { return };
    let line = log.format.line(level, message, SystemTime::now());
    match &log.file {
        // A log that cannot be written to has nowhere to say so.
        Some(file) => drop((&*file).write_all(line.as_bytes())),
        None => to_stderr(&line),
    }
}

fn to_stderr(line: &str) {
    drop(std::io::stderr().write_all(line.as_bytes()));
}

impl Format {
    fn line(self, level: &str, message: &str, now: SystemTime) -> String {
        // Go's %q, which logrus uses, differs from JSON's quoting only in control characters.
        let message = serde_json::Value::from(message);
        let time = rfc3339(now);
        match self {
            Self::Text => format!("time=\"{time}\" level={level} msg={message}\n"),
            Self::Json => {
                format!("{{\"level\":\"{level}\",\"msg\":{message},\"time\":\"{time}\"}}\n")
            }
        }
    }
}

/// `2026-11-21T12:05:38Z`: whole seconds, as logrus writes them.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    libcontainer::rfc3339(UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

/// Receives the events of the library.
struct Library {
    most: LevelFilter,
}

impl Subscriber for Library {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.most
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        write(level_name(*event.metadata().level()), &line.text());
    }

    // Spans are switched off in `enabled`, so nothing ever reaches these.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        _ => "debug",
    }
}

/// An event as text: its message, then its other fields as `name=value`.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn text(self) -> String {
        messages::one_line(&(self.message + &self.fields))
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn times_are_rfc_3339_through_leap_years_and_centuries() {
        let known = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, text) in known {
            assert_eq!(rfc3339(at(seconds)), text);
        }
    }

    #[test]
    fn lines_have_the_shape_that_clients_parse() {
        let message = "exec: \"x\": not\tfound";
        assert_eq!(
            Format::Json.line("error", message, at(0)),
            "{\"level\":\"error\",\"msg\":\"exec: \\\"x\\\": not\\tfound\",\"time\":\"1970-01-01T00:00:00Z\"}\n"
        );
        assert_eq!(
            Format::Text.line("warning", message, at(0)),
            "time=\"1970-01-01T00:00:00Z\" level=warning msg=\"exec: \\\"x\\\": not\\tfound\"\n"
        );
    }

    #[test]
    fn only_the_two_formats_are_known() {
        assert_eq!(Format::parse("json").unwrap(), Format::Json);
        assert_eq!(Format::parse("text").unwrap(), Format::Text);
        assert_eq!(Format::parse("xml").unwrap_err().to_string(), "invalid log-format: xml");
    }
}
