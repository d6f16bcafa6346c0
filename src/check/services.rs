//! Services that tau doesn't have, or that won't work.

use super::{MOST, used};
use crate::identity::check_app_key;
use crate::network::{At, Diagnostic, Draft, Secrets, ShapeDraft, TenancyDraft, nearest};
use crate::tau;

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    let used = used(draft);
    let mut problems: Vec<_> = draft
        .shapes
        .values()
        .filter(|shape| used.contains(&*shape.name))
        .flat_map(|shape| &shape.services)
        .filter_map(unknown)
        .take(MOST)
        .collect();
    for shape in draft.shapes.values() {
        problems.extend(gateway_and_substrate(shape));
        problems.extend(service(shape, "accounts").map(|accounts| {
            Diagnostic::warning("`accounts` exists only in tau's enterprise build")
                .at(&accounts.place, "other builds refuse to start")
                .help("remove it, unless you run the enterprise build")
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
fn unknown(service: &At<String>) -> Option<Diagnostic> {
    if tau::service(service).is_some() {
        return None;
    }
    let names = || tau::SERVICES.iter().map(|service| service.name);
    let help = match nearest(service, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("tau has {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    let problem = Diagnostic::error(format!("tau has no service `{}`", service.shown()));
    Some(problem.at(&service.place, "tau refuses to start with it").help(help))
}

fn gateway_and_substrate(shape: &ShapeDraft) -> Option<Diagnostic> {
    let (gateway, substrate) = (service(shape, "gateway")?, service(shape, "substrate")?);
    Some(
        Diagnostic::warning(format!("shape `{}` runs both `gateway` and `substrate`", *shape.name))
            .at(&gateway.place, "tau's documentation advises against this")
            .at(&substrate.place, "the other one")
            .help("move one of the two to another shape, on another host"),
    )
}

/// `auth-without-tenancy`, `auth-tenancy-without-app`,
/// `auth-tenancy-app-key-malformed`
fn tenancy(auth: &At<String>, draft: &Draft) -> Option<Diagnostic> {
    const REFUSES: &str = "tau refuses to start `auth` without it";
    if draft.partial.tenancy {
        return None;
    }
    let Some(TenancyDraft { owner, app, place, .. }) = &draft.tenancy else {
        return Some(
            Diagnostic::error("`auth` needs a tenancy")
                .at(&auth.place, REFUSES)
                .help("write `tenancy.yaml`, with `provider`, `owner` and `app: {client-id: …, key: …}`"),
        );
    };
    let client_id = app.as_ref().and_then(|app| app.client_id.as_ref());
    let key = app.as_ref().and_then(|app| app.key.as_ref());
    let place = owner.as_ref().map_or(place, |owner| &owner.place);
    match (client_id, key) {
        (None, _) => Some(
            Diagnostic::error("the tenancy has no `app.client-id`")
                .at(place, "of this owner")
                .at(&auth.place, REFUSES)
                .help("add `app: {client-id: Iv1.…, key: |…}`, as shown by the provider"),
        ),
        // It is a secret, so it may be missing.
        (_, None) if draft.secrets == Secrets::Elsewhere => None,
        (_, None) => Some(
            Diagnostic::error("the tenancy has no `app.key`")
                .at(place, "of this owner")
                .at(&auth.place, REFUSES)
                .help("add the application's private key under `app`, in PEM: `key: |` and its lines"),
        ),
        (_, Some(key)) => {
            let why = check_app_key(key.expose()).err()?;
            Some(
                Diagnostic::error(format!("`app.key` of the tenancy is {why}"))
                    .at(&key.place, "this key")
                    .at(&auth.place, REFUSES)
                    .help("write the application's private RSA key, in PEM: `key: |` and its lines"),
            )
        }
    }
}

/// `auth-with-public-key-only` starts, and fails later.
fn validation(auth: &At<String>, draft: &Draft) -> Option<Diagnostic> {
    let keys = draft.domain.validation.as_ref().filter(|keys| keys.private().is_none())?;
    Some(
        Diagnostic::warning("`auth` has no private validation key")
            .at(&auth.place, "it starts, but can't validate domains")
            .at(&keys.place, "only the public half is here")
            .help("add `private: keys/dv_private.key`, the path of the private half"),
    )
}
