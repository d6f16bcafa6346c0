//! Output to standard error, in the two formats of the real tau: log lines, and the final
//! error.

use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes four columns, separated by tabs: `2026-11-21T07:56:47.536Z`, `INFO`, the logger,
/// the message.
pub(crate) fn info(message: impl Display) {
    line("INFO", message);
}

/// Like [`info`], for errors that don't end the node.
pub(crate) fn error(message: impl Display) {
    line("ERROR", message);
}

/// Writes `2026/11/21 07:57:12 …`, the format of Go's `log.Fatal`.
pub(crate) fn fatal(message: impl Display) {
    let Stamp { date: (y, m, d), time: (h, min, s), .. } = Stamp::now();
    eprintln!("{y:04}/{m:02}/{d:02} {h:02}:{min:02}:{s:02} {message}");
}

fn line(level: &str, message: impl Display) {
    let Stamp { date: (y, m, d), time: (h, min, s), millis } = Stamp::now();
    eprintln!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}.{millis:03}Z\t{level}\ttau.stand-in\t{message}");
}

struct Stamp {
    date: (u64, u64, u64),
    time: (u64, u64, u64),
    millis: u32,
}

impl Stamp {
    fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = now.as_secs();
        let of_day = seconds % 86_400;
        Self {
            date: date(seconds / 86_400),
            time: (of_day / 3600, of_day / 60 % 60, of_day % 60),
            millis: now.subsec_millis(),
        }
    }
}

/// Year, month and day of a number of days since 1970 (Howard Hinnant's `civil_from_days`).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn days_become_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_778), (2026, 11, 21));
    }
}
