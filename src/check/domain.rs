//! Names that aren't valid in DNS, and generated names that would shadow the
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
        let no_domain = |why| described(Diagnostic::warning, &custom.name, why);
        problems.extend(flaw(&custom.name).map(no_domain));
        problems.extend(leads_nowhere(&custom.service));
    }
    problems
}

/// tau uses the network's own names as regular expressions, unescaped: with `(`
/// it panics, and `+` means something else. With other names that aren't valid
/// in DNS it starts, but can't be reached by them.
fn of_the_network(name: &At<String>) -> Option<Diagnostic> {
    let why = flaw(name)?;
    Some(match name.contains(|c: char| "()[]{}*+?|\\^$".contains(c)) {
        true => described(Diagnostic::error, name, "tau would interpret this as a regular expression"),
        false => described(Diagnostic::warning, name, why),
    })
}

fn described(severity: fn(String) -> Diagnostic, name: &At<String>, why: &str) -> Diagnostic {
    let help = "use letters, digits and `-`, in parts of at most 63 characters separated by dots; write other scripts as `xn--…`";
    severity(format!("`{}` is not a domain name", name.shown())).at(&name.place, why).help(help)
}

fn flaw(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.len() > 253 {
        return Some("longer than 253 characters");
    }
    if name.contains('/') {
        return Some("this is a URL or a path");
    }
    if name.parse::<IpAddr>().is_ok() {
        return Some("this is an IP address");
    }
    if name.ends_with('.') && name.len() > 1 {
        return Some("it ends with a dot");
    }
    name.split('.').find_map(|part| match part {
        "" => Some("there is an empty part"),
        part if part.len() > 63 => Some("one part is longer than 63 characters"),
        part if !part.chars().all(plain) => Some("it has characters that aren't valid in DNS"),
        part if part.starts_with('-') || part.ends_with('-') => Some("one part begins or ends with `-`"),
        _ => None,
    })
}

/// `*.<generated>` resolves to `substrate`: the network's own names mustn't be
/// below it.
fn shadows(draft: &Draft) -> Option<Diagnostic> {
    let (root, generated) = (draft.domain.root.as_ref()?, draft.domain.generated.as_ref()?);
    let below = |name: &str, domain: &str| name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let [name, domain] = [root, generated].map(|name| name.to_ascii_lowercase());
    let message = if name == domain {
        "`generated` is the same as `root`"
    } else if below(&name, &domain) {
        "`root` is below `generated`"
    } else {
        return None;
    };
    Some(
        Diagnostic::warning(message)
            .at(&generated.place, "generated names are below this")
            .at(&root.place, "the network's own names are below this")
            .help(format!("use a separate domain, such as `g.{}`", root.shown())),
    )
}

fn leads_nowhere(service: &At<String>) -> Option<Diagnostic> {
    if tau::service(service).is_some() {
        return None;
    }
    let problem = Diagnostic::warning(format!("tau has no service `{}`", service.shown()));
    let help = match nearest(service, tau::SERVICES.iter().map(|service| service.name)) {
        None if **service == "node" => "its current name is `substrate`".to_owned(),
        Some(near) => format!("did you mean `{near}`?"),
        None => "write the service that this domain resolves to, such as `substrate`".to_owned(),
    };
    Some(problem.at(&service.place, "this domain would resolve to nothing").help(help))
}
