//! Writes the pins of `tau.yaml`.

use super::{Edits, Impossible};
use crate::artifact::{Architecture, Fetch, Pin, Pins, Source};
use crate::edit::{self, Change, New, Path, Refused};
use crate::network::Component;
use std::collections::BTreeMap;

impl Edits<'_> {
    /// Pins a tau. Of a pin that is there, only the fields that differ change.
    ///
    /// # Errors
    /// The file can't be edited safely.
    pub fn pin(&mut self, architecture: Architecture, pin: &Pin) -> Result<(), Impossible> {
        let name = architecture.name();
        let (file, path) = self.place(Component::Tau, &[name])?;
        if self.text(&file).is_none() && !path.0.is_empty() {
            let pins = Pins(BTreeMap::from([(architecture, pin.clone())]));
            self.change(&file, Some(pins.to_yaml()), false);
            return Ok(());
        }
        self.edit_pin(name, pin).map_err(|error| match error {
            // One field of a pin is of no use without the others.
            Impossible::Refused { file, refused } => {
                let fields = present(pin);
                let lines = match path.0.is_empty() {
                    true => {
                        let line = |(field, value)| edit::by_hand(field, &value);
                        fields.map(line).collect::<Vec<_>>().join("\n")
                    }
                    false => edit::by_hand(name, &New::map(fields)),
                };
                Impossible::Refused { file, refused: Refused { path: Path::default(), lines, ..refused } }
            }
            other => other,
        })
    }

    fn edit_pin(&mut self, name: &str, pin: &Pin) -> Result<(), Impossible> {
        if self.value(Component::Tau, &[name])?.is_none() {
            return self.add_entry(Component::Tau, name, New::map(present(pin)));
        }
        fields(pin).into_iter().try_for_each(|(field, value)| self.pin_field(name, field, value))
    }

    /// Sets, adds or removes a field of a pin, unless it has this value already.
    fn pin_field(&mut self, name: &str, field: &str, value: Option<New>) -> Result<(), Impossible> {
        let keys = [name, field];
        let before = self.value(Component::Tau, &keys)?;
        let (file, path) = self.place(Component::Tau, &keys)?;
        match (before, value) {
            (None, None) => Ok(()),
            (Some(_), None) => self.edit(&file, &path, &Change::Remove),
            (None, Some(value)) => {
                let (file, path) = self.place(Component::Tau, &keys[..1])?;
                self.edit(&file, &path, &Change::Add(field.to_owned(), value))
            }
            (Some(before), Some(value)) if value.means(&before) => Ok(()),
            (Some(_), Some(value)) => self.edit(&file, &path, &Change::Set(value)),
        }
    }
}

/// The fields that a pin has.
fn present(pin: &Pin) -> impl Iterator<Item = (&'static str, New)> {
    fields(pin).into_iter().filter_map(|(field, value)| Some((field, value?)))
}

/// The fields of a pin in the order in which they are written; `None` for those that it lacks.
fn fields(pin: &Pin) -> Vec<(&'static str, Option<New>)> {
    let Pin { source, mirrors, fetch, sha256, binary, version, size } = pin;
    let (path, url) = match source {
        Source::Path(path) => (Some(New::text(path)), None),
        Source::Url(url) => (None, Some(New::text(url.as_str()))),
    };
    let urls = mirrors.iter().map(|url| New::text(url.as_str())).collect();
    vec![
        ("path", path),
        ("url", url),
        ("mirrors", (!mirrors.is_empty()).then_some(New::List(urls))),
        ("fetch", (*fetch != Fetch::default()).then(|| New::text(fetch.name()))),
        ("sha256", Some(New::text(sha256))),
        ("binary", binary.as_ref().map(New::text)),
        ("version", version.as_ref().map(New::text)),
        ("size", size.map(|size| New::Plain(size.to_string()))),
    ]
}
