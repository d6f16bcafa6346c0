//! The first lines of a plan. They identify the plan when it is read later, in an e-mail or
//! a log.

use crate::plan::file::PlanPage;
use crate::resource::seconds;

/// A line such as `network lab.test, 2026-11-26T18:00:00Z, 7 hosts`, then a line for each
/// host that an apply has locked, with the holder of the lock. `at` is when the hosts had
/// answered.
pub fn header(page: &PlanPage, at: &str) -> String {
    let PlanPage { network, hosts, locked, .. } = page;
    let mut text = format!("network {network}, {at}, {}\n", super::plan::hosts(*hosts));
    for (host, holder) in locked {
        text.push_str(&format!(
            "note: {host} is locked by {holder}; the plan may show an unfinished apply\n"
        ));
    }
    text.push('\n');
    text
}

/// How long ago a time was, such as `3 h ago`. Both are in UTC; `now` is in seconds since 1970.
/// After a clock was set, the time may be in the future.
/// `None` if `at` isn't a time that [`timestamp`](crate::resource::timestamp) has written.
pub fn age(at: &str, now: u64) -> Option<String> {
    let at = seconds(at)?;
    // Two machines' clocks always differ a little.
    let is_future = at > now + 120;
    let seconds = if is_future { at - now } else { now.saturating_sub(at) };
    let time = match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    };
    Some(match is_future {
        true => format!("{time} in the future by this machine's clock"),
        false => format!("{time} ago"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        let at = "2026-11-26T18:00:00Z";
        let after = |seconds: u64| age(at, 1_795_716_000 + seconds);
        let table = [(5, "5 s ago"), (600, "10 min ago"), (10_900, "3 h ago"), (864_000, "10 days ago")];
        for (seconds, text) in table {
            assert_eq!(after(seconds).as_deref(), Some(text));
        }
        let future = "10 min in the future by this machine's clock";
        assert_eq!(age(at, 1_795_716_000 - 600).as_deref(), Some(future));
        for odd in [
            "",
            "2026-13-26T18:00:00Z",
            "2026-11-26 18:00:00",
            "0000-01-01T00:00:00Z",
            "0000-03-00T00:00:00Z",
        ] {
            assert_eq!(age(odd, 0), None, "{odd}");
        }
    }
}
