//! Finds locations outside the range of latitudes and longitudes.

use crate::finding::{Axis, Finding, Locations};
use crate::network::Draft;

pub(super) fn check(draft: &Draft) -> Vec<Finding> {
    let locations = draft.hosts.values().filter_map(|host| host.location.as_ref());
    let mut problems = Vec::new();
    for location in locations {
        let (lat, long) = (&location.lat, &location.long);
        if lat.abs() > 90.0 && lat.abs() <= 180.0 && long.abs() <= 90.0 {
            let what = Locations::Swapped { lat: **lat, long: **long };
            problems.push(Finding::new(what).at(&lat.place).at(&long.place));
            continue;
        }
        for (value, axis) in [(lat, Axis::Latitude), (long, Axis::Longitude)] {
            if value.abs() > axis.most() {
                let what = Locations::OutOfRange { value: **value, axis };
                problems.push(Finding::new(what).at(&value.place));
            }
        }
    }
    problems
}
