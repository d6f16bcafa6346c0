//! The binaries that `tau.yaml` names by path: each exists, is complete, is the pinned
//! file, and is a tau for the architecture under which it is listed. Downloads are
//! checked when they are fetched.

use crate::artifact::{self, Cache, Source};
use crate::network::{Diagnostic, Draft};

/// All problems with them. Unlike the other checks this one reads
/// files, about 100 MB each; `plan` and `apply` don't need it, because they read
/// these files anyway.
pub fn binaries(draft: &Draft) -> Vec<Diagnostic> {
    let local = draft.tau.iter().filter(|(_, pin)| matches!(pin.value.source, Source::Path(_)));
    local
        .filter_map(|(architecture, pin)| {
            let fetched = artifact::fetch(*architecture, pin, &draft.folder, &Cache::none(), &mut |_| {});
            let error = fetched.err()?;
            let message = match error.causes() {
                causes if causes.is_empty() => format!("tau for {architecture}: {error}"),
                causes => format!("tau for {architecture}: {error}: {causes}"),
            };
            let problem = Diagnostic::error(message).at(&pin.place, "this file");
            Some(match (&error, error.help()) {
                (artifact::FetchError::File(..), _) | (_, None) => {
                    problem.help("copy it there, or pin another with `spore tau pin URL|FILE`")
                }
                (_, Some(help)) => problem.help(help),
            })
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::artifact::{Architecture, Pin, Pins, Sha256};
    use crate::network::{Links, Secrets};
    use crate::pretend::program;
    use std::fs;

    /// What is said of a pin of `pinned` where `there` is at its path.
    fn said(pinned: &[u8], there: Option<&[u8]>) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::Path("tau".to_owned());
        let pin = Pin { source, sha256: Sha256::of(pinned), binary: None, version: None };
        let pins = Pins([(Architecture::Amd64, pin)].into());
        fs::write(folder.path().join("tau.yaml"), pins.to_yaml()).unwrap();
        if let Some(there) = there {
            fs::write(folder.path().join("tau"), there).unwrap();
        }
        let problems = binaries(&Draft::read(folder.path(), Secrets::Elsewhere, Links::Inside));
        assert!(problems.iter().all(|problem| problem.is_in("tau.yaml") && problem.is_error()));
        let shown = problems.iter().map(|problem| format!("{problem} ({})", problem.advice().unwrap()));
        shown.map(|text| text.replace(folder.path().to_str().unwrap(), "FOLDER")).collect()
    }

    #[test]
    fn a_whole_tau_is_fine_and_nothing_else_is() {
        let tau = program(Architecture::Amd64, "one");
        assert_eq!(said(&tau, Some(&tau)), Vec::<String>::new());
        let missing = said(&tau, None);
        assert!(
            missing[0].starts_with("tau for amd64: can't use FOLDER/tau: the file can't be read: "),
            "{missing:?}"
        );
        let half = &tau[..tau.len() - 1];
        let truncated = said(&tau, Some(half));
        assert!(truncated[0].contains("isn't the pinned file"), "{truncated:?}");
        // Pinned by hand, with the right digest.
        let truncated = said(&tau[..100], Some(&tau[..100]));
        assert!(truncated[0].contains("it is truncated"), "{truncated:?}");
        let arm = program(Architecture::Arm64, "one");
        let arm = said(&arm, Some(&arm));
        assert!(arm[0].contains("is pinned for amd64, but is a program for arm64"), "{arm:?}");
        let other = fs::read("/bin/true").unwrap();
        let other = said(&other, Some(&other));
        assert!(other[0].contains("Go's build information is missing"), "{other:?}");
    }
}
