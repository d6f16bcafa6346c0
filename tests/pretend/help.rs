//! Tests of the help, and of `spore` without arguments.

use crate::world::{Run, spore};

const FIRST: [&str; 4] = ["demo", "check", "plan", "apply"];

#[test]
fn help_fits_a_screen_and_lists_the_main_commands_first() {
    let help = Run::of(&mut spore(&["--help"])).exits(0);
    assert!(help.text.lines().count() <= 32, "{help}");
    let commands = help.text.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands.map_while(|line| line.split_whitespace().next()).collect();
    assert_eq!(commands[..4], FIRST, "{help}");
    // The help has no room for the others, and only mentions them.
    let (others, _) = help.text.split_once("\nAlso: ").unwrap().1.split_once('.').unwrap();
    let others = others.split(',').map(str::trim);
    for command in commands.into_iter().filter(|command| *command != "help").chain(others) {
        let words = if command == "tau" { vec!["tau", "pin", "--help"] } else { vec![command, "--help"] };
        Run::of(&mut spore(&words)).exits(0).says("Example");
    }
    for words in [
        "init",
        "host add",
        "host import",
        "import",
        "host remove",
        "shape add",
        "shape set",
        "shape remove",
        "bootstrap add",
        "bootstrap remove",
        "key add",
    ] {
        let help = Run::of(&mut spore(&[words, "--help"].join(" ").split(' ').collect::<Vec<_>>())).exits(0);
        help.says("Example").says(match words {
            "init" => "--generated",
            "import" => "--folder",
            _ => "--dry-run",
        });
        assert!(help.text.lines().count() <= 32, "{help}");
    }
}

#[test]
fn without_arguments_or_network_it_says_how_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::of(spore(&[]).current_dir(folder.path())).exits(0);
    run.says("There is no network in this folder")
        .says("spore demo")
        .says("spore init example.org")
        .says("spore host add h1");
}
