//! Finds names that aren't valid in DNS, and generated names that would shadow the
//! network's own.

use crate::daemon::tau;
use crate::finding::{DomainNames, Excerpt, Finding, NameFlaw};
use crate::network::{At, Draft, nearest};
use std::net::IpAddr;

pub(super) fn check(draft: &Draft) -> Vec<Finding> {
    let domain = &draft.domain;
    let mut problems: Vec<_> =
        domain.root.iter().chain(&domain.generated).filter_map(of_the_network).collect();
    problems.extend(shadows(draft));
    for custom in domain.custom.values() {
        problems.extend(flaw(&custom.name).map(|why| not_in_dns(&custom.name, why)));
        problems.extend(leads_nowhere(&custom.service));
    }
    problems
}

/// Checks the network's own names. tau uses them as regular expressions without escaping
/// them: with `(` it panics, and `+` has another meaning. With other names that aren't
/// valid in DNS, tau starts, but can't be reached by them.
fn of_the_network(name: &At<String>) -> Option<Finding> {
    let why = flaw(name)?;
    Some(match name.contains(|c: char| "()[]{}*+?|\\^$".contains(c)) {
        true => Finding::new(DomainNames::Pattern(Excerpt::of(name.shown()))).at(&name.place),
        false => not_in_dns(name, why),
    })
}

fn not_in_dns(name: &At<String>, why: NameFlaw) -> Finding {
    Finding::new(DomainNames::NotInDns { name: Excerpt::of(name.shown()), why }).at(&name.place)
}

fn flaw(name: &str) -> Option<NameFlaw> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.len() > 253 {
        return Some(NameFlaw::TooLong);
    }
    if name.contains('/') {
        return Some(NameFlaw::UrlOrPath);
    }
    if name.parse::<IpAddr>().is_ok() {
        return Some(NameFlaw::IpAddress);
    }
    if name.ends_with('.') && name.len() > 1 {
        return Some(NameFlaw::FinalDot);
    }
    name.split('.').find_map(|part| match part {
        "" => Some(NameFlaw::EmptyPart),
        part if part.len() > 63 => Some(NameFlaw::PartTooLong),
        part if !part.chars().all(plain) => Some(NameFlaw::Characters),
        part if part.starts_with('-') || part.ends_with('-') => Some(NameFlaw::Hyphen),
        _ => None,
    })
}

/// Reports a root domain that is, or is below, the domain of generated names.
/// `*.<generated>` resolves to `substrate`, which would shadow the network's own names.
fn shadows(draft: &Draft) -> Option<Finding> {
    let (root, generated) = (draft.domain.root.as_ref()?, draft.domain.generated.as_ref()?);
    let below = |name: &str, domain: &str| name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let [name, domain] = [root, generated].map(|name| name.to_ascii_lowercase());
    let is_same = name == domain;
    if !is_same && !below(&name, &domain) {
        return None;
    }
    let what = DomainNames::Shadowed { is_same, root: Excerpt::of(root.shown()) };
    Some(Finding::new(what).at(&generated.place).at(&root.place))
}

fn leads_nowhere(service: &At<String>) -> Option<Finding> {
    if tau::service(service).is_some() {
        return None;
    }
    let near = nearest(service, tau::SERVICES.iter().map(|service| service.name));
    let shown = Excerpt::of(service.shown());
    let what = match near {
        None if **service == "node" => DomainNames::OldService { service: shown, name: "substrate" },
        near => DomainNames::NoService { service: shown, near },
    };
    Some(Finding::new(what).at(&service.place))
}
