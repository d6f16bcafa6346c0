//! What a person reads first.

use crate::world::{Run, spore};

const FIRST: [&str; 4] = ["demo", "check", "plan", "apply"];

#[test]
fn fits_a_screen_and_begins_with_what_one_needs() {
    let help = Run::of(&mut spore(&["--help"])).exits(0);
    assert!(help.text.lines().count() <= 24, "{help}");
    let commands = help.text.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands.map_while(|line| line.split_whitespace().next()).collect();
    assert_eq!(commands[..4], FIRST, "{help}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        let words = if command == "tau" { vec!["tau", "pin", "--help"] } else { vec![command, "--help"] };
        Run::of(&mut spore(&words)).exits(0).says("Example");
    }
}

#[test]
fn alone_outside_a_network_it_says_where_to_begin() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::of(spore(&[]).current_dir(folder.path())).exits(0);
    run.says("There is no network in this folder").says("spore demo");
}
