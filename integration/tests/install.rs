//! What `cargo xtask install` installs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::path::Path;
use std::process::Command;

use integration::harness::*;
use integration::skip;
use integration::xtask::{find_in_path, install};

/// An installation in a folder of its own, or `None` (and the reason) for other runtimes.
fn installed(runc: bool) -> Option<tempfile::TempDir> {
    if !runtime().is_ours() {
        print_skipped("it installs this project's program only");
        return None;
    }
    let prefix = tempfile::tempdir().unwrap();
    install::install(runtime().path(), &install::Options { prefix: prefix.path().into(), runc }).unwrap();
    Some(prefix)
}

fn help(words: &[&str]) -> String {
    Invocation::new(&[&[runtime().path().to_str().unwrap()], words].concat()).output().success().stdout()
}

/// The commands' names and, for each, its long options without their dashes; the program's own have no name.
fn interface() -> Vec<(String, Vec<String>)> {
    let options = |help: &str| -> Vec<String> {
        let words =
            help.split("OPTIONS:\n").last().unwrap().lines().flat_map(|line| line.trim().split("  ").take(1));
        let flags = words.flat_map(|left| left.split([' ', ',']));
        flags.filter_map(|word| word.strip_prefix("--").map(str::to_owned)).collect()
    };
    let all = help(&["--help"]);
    let names = all.split("COMMANDS:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = names.lines().map(|line| line.split_whitespace().next().unwrap().to_owned());
    let commands = names.map(|name| (name.clone(), options(&help(&[&name, "--help"]))));
    std::iter::once((String::new(), options(&all))).chain(commands).collect()
}

#[test]
fn every_command_and_option_is_in_its_manual_page() {
    let Some(prefix) = installed(false) else { return };
    let pages = prefix.path().join("share/man/man8");
    let main = fs::read_to_string(pages.join("runc-shim.8")).unwrap();
    for (command, options) in interface() {
        let page =
            if command.is_empty() { "runc-shim.8".to_owned() } else { format!("runc-shim-{command}.8") };
        let text = fs::read_to_string(pages.join(&page)).unwrap();
        assert!(main.contains(&command), "{command}");
        assert!(!options.is_empty());
        for option in options {
            assert!(text.contains(&format!("\\-\\-{}", option.replace('-', "\\-"))), "--{option} in {page}");
        }
    }
}

#[test]
fn manual_pages_are_rendered_without_a_warning() {
    let Some(prefix) = installed(false) else { return };
    let lint: &[&str] = if find_in_path("mandoc").is_some() {
        &["mandoc", "-T", "lint", "-W", "warning"]
    } else if find_in_path("groff").is_some() {
        &["groff", "-man", "-Tutf8", "-ww"]
    } else {
        skip!("there is neither mandoc nor groff");
    };
    for page in fs::read_dir(prefix.path().join("share/man/man8")).unwrap() {
        let page = page.unwrap().path();
        let output = Command::new(lint[0]).args(&lint[1..]).arg(&page).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}: {said}", page.display());
    }
}

#[test]
fn every_command_and_option_is_in_the_completions() {
    let Some(prefix) = installed(true) else { return };
    for name in ["runc-shim", "runc"] {
        let files = [
            format!("bash-completion/completions/{name}"),
            format!("zsh/site-functions/_{name}"),
            format!("fish/vendor_completions.d/{name}.fish"),
        ];
        for file in files {
            let text = fs::read_to_string(prefix.path().join("share").join(&file)).unwrap();
            // fish writes `-l name`.
            let prefixes: &[&str] = if file.ends_with("fish") { &["-l "] } else { &["--"] };
            for (command, options) in interface() {
                assert!(text.contains(&command), "{command} in {file}");
                for option in options {
                    let found = prefixes.iter().any(|prefix| text.contains(&format!("{prefix}{option}")));
                    assert!(found, "--{option} in {file}");
                }
            }
        }
    }
}

/// What bash offers after `words`, of which the last may be incomplete.
fn offered(script: &Path, words: &[&str]) -> Vec<String> {
    let line = format!(
        "source {script}; set -- $(complete -p runc-shim); while [ $1 != -F ]; do shift; done; complete=$2; \
         COMP_WORDS=({words}); COMP_CWORD={last}; $complete runc-shim '{word}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script = script.display(),
        words = words.join(" "),
        last = words.len() - 1,
        word = words[words.len() - 1],
        before = words[words.len() - 2],
    );
    let output = Command::new("bash").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_options() {
    let Some(prefix) = installed(false) else { return };
    if find_in_path("bash").is_none() {
        skip!("there is no bash");
    }
    let script = prefix.path().join("share/bash-completion/completions/runc-shim");
    assert_eq!(offered(&script, &["runc-shim", "crea"]), ["create"]);
    assert_eq!(offered(&script, &["runc-shim", "--log-f"]), ["--log-format"]);
    assert_eq!(offered(&script, &["runc-shim", "run", "--de"]), ["--detach"]);
    assert_eq!(offered(&script, &["runc-shim", "delete", "--f"]), ["--force"]);
}

#[test]
fn the_program_can_be_installed_again_and_called_by_either_name() {
    let Some(prefix) = installed(true) else { return };
    let options = install::Options { prefix: prefix.path().into(), runc: true };
    install::install(runtime().path(), &options).unwrap();
    for name in ["runc-shim", "runc"] {
        let program = prefix.path().join("bin").join(name);
        let version = Invocation::new(&[program.to_str().unwrap(), "--version"]).output().success().stdout();
        assert!(version.starts_with(&format!("{name} version ")), "{version}");
    }
}

#[test]
fn a_runc_that_is_there_is_not_replaced() {
    if !runtime().is_ours() {
        skip!("it installs this project's program only");
    }
    let prefix = tempfile::tempdir().unwrap();
    fs::create_dir(prefix.path().join("bin")).unwrap();
    fs::write(prefix.path().join("bin/runc"), "another").unwrap();
    let options = install::Options { prefix: prefix.path().into(), runc: true };
    let error = install::install(runtime().path(), &options).unwrap_err().to_string();
    assert!(error.contains("bin/runc"), "{error}");
    assert_eq!(fs::read_to_string(prefix.path().join("bin/runc")).unwrap(), "another");
}
