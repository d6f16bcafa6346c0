//! The order of names in which numbers are compared as numbers: `h9` is before `h10`.

use std::cmp::Ordering;

/// A name in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Natural(pub(super) String);

/// A part of a name, and its value if it is a number.
type Part<'n> = (&'n str, Option<u128>);

impl Natural {
    /// The parts of the name, which alternate between digits and other characters.
    fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        let mut rest = self.0.as_str();
        while let Some(first) = rest.chars().next() {
            let is_same = |c: char| c.is_ascii_digit() == first.is_ascii_digit();
            let (part, others) = rest.split_at(rest.find(|c| !is_same(c)).unwrap_or(rest.len()));
            parts.push((part, part.parse().ok()));
            rest = others;
        }
        parts
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, two) = (self.parts(), other.parts());
        let part = |((a, n), (b, m)): (&Part<'_>, &Part<'_>)| match (n, m) {
            (Some(n), Some(m)) => n.cmp(m),
            _ => a.cmp(b),
        };
        let differs = one.iter().zip(&two).map(part).find(|order| order.is_ne());
        // Names that differ only in leading zeros are compared as they are.
        differs.unwrap_or_else(|| one.len().cmp(&two.len())).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers() {
        let sorted = [
            "*.g",
            "h",
            "h1",
            "h01a",
            "h2",
            "h10",
            "h10b2",
            "h10b10",
            "x-99999999999999999999999999999999999999999",
        ];
        for (at, one) in sorted.iter().enumerate() {
            for (to, other) in sorted.iter().enumerate() {
                assert_eq!(
                    Natural((*one).into()).cmp(&Natural((*other).into())),
                    at.cmp(&to),
                    "{one} {other}"
                );
            }
        }
        assert_ne!(Natural("h1".into()).cmp(&Natural("h01".into())), Ordering::Equal);
    }
}
