//! Times in UTC, as they are written in files.

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

/// The inverse of [`timestamp`].
pub fn seconds(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Years begin in March here, as in `timestamp`.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days =
        (365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day).checked_sub(1)?;
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
}
