//! Whatever a folder holds, `check` ends soon, in little memory, and shows no
//! secret: by size in `limits`, by damage in `damage`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod limits;

use spore_drive::check::check;
use spore_drive::network::{Diagnostic, Draft, Files, Secrets};
use spore_drive::render::{self, Style};

/// All that `spore check` has to say of a folder.
fn problems_of(files: &Files, secrets: Secrets) -> Vec<Diagnostic> {
    let mut draft = Draft::from_files(files, secrets);
    draft.report(check(&draft));
    draft.problems().to_vec()
}

fn shown(problems: &[Diagnostic]) -> String {
    render::problems(problems, Style::Plain)
}
