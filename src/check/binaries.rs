//! Checks the binaries that `tau.yaml` names by path: each exists, is complete, is the
//! pinned file, and is a tau for the architecture under which it is listed. Downloads are
//! checked when they are fetched.

use crate::artifact::{self, Cache, FetchError, FileError, Source};
use crate::finding::{Binaries, Finding};
use crate::network::{Draft, Secrets};
use std::io;
use std::sync::Arc;

/// All problems with the binaries that `tau.yaml` names by path. Unlike the other checks,
/// this one reads files, of about 100 MB each. `plan` and `apply` don't need this check,
/// because they read the same files anyway.
pub fn binaries(draft: &Draft) -> Vec<Finding> {
    let local = draft.tau.iter().filter(|(_, pin)| matches!(pin.value.source, Source::Path(_)));
    local
        .filter_map(|(architecture, pin)| {
            let fetched = artifact::fetch(*architecture, pin, &draft.folder, &Cache::none(), &mut |_| {});
            let error = fetched.err()?;
            if draft.secrets == Secrets::Elsewhere && is_absent(&error) {
                // A binary is seldom committed, so a pull request's checkout lacks it, too.
                return Some(Finding::new(Binaries::Missing(*architecture)).at(&pin.place));
            }
            let what = Binaries::Unusable { architecture: *architecture, error: Arc::new(error) };
            Some(Finding::new(what).at(&pin.place))
        })
        .collect()
}

fn is_absent(error: &FetchError) -> bool {
    matches!(error, FetchError::File(_, FileError::Read(error)) if error.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::artifact::{Architecture, Pin, Pins, Sha256};
    use crate::finding::{Kind, Severity};
    use crate::network::Links;
    use crate::pretend::program;
    use std::fs;

    /// The errors about a pin of `pinned` if `there` is at its path.
    fn said(pinned: &[u8], there: Option<&[u8]>) -> Vec<String> {
        let (problems, folder) = problems(pinned, there, Secrets::Needed);
        assert!(
            problems.iter().all(|problem| problem.is_in(|file| file == "tau.yaml") && problem.is_error())
        );
        let error = |problem: &Finding| match problem.kind() {
            Kind::Binaries(Binaries::Unusable { error, .. }) => format!("{error}: {}", error.causes()),
            other => panic!("{other:?}"),
        };
        problems.iter().map(|problem| error(problem).replace(&folder, "FOLDER")).collect()
    }

    /// The problems with such a pin, and the folder's path.
    fn problems(pinned: &[u8], there: Option<&[u8]>, secrets: Secrets) -> (Vec<Finding>, String) {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::Path("tau".to_owned());
        let pin = Pin::new(source, Sha256::of(pinned));
        let pins = Pins([(Architecture::Amd64, pin)].into());
        fs::write(folder.path().join("tau.yaml"), pins.to_yaml()).unwrap();
        if let Some(there) = there {
            fs::write(folder.path().join("tau"), there).unwrap();
        }
        let problems = binaries(&Draft::read(folder.path(), secrets, Links::Inside));
        (problems, folder.path().to_str().unwrap().to_owned())
    }

    #[test]
    fn without_secrets_a_missing_tau_is_only_a_note() {
        let tau = program(Architecture::Amd64, "one");
        let (problems, _) = problems(&tau, None, Secrets::Elsewhere);
        let [note] = &problems[..] else { panic!("{problems:?}") };
        assert!(matches!(note.kind(), Kind::Binaries(Binaries::Missing(Architecture::Amd64))));
        assert_eq!(note.severity(), Severity::Note);
        let (problems, _) = self::problems(&tau, Some(b"another"), Secrets::Elsewhere);
        assert!(problems[0].is_error(), "{problems:?}");
    }

    #[test]
    fn a_whole_tau_is_fine_and_nothing_else_is() {
        let tau = program(Architecture::Amd64, "one");
        assert_eq!(said(&tau, Some(&tau)), Vec::<String>::new());
        let missing = said(&tau, None);
        assert!(missing[0].starts_with("can't use FOLDER/tau: the file can't be read: "), "{missing:?}");
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
