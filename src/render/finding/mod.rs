//! The words for a finding: a message, a label for each of its places, and how to fix it.
//! The entry point is [`wording`].

mod checks;
mod reading;

use crate::finding::{Finding, Kind, Place, readable};
use std::borrow::Cow;

/// A finding in words.
#[derive(Clone, Debug)]
pub struct Wording {
    /// What was found: a lowercase fragment.
    pub message: String,
    /// The places, each with the text that is shown there; the primary place is first.
    pub labels: Vec<(Place, String)>,
    /// How to fix it: an edit that the user can make.
    pub help: String,
}

/// The words for a finding. Quoted text is shortened, and its control characters are
/// escaped.
pub fn wording(finding: &Finding) -> Wording {
    let Words { message, labels, help } = words(finding);
    let mut wording = Wording { message: readable(&message), labels: Vec::new(), help: readable(&help) };
    let texts = labels.iter().map(|text| &**text).chain(std::iter::repeat(""));
    for (place, text) in finding.places().iter().zip(texts) {
        wording.label(place, text);
    }
    if let Some(host) = finding.anchored() {
        wording.help = readable(&format!("{}; every entry is a host, including `{host}`", wording.help));
    }
    wording
}

/// The label where the value of an alias is defined.
const DEFINED: &str = "defined here";

impl Wording {
    /// Adds a label. If the place is an alias, the place where its value is defined gets a
    /// label, too.
    fn label(&mut self, place: &Place, text: &str) {
        let text = readable(text);
        match self.labelled(place) {
            // The place was already labelled as the definition of an alias.
            Some(label) if label.ends_with(DEFINED) => *label = format!("{text}; {label}"),
            _ => self.labels.push((place.clone(), text)),
        }
        let Some(definition) = place.definition() else { return };
        if self.labelled(&definition).is_none() {
            let alias = place.source().text().get(place.span()).unwrap_or_default();
            let is_named = alias.starts_with('*') && !alias.contains("**");
            let label = if is_named { format!("`{alias}` is {DEFINED}") } else { DEFINED.to_owned() };
            self.labels.push((definition, readable(&label)));
        }
    }

    /// The label at exactly this place.
    fn labelled(&mut self, place: &Place) -> Option<&mut String> {
        let same = |other: &Place| other.file() == place.file() && other.span() == place.span();
        self.labels.iter_mut().find(|(other, _)| same(other)).map(|(_, text)| text)
    }
}

type Text = Cow<'static, str>;

/// The words for a kind of finding. The labels are in the order of the finding's places;
/// further places get empty labels.
struct Words {
    message: Text,
    labels: Vec<Text>,
    help: Text,
}

fn say<L: Into<Text>>(
    message: impl Into<Text>,
    labels: impl IntoIterator<Item = L>,
    help: impl Into<Text>,
) -> Words {
    let labels = labels.into_iter().map(Into::into).collect();
    Words { message: message.into(), labels, help: help.into() }
}

fn words(finding: &Finding) -> Words {
    match finding.kind() {
        Kind::Yaml(mistake) => reading::yaml(mistake, finding),
        Kind::Folder(what) => reading::folder(what),
        Kind::Field(what) => reading::field(what),
        Kind::Key(what) => reading::key(what),
        Kind::Addresses(what) => checks::addresses(what),
        Kind::Binaries(what) => checks::binaries(what),
        Kind::Domain(what) => checks::domain(what),
        Kind::Elders(what) => checks::elders(what),
        Kind::Git(what) => checks::git(what),
        Kind::Identities(what) => checks::identities(what),
        Kind::Locations(what) => checks::locations(what),
        Kind::Logins(what) => checks::logins(what),
        Kind::Ports(what) => checks::ports(what, finding.places().len()),
        Kind::Services(what) => checks::services(what),
        Kind::Shapes(what) => checks::shapes(what),
    }
}

/// Example: `` `a`, `b` ``.
fn quoted(names: &[impl std::fmt::Display]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::wording;
    use crate::network::{Files, Network};

    /// A very long name is shown in part, and control characters in names aren't shown.
    #[test]
    fn what_is_shown_is_bounded_and_harmless() {
        let mut files = Files::new("folder");
        let name = "n".repeat(100_000);
        files.insert("shapes.yaml", format!("s: {{? {name} : 1, \"\\e[31m\": 2, \u{9b}: 3}}"));
        let problems = Network::from_files(&files).unwrap_err();
        for problem in problems.0.iter().map(wording) {
            let message = problem.message;
            assert!(message.len() < 500 && !message.contains(char::is_control), "{message}");
            for (place, _) in problem.labels {
                assert!(place.underlined().len() <= 400, "{message}");
                assert!(!place.source().text().contains(char::is_control), "{message}");
            }
        }
    }
}
