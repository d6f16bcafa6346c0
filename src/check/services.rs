//! Services that tau doesn't have, or that won't do what they are for.

use super::{MOST, problem, used};
use crate::identity::check_app_key;
use crate::network::{At, Diagnostic, Draft, Secrets, ShapeDraft, TenancyDraft, nearest};
use crate::tau;

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    let used = used(draft);
    let mut problems: Vec<_> = draft
        .shapes
        .values()
        .flat_map(|shape| shape.services.iter().map(|service| (service, used.contains(&*shape.name))))
        .filter_map(|(service, runs)| unknown(service, runs))
        .take(MOST)
        .collect();
    for shape in draft.shapes.values() {
        problems.extend(gateway_and_substrate(shape));
        problems.extend(service(shape, "accounts").map(|accounts| {
            Diagnostic::warning("`accounts` is only in tau's enterprise build")
                .at(&accounts.place, "any other tau refuses to start")
                .help("remove it, unless your tau has it")
        }));
    }
    let auth = draft.shapes.values().filter(|shape| used.contains(&*shape.name));
    if let Some(auth) = auth.into_iter().find_map(|shape| service(shape, "auth")) {
        problems.extend(tenancy(auth, draft));
        problems.extend(validation(auth, draft));
    }
    problems
}

fn service<'s>(shape: &'s ShapeDraft, name: &str) -> Option<&'s At<String>> {
    shape.services.iter().find(|service| service.as_str() == name)
}

/// `service-nosuch`
fn unknown(service: &At<String>, runs: bool) -> Option<Diagnostic> {
    if tau::service(service).is_some() {
        return None;
    }
    let names = || tau::SERVICES.iter().map(|service| service.name);
    let help = match nearest(service, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("tau has {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    let problem = problem(runs, format!("tau has no service `{}`", service.shown()));
    Some(problem.at(&service.place, "tau refuses to start").help(help))
}

fn gateway_and_substrate(shape: &ShapeDraft) -> Option<Diagnostic> {
    let (gateway, substrate) = (service(shape, "gateway")?, service(shape, "substrate")?);
    Some(
        Diagnostic::warning(format!("`gateway` and `substrate` are both in shape `{}`", *shape.name))
            .at(&gateway.place, "tau's documentation says that they don't go together")
            .at(&substrate.place, "this one")
            .help("give one of the two a shape and a host of its own"),
    )
}

/// `auth-without-tenancy`, `auth-tenancy-without-app`,
/// `auth-tenancy-app-key-malformed`
fn tenancy(auth: &At<String>, draft: &Draft) -> Option<Diagnostic> {
    const REFUSES: &str = "tau refuses to start `auth` without";
    if draft.partial.tenancy {
        return None;
    }
    let Some(TenancyDraft { owner, app, place, .. }) = &draft.tenancy else {
        return Some(
            Diagnostic::error("`auth` has no tenancy")
                .at(&auth.place, "tau refuses to start it without")
                .help("write `tenancy.yaml`: `provider`, `owner` and `app`, with `client-id` and `key`"),
        );
    };
    let client_id = app.as_ref().and_then(|app| app.client_id.as_ref());
    let key = app.as_ref().and_then(|app| app.key.as_ref());
    let place = owner.as_ref().map_or(place, |owner| &owner.place);
    match (client_id, key) {
        (None, _) => Some(
            Diagnostic::error("the tenancy has no application's `client-id`")
                .at(place, "this owner's")
                .at(&auth.place, REFUSES)
                .help("add `app: {client-id: Iv1.…, key: |…}`, as the owner's provider shows it"),
        ),
        // Whoever has the secrets has it.
        (_, None) if draft.secrets == Secrets::Elsewhere => None,
        (_, None) => Some(
            Diagnostic::error("the tenancy has no application's `key`")
                .at(place, "this owner's")
                .at(&auth.place, REFUSES)
                .help("add the application's private key below `app`: `key: |`, in PEM"),
        ),
        (_, Some(key)) => {
            let why = check_app_key(key.expose()).err()?;
            Some(
                Diagnostic::error(format!("the key of the tenancy's application is {why}"))
                    .at(&key.place, "this key")
                    .at(&auth.place, REFUSES)
                    .help("put the private RSA key of the application there, in PEM: `key: |` and its lines"),
            )
        }
    }
}

/// `auth-with-public-key-only` runs, and fails its users later.
fn validation(auth: &At<String>, draft: &Draft) -> Option<Diagnostic> {
    let keys = draft.domain.validation.as_ref().filter(|keys| keys.private().is_none())?;
    Some(
        Diagnostic::warning("`auth` has no private validation key")
            .at(&auth.place, "it starts, and fails whoever wants a domain validated")
            .at(&keys.place, "only the public half is here")
            .help("add `private`, the path of the private half"),
    )
}
