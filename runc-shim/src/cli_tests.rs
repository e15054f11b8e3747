use super::*;

impl Arguments {
    /// `line` as the arguments of a program.
    pub(crate) fn of(line: &[&str]) -> Self {
        let parser = lexopt::Parser::from_args(line.iter().copied());
        Self { parser, only_words: false, attached: None, flag: String::new() }
    }
}

fn parse(line: &[&str]) -> Result<(Globals, Request), String> {
    globals(&mut Arguments::of(line)).map_err(|failure| failure.to_string())
}

fn tokens(line: &[&str]) -> Vec<Token> {
    let mut arguments = Arguments::of(line);
    std::iter::from_fn(|| arguments.next().unwrap()).collect()
}

#[test]
fn global_options_stand_before_the_command_in_both_forms() {
    let line = [
        "--debug",
        "--log",
        "l.json",
        "--log-format=json",
        "--root=/r",
        "--systemd-cgroup",
        "--rootless=auto",
        "state",
        "web",
    ];
    let (globals, request) = parse(&line).unwrap();
    assert!(globals.debug && globals.systemd_cgroup);
    assert_eq!(globals.log.as_deref(), Some(Path::new("l.json")));
    assert_eq!(globals.log_format, log::Format::Json);
    assert_eq!(globals.root.as_deref(), Some(Path::new("/r")));
    assert_eq!(request, Request::Command("state".into()));
}

#[test]
fn switches_take_go_s_booleans() {
    assert!(!parse(&["--debug=false", "list"]).unwrap().0.debug);
    assert!(parse(&["--systemd-cgroup=T", "list"]).unwrap().0.systemd_cgroup);
    assert_eq!(
        parse(&["--debug=maybe", "list"]).unwrap_err(),
        "invalid boolean value \"maybe\": true and false are known"
    );
}

#[test]
fn an_empty_log_is_no_log() {
    assert_eq!(parse(&["--log=", "list"]).unwrap().0.log, None);
}

#[test]
fn help_and_version_end_the_reading() {
    assert_eq!(parse(&[]).unwrap().1, Request::Help);
    assert_eq!(parse(&["--help", "--nonsense"]).unwrap().1, Request::Help);
    assert_eq!(parse(&["help"]).unwrap().1, Request::Help);
    assert_eq!(parse(&["help", "run"]).unwrap().1, Request::Command("run".into()));
    assert_eq!(parse(&["-v"]).unwrap().1, Request::Version);
}

#[test]
fn rootless_takes_three_values() {
    for good in ["auto", "true", "false"] {
        assert!(parse(&["--rootless", good, "list"]).is_ok());
    }
    assert!(parse(&["--rootless", "perhaps", "list"]).unwrap_err().contains("\"perhaps\""));
}

#[test]
fn mistakes_are_named_as_they_were_written() {
    assert_eq!(parse(&["--foo"]).unwrap_err(), "flag provided but not defined: --foo");
    assert_eq!(parse(&["--log"]).unwrap_err(), "flag needs an argument: --log");
    assert_eq!(parse(&["-log"]).unwrap_err(), "flag needs an argument: --log");
    assert_eq!(parse(&["-r=/r"]).unwrap_err(), "flag provided but not defined: -r");
    assert_eq!(parse(&["-version=1", "list"]).unwrap().1, Request::Version);
}

#[test]
fn a_long_name_after_one_dash_is_never_read_as_letters() {
    let (globals, request) =
        parse(&["-debug=false", "-root=/r", "-log", "-l", "-systemd-cgroup", "list"]).unwrap();
    assert!(!globals.debug && globals.systemd_cgroup);
    assert_eq!(
        (globals.root.as_deref(), globals.log.as_deref()),
        (Some(Path::new("/r")), Some(Path::new("-l")))
    );
    assert_eq!(request, Request::Command("list".into()));
    assert_eq!(parse(&["-help"]).unwrap().1, Request::Help);

    let mut arguments = Arguments::of(&["-bundle", "/b", "-b/c", "-d=x", "-it=y", "web"]);
    let mut flag = || arguments.next().map_err(|failure| failure.to_string());
    assert_eq!(flag(), Ok(Some(Token::Flag("--bundle".into()))));
    assert_eq!(flag(), Ok(Some(Token::Word("/b".into()))));
    assert_eq!(flag(), Ok(Some(Token::Flag("--b/c".into()))));
    assert_eq!(flag(), Ok(Some(Token::Flag("-d".into()))));
    assert!(flag().unwrap_err().contains("takes no argument"));
}

#[test]
fn letters_take_their_value_after_an_equals_sign_or_a_blank() {
    let mut arguments = Arguments::of(&["-b=/x", "-b", "/y"]);
    for expected in ["/x", "/y"] {
        assert_eq!(arguments.next().unwrap(), Some(Token::Flag("-b".into())));
        assert_eq!(arguments.path().unwrap(), Path::new(expected));
    }
}

#[test]
fn after_two_dashes_everything_is_a_word() {
    let words: Vec<Token> = ["-bundle", "--x", "-b"].map(|word| Token::Word(word.into())).into();
    assert_eq!(tokens(&["--", "-bundle", "--x", "-b"]), words);
}

#[test]
fn the_help_names_every_command_and_global_option() {
    let text = help("runc-shim");
    for command in COMMANDS {
        assert!(text.contains(&format!("\n   {} ", command.name)), "{}", command.name);
    }
    for option in
        ["--debug", "--log ", "--log-format", "--root ", "--systemd-cgroup", "--rootless", "--version"]
    {
        assert!(text.contains(&format!("\n   {option}")), "{option}");
    }
}
