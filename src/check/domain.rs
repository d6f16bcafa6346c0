//! Names that DNS can't have, and generated names that would shadow the
//! network's own.

use crate::network::{At, Diagnostic, Draft, nearest};
use crate::tau;
use std::net::IpAddr;

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    let domain = &draft.domain;
    let mut problems: Vec<_> =
        domain.root.iter().chain(&domain.generated).filter_map(of_the_network).collect();
    problems.extend(shadows(draft));
    for custom in domain.custom.values() {
        let no_domain = |why| described(Diagnostic::warning(NO_DOMAIN), &custom.name, why);
        problems.extend(flaw(&custom.name).map(no_domain));
        problems.extend(leads_nowhere(&custom.service));
    }
    problems
}

const NO_DOMAIN: &str = "not the name of a domain";

/// tau makes a regular expression of the network's own names, as they are: with
/// `(` it panics, and `+` means something else. With other names that DNS can't
/// have it starts, and nobody finds it.
fn of_the_network(name: &At<String>) -> Option<Diagnostic> {
    let why = flaw(name)?;
    Some(match name.contains(|c: char| "()[]{}*+?|\\^$".contains(c)) {
        true => described(Diagnostic::error(NO_DOMAIN), name, "tau takes this for a regular expression"),
        false => described(Diagnostic::warning(NO_DOMAIN), name, why),
    })
}

fn described(problem: Diagnostic, name: &At<String>, why: &str) -> Diagnostic {
    let help = "letters, digits and `-` in parts of at most 63, parted by dots; other scripts as `xn--…`";
    problem.at(&name.place, why).help(help)
}

fn flaw(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.len() > 253 {
        return Some("it has more than 253 characters");
    }
    if name.contains('/') {
        return Some("this is an address of the web");
    }
    if name.parse::<IpAddr>().is_ok() {
        return Some("this is an address, not a name");
    }
    if name.ends_with('.') && name.len() > 1 {
        return Some("it ends with a dot");
    }
    name.split('.').find_map(|part| match part {
        "" => Some("a part of it is empty"),
        part if part.len() > 63 => Some("a part of it has more than 63 characters"),
        part if !part.chars().all(plain) => Some("it has characters that no domain has"),
        part if part.starts_with('-') || part.ends_with('-') => Some("a part of it begins or ends with `-`"),
        _ => None,
    })
}

/// `*.<generated>` leads to `substrate`: the network's own names mustn't be
/// below it.
fn shadows(draft: &Draft) -> Option<Diagnostic> {
    let (root, generated) = (draft.domain.root.as_ref()?, draft.domain.generated.as_ref()?);
    let below = |name: &str, domain: &str| name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let [name, domain] = [root, generated].map(|name| name.to_ascii_lowercase());
    let message = if name == domain {
        "generated names are mixed with the network's own"
    } else if below(&name, &domain) {
        "the network's own names are below those that are generated"
    } else {
        return None;
    };
    Some(
        Diagnostic::warning(message)
            .at(&generated.place, "what is generated is below this")
            .at(&root.place, "what is the network's own is below this")
            .help(format!("use a domain of its own, such as `g.{}`", root.shown())),
    )
}

fn leads_nowhere(service: &At<String>) -> Option<Diagnostic> {
    if tau::service(service).is_some() {
        return None;
    }
    let problem = Diagnostic::warning(format!("tau has no service `{}`", service.shown()));
    let help = match nearest(service, tau::SERVICES.iter().map(|service| service.name)) {
        None if **service == "node" => "today it is called `substrate`".to_owned(),
        Some(near) => format!("did you mean `{near}`?"),
        None => "name the service that answers for this domain, such as `substrate`".to_owned(),
    };
    Some(problem.at(&service.place, "this domain leads nowhere").help(help))
}
