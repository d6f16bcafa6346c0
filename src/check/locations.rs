//! Locations outside the range of latitudes and longitudes.

use crate::network::{Diagnostic, Draft};

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    let locations = draft.hosts.values().filter_map(|host| host.location.as_ref());
    let mut problems = Vec::new();
    for location in locations {
        let (lat, long) = (&location.lat, &location.long);
        if lat.abs() > 90.0 && lat.abs() <= 180.0 && long.abs() <= 90.0 {
            problems.push(
                Diagnostic::warning("latitude and longitude look swapped")
                    .at(&lat.place, "a latitude is between -90 and 90")
                    .at(&long.place, "this could be one")
                    .help(format!("write latitude {} and longitude {}", **long, **lat)),
            );
            continue;
        }
        for (value, what, most) in [(lat, "latitude", 90.0), (long, "longitude", 180.0)] {
            if value.abs() > most {
                problems.push(
                    Diagnostic::warning(format!("`{}` is not a {what}", **value))
                        .at(&value.place, format!("a {what} is between -{most} and {most}"))
                        .help("write it in degrees, such as `-33.87`"),
                );
            }
        }
    }
    problems
}
