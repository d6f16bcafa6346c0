//! Finds services that tau doesn't have, or that won't work.

use super::{MOST, used};
use crate::daemon::tau;
use crate::finding::{Excerpt, Finding, Missing, Services};
use crate::identity::check_app_key;
use crate::network::{At, Draft, Secrets, ShapeDraft, TenancyDraft, nearest};

pub(super) fn check(draft: &Draft) -> Vec<Finding> {
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
        let accounts = service(shape, "accounts");
        problems.extend(accounts.map(|accounts| Finding::new(Services::Accounts).at(&accounts.place)));
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

/// Reports a service that tau doesn't have (the case `service-nosuch` in
/// `fixtures/tau-cases`).
fn unknown(service: &At<String>) -> Option<Finding> {
    if tau::service(service).is_some() {
        return None;
    }
    let known: Vec<_> = tau::SERVICES.iter().map(|service| service.name).collect();
    let near = nearest(service, known.iter().copied());
    let what = Services::Unknown { service: Excerpt::of(service.shown()), near, known };
    Some(Finding::new(what).at(&service.place))
}

fn gateway_and_substrate(shape: &ShapeDraft) -> Option<Finding> {
    let (gateway, substrate) = (service(shape, "gateway")?, service(shape, "substrate")?);
    let what = Services::GatewayAndSubstrate(Excerpt::of(&*shape.name));
    Some(Finding::new(what).at(&gateway.place).at(&substrate.place))
}

/// Checks what `auth` needs of the tenancy (the cases `auth-without-tenancy`,
/// `auth-tenancy-without-app` and `auth-tenancy-app-key-malformed` in
/// `fixtures/tau-cases`).
fn tenancy(auth: &At<String>, draft: &Draft) -> Option<Finding> {
    if draft.partial.tenancy {
        return None;
    }
    let Some(TenancyDraft { owner, app, place, .. }) = &draft.tenancy else {
        return Some(Finding::new(Services::NoTenancy).at(&auth.place));
    };
    let client_id = app.as_ref().and_then(|app| app.client_id.as_ref());
    let key = app.as_ref().and_then(|app| app.key.as_ref());
    let place = owner.as_ref().map_or(place, |owner| &owner.place);
    let lacks = |what| Some(Finding::new(Services::Tenancy(what)).at(place).at(&auth.place));
    match (client_id, key) {
        (None, _) => lacks(Missing::ClientId),
        // The key is a secret, so it may be missing.
        (_, None) if draft.secrets == Secrets::Elsewhere => None,
        (_, None) => lacks(Missing::AppKey),
        (_, Some(key)) => {
            let error = check_app_key(key.here()?.expose()).err()?;
            Some(Finding::new(Services::AppKey(error)).at(&key.place).at(&auth.place))
        }
    }
}

/// Without the private key, `auth` starts, and fails later (the case
/// `auth-with-public-key-only` in `fixtures/tau-cases`).
fn validation(auth: &At<String>, draft: &Draft) -> Option<Finding> {
    let keys =
        draft.domain.validation.as_ref().filter(|_| draft.domain.validation_files.private.is_none())?;
    Some(Finding::new(Services::NoPrivateValidationKey).at(&auth.place).at(&keys.place))
}
