//! The first lines of a plan. They identify the plan when it is read later, in an e-mail or
//! a log.

use crate::resource::{HostName, Printable};

/// A line such as `network lab.test, 2026-11-26T18:00:00Z, 7 hosts`, then a line for each
/// host that an apply has locked, with the holder of the lock. `at` is in seconds since
/// 1970.
pub fn header<'a>(
    network: &str,
    at: u64,
    hosts: usize,
    locked: impl Iterator<Item = (&'a HostName, String)>,
) -> String {
    let (network, hosts) = (Printable::line(network), super::plan::hosts(hosts));
    let mut text = format!("network {network}, {}, {hosts}\n", timestamp(at));
    for (host, holder) in locked {
        text.push_str(&format!(
            "note: {host} is locked by {holder}; the plan may show an unfinished apply\n"
        ));
    }
    text.push('\n');
    text
}

/// A time in UTC, in the format of RFC 3339.
fn timestamp(at: u64) -> String {
    let (days, second) = (at / 86_400, at % 86_400);
    // Years are counted from March, so that a leap day is the last day of its year. Day 0
    // is 1 March of the year 0, and 400 years have 146 097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..=9 => (year, month + 3),
        _ => (year + 1, month - 9),
    };
    let (year, minute) = (400 * era + year, second / 60);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", minute / 60, minute % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_date_has_them() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_795_716_000, "2026-11-26T18:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (at, text) in table {
            assert_eq!(timestamp(at), text);
        }
    }

    #[test]
    fn it_names_who_has_locked_a_host() {
        let host = "h1".parse::<HostName>().ok();
        let locked = host.iter().map(|host| (host, "ana@laptop since noon".to_owned()));
        assert_eq!(
            header("lab.test", 0, 1, locked),
            "network lab.test, 1970-01-01T00:00:00Z, 1 host\n\
             note: h1 is locked by ana@laptop since noon; the plan may show an unfinished apply\n\n"
        );
    }
}
