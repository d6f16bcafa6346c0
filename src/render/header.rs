//! The first lines of a plan. They identify the plan when it is read later, in an e-mail or
//! a log.

use crate::plan::file::PlanPage;

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

/// A time in UTC, in the format of RFC 3339. `at` is in seconds since 1970.
pub fn timestamp(at: u64) -> String {
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

/// How long ago a time was, such as `3 h ago`. Both are in UTC; `now` is in seconds since 1970.
/// `None` if `at` isn't a time that [`timestamp`] has written.
pub fn age(at: &str, now: u64) -> Option<String> {
    let seconds = now.saturating_sub(self::seconds(at)?);
    Some(match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    })
}

/// The inverse of [`timestamp`].
pub(super) fn seconds(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Years begin in March here, as in `timestamp`.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let at = days.checked_sub(719_468)? * 86_400 + hour * 3_600 + minute * 60 + second;
    (timestamp(at) == text).then_some(at)
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
            assert_eq!(seconds(text), Some(at));
        }
    }

    #[test]
    fn an_age_has_one_unit() {
        let at = "2026-11-26T18:00:00Z";
        let after = |seconds: u64| age(at, 1_795_716_000 + seconds);
        let table = [(5, "5 s ago"), (600, "10 min ago"), (10_900, "3 h ago"), (864_000, "10 days ago")];
        for (seconds, text) in table {
            assert_eq!(after(seconds).as_deref(), Some(text));
        }
        for odd in ["", "2026-13-26T18:00:00Z", "2026-11-26 18:00:00", "0000-01-01T00:00:00Z"] {
            assert_eq!(age(odd, 0), None, "{odd}");
        }
    }
}
