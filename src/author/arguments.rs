//! What is written in one word: an sshd, a location.

use std::str::FromStr;
use thiserror::Error;

/// An sshd, `[USER@]ADDR[:PORT]`, with brackets around an IPv6 address that has a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sshd {
    /// The user to log in as.
    pub user: Option<String>,
    /// The address or name.
    pub address: Option<String>,
    /// The port, if one is given.
    pub port: Option<u16>,
}

/// The text isn't an [`Sshd`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAnSshd {
    /// A part is missing.
    #[error("an sshd is written as [USER@]ADDR[:PORT], with brackets around an IPv6 address")]
    Form,
    /// The port isn't one.
    #[error("`{0}` isn't a port")]
    Port(String),
}

impl FromStr for Sshd {
    type Err = NotAnSshd;

    fn from_str(text: &str) -> Result<Self, NotAnSshd> {
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, text),
        };
        // Colons separate a port only behind a name, an IPv4 address or brackets.
        let (address, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, "")) => (address, None),
            Some((address, port)) => (address, Some(port.strip_prefix(':').unwrap_or(port))),
            None if rest.matches(':').count() == 1 => match rest.split_once(':') {
                Some((address, port)) => (address, Some(port)),
                None => (rest, None),
            },
            None => (rest, None),
        };
        let port = port.map(|port| port.parse::<u16>().map_err(|_| NotAnSshd::Port(port.to_owned())));
        if address.is_empty() || user.as_deref() == Some("") {
            return Err(NotAnSshd::Form);
        }
        Ok(Self { user, address: Some(address.to_owned()), port: port.transpose()? })
    }
}

/// A location, `LAT,LONG`, as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degrees(pub [String; 2]);

/// The text isn't a location.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotDegrees {
    /// The location is to be found out.
    #[error(
        "spore doesn't look up where a host is, because that would tell a third party the host's address; write it as LAT,LONG"
    )]
    Auto,
    /// There aren't two numbers.
    #[error("a location is written as LAT,LONG")]
    Form,
    /// One of them isn't a number, or is too big.
    #[error("`{0}` isn't a number of degrees up to {1}")]
    Number(String, u16),
}

impl FromStr for Degrees {
    type Err = NotDegrees;

    fn from_str(text: &str) -> Result<Self, NotDegrees> {
        if text == "auto" {
            return Err(NotDegrees::Auto);
        }
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let [lat, long] = parts.as_slice() else { return Err(NotDegrees::Form) };
        for (degrees, most) in [(lat, 90), (long, 180)] {
            let is_plain = degrees.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
            let is_within = degrees.parse::<f64>().is_ok_and(|number| number.abs() <= f64::from(most));
            if !is_plain || !is_within {
                return Err(NotDegrees::Number((*degrees).to_owned(), most));
            }
        }
        Ok(Self([(*lat).to_owned(), (*long).to_owned()]))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_sshd_in_every_form() {
        let read = |text: &str| {
            let sshd = text.parse::<Sshd>().unwrap();
            (sshd.user.unwrap_or_default(), sshd.address.unwrap(), sshd.port)
        };
        let expected = |user: &str, address: &str, port| (user.to_owned(), address.to_owned(), port);
        assert_eq!(read("h"), expected("", "h", None));
        assert_eq!(read("u@h:2222"), expected("u", "h", Some(2222)));
        assert_eq!(read("u@2001:db8::1"), expected("u", "2001:db8::1", None));
        assert_eq!(read("[2001:db8::1]:22"), expected("", "2001:db8::1", Some(22)));
        assert_eq!(read("u@[2001:db8::1]"), expected("u", "2001:db8::1", None));
        for wrong in ["", "@h", "u@", ":22", "h:x", "h:70000", "[::1]22x"] {
            assert!(wrong.parse::<Sshd>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_location_has_two_numbers() {
        assert_eq!("-33.87, 151".parse::<Degrees>().unwrap().0, ["-33.87", "151"]);
        assert_eq!("auto".parse::<Degrees>(), Err(NotDegrees::Auto));
        for wrong in ["", "1", "1,2,3", "91,0", "0,181", "1e1,0", "nan,0", "--1,0"] {
            assert!(wrong.parse::<Degrees>().is_err(), "{wrong}");
        }
    }
}
