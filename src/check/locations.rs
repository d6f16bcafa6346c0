//! Places that are not on earth.

use crate::network::{Diagnostic, Draft};

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    let locations = draft.hosts.values().filter_map(|host| host.location.as_ref());
    let mut problems = Vec::new();
    for location in locations {
        let (lat, long) = (&location.lat, &location.long);
        if lat.abs() > 90.0 && lat.abs() <= 180.0 && long.abs() <= 90.0 {
            problems.push(
                Diagnostic::warning("latitude and longitude look swapped")
                    .at(&lat.place, "a latitude is from -90 to 90")
                    .at(&long.place, "and this could be one")
                    .help(format!("write latitude {} and longitude {}", **long, **lat)),
            );
            continue;
        }
        for (value, what, most) in [(lat, "latitude", 90.0), (long, "longitude", 180.0)] {
            if value.abs() > most {
                problems.push(
                    Diagnostic::warning(format!("`{}` is not a {what}", **value))
                        .at(&value.place, format!("a {what} is from -{most} to {most}"))
                        .help("write degrees, as `-33.87`"),
                );
            }
        }
    }
    problems
}
