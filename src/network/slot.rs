//! An entry of a mapping, and the rules for its name.

use super::fields::Item;
use super::problem::{ProblemReport, Read};
use super::{At, Place};
use crate::finding::{Excerpt, FieldProblem, Finding, Referent, Scalar};
use std::str::FromStr;

/// An entry of a mapping.
pub(super) struct Slot<'t> {
    pub(super) name: &'t str,
    /// Whether the name was written without quotes, so that other readers may take it for a
    /// number. False if the name is that of a file.
    pub(super) plain: bool,
    /// The place of the name.
    pub(super) place: Place,
    pub(super) item: Item<'t>,
    pub(super) taken: bool,
    /// Whether an earlier entry has the same name. This one is only checked.
    pub(super) again: bool,
}

impl Slot<'_> {
    /// The name, checked as that of a host or a shape.
    pub(super) fn name_of<N: FromStr>(&self, of: Referent, report: &mut ProblemReport) -> Read<At<N>> {
        match self.name.parse() {
            Ok(value) => {
                self.warn_of_other_readers(report);
                Ok(At { value, place: self.place.clone() })
            }
            Err(_) => {
                let text = Excerpt::of(self.place.shown(self.name));
                Err(report.push(Finding::new(FieldProblem::Name { text, of }).at(&self.place)))
            }
        }
    }

    /// Warns if some YAML readers take the unquoted name for a value of another type.
    fn warn_of_other_readers(&self, report: &mut ProblemReport) {
        let Some(scalar) = taken_for(self.name).filter(|_| self.plain) else { return };
        let name = Excerpt::of(self.name);
        report.push(Finding::new(FieldProblem::ReadOtherwise { name, scalar }).at(&self.place));
    }
}

/// The type of an unquoted name in YAML 1.1, if it isn't text.
fn taken_for(name: &str) -> Option<Scalar> {
    let lower = name.to_ascii_lowercase();
    let radix = |prefix: &str, radix: u32| {
        lower.strip_prefix(prefix).is_some_and(|rest| u64::from_str_radix(rest, radix).is_ok())
    };
    let digits: String = lower.chars().filter(|&c| c != '_').collect();
    let begins_with_digit = lower.starts_with(|c: char| c.is_ascii_digit());
    match lower.as_str() {
        "yes" | "no" | "on" | "off" | "y" | "n" | "true" | "false" => Some(Scalar::Boolean),
        "null" => Some(Scalar::Null),
        _ if radix("0x", 16) || radix("0o", 8) || radix("0b", 2) => Some(Scalar::Number),
        _ if begins_with_digit && digits.parse::<f64>().is_ok() => Some(Scalar::Number),
        _ if is_date(&lower) => Some(Scalar::Date),
        _ => None,
    }
}

/// Whether the text is a date such as `2026-11-21`.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    matches!(lengths[..], [4, 1..=2, 1..=2]) && parts.into_iter().all(digits)
}
