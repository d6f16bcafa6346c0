//! The conditions that must hold for any bytes that are read as a saved plan or as a file with
//! facts. Tests use this file, and so does `tests/fuzz`.

use spore_drive::facts::file::{FactsFile, FileError, Gathered, HostAnswer, stored};
use spore_drive::facts::{self, interpret};
use spore_drive::plan::file::PlanFile;
use spore_drive::render::{self, Style};
use spore_drive::resource::{HostName, Redactor, SecretBytes, is_hidden};

/// What is accepted as a plan is shown as text, and can be written and read again. Returns
/// whether it is accepted.
pub(crate) fn judge_plan(bytes: &[u8]) -> bool {
    match PlanFile::parse(bytes) {
        Ok(plan) => {
            is_harmless(
                &(render::header(&plan.plan, &plan.facts.at) + &render::text(&plan.plan, Style::Plain)),
            );
            render::age(&plan.facts.at, 0);
            assert_eq!(PlanFile::parse(&plan.to_bytes()).as_ref(), Ok(&plan));
            answers(&plan.facts);
            true
        }
        Err(error) => refused(&error, "spore plan -o FILE"),
    }
}

/// What is accepted as facts can be written and read again, up to the facts of each host.
/// Returns whether it is accepted.
pub(crate) fn judge_facts(bytes: &[u8]) -> bool {
    match FactsFile::parse(bytes) {
        Ok(file) => {
            assert_eq!(FactsFile::parse(&file.to_bytes()).as_ref(), Ok(&file));
            answers(&file.facts);
            true
        }
        Err(error) => refused(&error, "spore facts -o FILE"),
    }
}

fn is_harmless(text: &str) {
    let wrong = text.split('\n').find(|line| line.contains(is_hidden));
    assert_eq!(wrong, None, "shown as it is");
}

/// The error can be shown, and says what to do.
fn refused(error: &FileError, command: &str) -> bool {
    let (what, help) = render::unusable_file(error, command);
    is_harmless(&format!("{what}; {help}"));
    assert!(help.contains('`'), "{help}");
    false
}

/// An answer is stored as it was read, and a password in it changes nothing.
fn answers(gathered: &Gathered) {
    let redactor = Redactor::new(&[SecretBytes::new("hunter2")], [""; 0]);
    for (name, answer) in &gathered.hosts {
        let (Ok(name), HostAnswer::Answer(lines)) = (name.parse::<HostName>(), answer) else { continue };
        let answer = HostAnswer::untrusted(lines);
        let Ok(facts) = facts::parse(&answer, &redactor) else { continue };
        interpret(&name, &facts);
        let once = stored(&name, &answer, &redactor).unwrap();
        let twice = stored(&name, &HostAnswer::untrusted(&once), &redactor);
        assert_eq!(twice, Some(once));
    }
}
