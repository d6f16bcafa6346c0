//! Tests of the completion scripts and man pages, with the shells and the `man` that are installed.

use crate::page::installed;
use crate::world::{Run, spore};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether the program is installed. If it isn't, only the structure is checked, and the output of
/// the tests says so.
fn is_installed(program: &str) -> bool {
    installed(&[program], "manuals").is_some()
}

/// The names of all commands, including those that the help of `spore` only mentions.
fn commands() -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    pages(directory.path()).iter().filter_map(|page| Some(page.strip_prefix("spore-")?.to_owned())).collect()
}

/// Writes the pages, and returns their names.
fn pages(directory: &Path) -> BTreeSet<String> {
    let run = Run::of(&mut spore(&["man", directory.to_str().unwrap()])).exits(0);
    run.says("man: wrote ");
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    files.map(|file| file.strip_suffix(".1").unwrap().to_owned()).collect()
}

/// What a shell says when it has read the completions of `spore`, and then runs the script.
fn in_shell(shell: &[&str], kind: &str, script: &str) -> Run {
    let directory = tempfile::tempdir().unwrap();
    let completions = Run::of(&mut spore(&["completions", kind])).exits(0);
    fs::write(directory.path().join("spore"), completions.text).unwrap();
    let mut command = Command::new(shell[0]);
    command
        .args(&shell[1..])
        .args(["-c", script])
        .current_dir(directory.path())
        .env("HOME", directory.path());
    Run::of(command.stdin(Stdio::null())).exits(0)
}

#[test]
fn shells_accept_the_completions_and_complete_every_command() {
    let commands = commands();
    assert!(commands.contains("man") && commands.contains("tau-pin"), "{commands:?}");
    let words = |run: &Run| run.text.split_whitespace().map(str::to_owned).collect::<BTreeSet<String>>();
    let top: BTreeSet<String> = commands.iter().filter(|name| !name.contains('-')).cloned().collect();
    if is_installed("bash") {
        let complete = |line: &str| {
            let script = format!(
                "source ./spore; COMP_WORDS=(spore {line} ''); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
                 _spore spore '' \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo ${{COMPREPLY[*]}}"
            );
            words(&in_shell(&["bash", "--norc", "-eu"], "bash", &script))
        };
        assert!(complete("").is_superset(&top));
        assert!(complete("plan").contains("--without-secrets"));
        assert!(complete("plan --format").contains("markdown"));
        assert!(complete("tau").contains("pin"));
    }
    if is_installed("zsh") {
        let script = "autoload -Uz compinit && compinit -u -d dump && source ./spore && print $_comps[spore]";
        assert_eq!(words(&in_shell(&["zsh", "-f"], "zsh", script)), ["_spore".to_owned()].into());
    }
    if is_installed("fish") {
        let complete = |line: &str| {
            let script = format!("source ./spore; complete -C 'spore {line}'");
            let run = in_shell(&["fish", "--no-config"], "fish", &script);
            let first = |line: &str| line.split('\t').next().unwrap().to_owned();
            run.text.lines().map(first).collect::<BTreeSet<String>>()
        };
        assert!(complete("").is_superset(&top));
        assert!(complete("plan --without-s").contains("--without-secrets"));
        assert!(complete("tau ").contains("pin"));
    }
}

#[test]
fn an_unknown_shell_is_refused_and_quiet_withholds_nothing() {
    Run::of(&mut spore(&["completions", "csh"])).exits(1).says("bash, elvish, fish, powershell, zsh");
    let quiet = Run::of(&mut spore(&["-q", "completions", "bash"])).exits(0);
    assert_eq!(quiet.text, Run::of(&mut spore(&["completions", "bash"])).text);
}

#[test]
fn every_command_has_a_man_page_that_renders() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("new/man1");
    let (reads, formats) = (is_installed("man"), is_installed("groff"));
    for name in pages(&directory) {
        let file = directory.join(format!("{name}.1"));
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(&format!("\n.TH {name} 1 ")), "{text}");
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
            assert!(text.contains(&format!(".SH {section}\n")), "{name}: {section}");
        }
        if formats {
            // Warnings are on standard error.
            let run =
                Run::of(Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(&file)).exits(0);
            assert_eq!(run.text, "", "{name}");
        }
        if reads {
            let mut man = Command::new("man");
            man.arg("-l").arg(&file).env("MANWIDTH", "120").env("LC_ALL", "C");
            let title = format!("{name} - ");
            Run::of(man.stdin(Stdio::null())).exits(0).says("NAME").says(&title).says("--help");
        }
    }
    let first = fs::read_to_string(directory.join("spore.1")).unwrap();
    assert_eq!(Run::of(&mut spore(&["man"])).exits(0).text, first);
    assert!(first.contains("SPORE_NETWORK") && first.contains("Exit codes"), "{first}");
    // The pages refer to each other.
    for name in commands().iter().filter(|name| !name.contains('-')) {
        assert!(first.replace("\\-", "-").contains(&format!("spore-{name}(1)")), "{name}");
    }
}

#[test]
fn pages_that_cannot_be_written_are_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let run = Run::of(&mut spore(&["man", file.join("man1").to_str().unwrap()])).exits(1);
    run.says("can't write the pages to").says("pass a directory that you can write to");
}
