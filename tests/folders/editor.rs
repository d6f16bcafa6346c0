//! What an editor shows of the cases: no finding survives its fix, and whatever is written where, there is
//! an answer, without a secret.

use crate::folder::{lines, read};
use crate::secrets::secrets;
use crate::{HOSTILE, cases, cases_in, name};
use spore_drive::check;
use spore_drive::editor::{Cursor, Spot, fixes, unmarked};
use spore_drive::network::{Draft, Files, Finding, Links, Outside, Secrets};
use spore_drive::render::{self, wording};
use std::collections::BTreeSet;
use std::path::Path;

fn outside() -> Outside {
    Links::Inside.into()
}

/// The findings as an editor shows them.
fn shown(draft: &Draft) -> Vec<String> {
    draft.problems().iter().map(|finding| render::editor::diagnosis(finding).0).collect()
}

fn errors(draft: &Draft) -> usize {
    draft.problems().iter().filter(|finding| finding.is_error()).count()
}

/// The text of a file after an edit.
fn edited(files: &Files, spot: &Spot, text: &str) -> String {
    let whole = files.text(&spot.file).unwrap();
    let body = unmarked(whole);
    let mark = &whole[..whole.len() - body.len()];
    format!("{mark}{}{text}{}", &body[..spot.span.start], &body[spot.span.end..])
}

#[test]
fn no_finding_survives_its_fix() {
    let mut fixed = BTreeSet::new();
    for case in cases() {
        let (scratch, draft) = read(&case);
        let folder = scratch.path().join("folder");
        let secrets = draft.secrets;
        let Ok(files) = Files::read(&folder, &outside()) else { continue };
        let before = check::files(&files, secrets);
        for finding in before.problems() {
            let message = render::editor::diagnosis(&finding).0;
            let count = |draft: &Draft| shown(draft).iter().filter(|other| **other == message).count();
            for fix in fixes(&finding, &files) {
                let text = edited(&files, &fix.spot, &fix.text);
                let change = [(fix.spot.file.as_str(), Some(text.as_bytes()))];
                let after = check::files(&Files::read_with(&folder, &outside(), change).unwrap(), secrets);
                let now = || format!("{}: {message}: {fix:?}:\n{text}\n{:#?}", name(&case), shown(&after));
                assert!(count(&after) < count(&before), "the finding is still there: {}", now());
                // What was hidden by the mistake may be found now, but nothing else breaks.
                assert!(errors(&after) <= errors(&before) + 1, "{}", now());
                fixed.insert(render::id(&finding));
            }
        }
    }
    for id in [
        "field/listed-twice",
        "field/misspelt",
        "field/missing",
        "field/port",
        "field/reference",
        "field/unknown",
        "key/mismatch",
        "locations/swapped",
        "services/unknown",
        "yaml/syntax",
    ] {
        assert!(fixed.contains(id), "{id}: {fixed:?}");
    }
}

/// Everything that is answered at a position.
fn answers(cursor: Cursor<'_>) -> String {
    let about = cursor.about().map(|(_, about)| render::editor::hover(&about));
    let offered = cursor.completions().map(|(_, offered)| offered);
    let places = (cursor.definition(), cursor.references(true));
    format!("{about:?} {offered:?} {places:?}")
}

/// The offsets at which a case is tried: those of many characters, because each takes a while.
fn offsets(text: &str) -> impl Iterator<Item = usize> {
    let step = 1 + text.len() / 12;
    (0..=text.len().min(5_000)).step_by(step).map(|at| text.floor_char_boundary(at))
}

#[test]
fn every_position_has_an_answer_without_a_secret() {
    let secrets = secrets();
    let mut count = 0;
    for case in cases().into_iter().chain(cases_in(HOSTILE, 5)) {
        let (scratch, draft) = read(&case);
        let Ok(files) = Files::read(&scratch.path().join("folder"), &outside()) else { continue };
        let own = lines(&case.join("secrets"));
        let check = |cursor: Cursor<'_>| {
            let said = answers(cursor);
            let leaked = secrets.iter().chain(&own).find(|secret| said.contains(*secret));
            // The path of a file is where a definition is, and isn't shown.
            let in_path =
                leaked.is_some_and(|secret| format!("{:?}", cursor.definition()).contains(secret.as_str()));
            assert!(leaked.is_none() || in_path, "{}: {leaked:?}: {said}", name(&case));
        };
        for file in yaml_files(&scratch.path().join("folder")) {
            let Some(text) = files.text(&file).map(unmarked) else { continue };
            for offset in offsets(text) {
                count += 1;
                check(Cursor { files: &files, draft: &draft, file: &file, offset });
            }
            // While it is written, the file ends somewhere.
            for offset in offsets(text).step_by(2) {
                let mut written = files.clone();
                written.insert(file.clone(), &text.as_bytes()[..offset]);
                check(Cursor { files: &written, draft: &draft, file: &file, offset });
            }
        }
    }
    assert!(count > 1000, "{count}");
}

fn yaml_files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let entries = |folder: &Path| -> Vec<_> {
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    };
    for path in
        entries(folder).into_iter().flat_map(|path| if path.is_dir() { entries(&path) } else { vec![path] })
    {
        let name = path.strip_prefix(folder).unwrap().to_str().map(str::to_owned);
        found.extend(name.filter(|name| name.ends_with("yaml") || name.ends_with("yml")));
    }
    found
}

/// The help of a finding says what its fix does.
#[test]
fn findings_have_their_help() {
    let mut files = Files::new("folder");
    files.insert("shapes.yaml", "s:\n  servces: [tns]\n  ports: {main: 4242}\n");
    let draft = Draft::from_files(&files, Secrets::Needed);
    let is_it = |finding: &Finding| wording(finding).message.contains("servces");
    let finding = draft.problems().into_iter().find(is_it).unwrap();
    let (message, id, _) = render::editor::diagnosis(&finding);
    assert!(message.ends_with("\nhelp: did you mean `services`?"), "{message}");
    let [fix] = &fixes(&finding, &files)[..] else { panic!("{id}") };
    assert_eq!(render::editor::fix(&fix.what), "Replace with `services`");
    assert_eq!(edited(&files, &fix.spot, &fix.text), "s:\n  services: [tns]\n  ports: {main: 4242}\n");
}
