//! A wire across a command's path on a host: whoever runs the command for the
//! first time with words that fit stops there until let go on. So a fault hits
//! exactly where it is meant to.

use std::{fs, path::PathBuf, time::Duration};

use crate::host::{Host, wait_until};

/// How long it takes until somebody comes by.
const LIMIT: Duration = Duration::from_secs(120);

/// On which side of the command one is held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

/// A wire that is laid; it goes when this does.
#[derive(Debug)]
pub(crate) struct Trip<'a> {
    host: &'a Host,
    command: &'static str,
}

impl<'a> Trip<'a> {
    /// `pattern` is the shell's, for all words of the command line.
    pub(crate) fn lay(host: &'a Host, command: &'static str, pattern: &str, side: Side) -> Self {
        let held = "mkdir /var/tmp/tripped 2>/dev/null && until [ -e /var/tmp/go ]; do sleep 0.02; done";
        let act = match side {
            Side::Before => format!("{held}\nexec \"$real\" \"$@\""),
            Side::After => format!("\"$real\" \"$@\"\nstatus=$?\n{held}\nexit $status"),
        };
        host.sh(&format!(
            "rm -rf /var/tmp/tripped /var/tmp/go
            cat >/usr/local/bin/.{command} <<'END'
#!/bin/sh
real=$(PATH=/usr/bin:/bin command -v {command})
case \"$*\" in
    {pattern})
{act}
    ;;
esac
exec \"$real\" \"$@\"
END
            chmod 755 /usr/local/bin/.{command}; mv /usr/local/bin/.{command} /usr/local/bin/{command}"
        ));
        Self { host, command }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.host.disk().join(path)
    }

    /// Waits until somebody is held up.
    pub(crate) fn wait(&self) {
        wait_until(LIMIT, "somebody trips", || self.is_tripped());
    }

    pub(crate) fn is_tripped(&self) -> bool {
        self.at("var/tmp/tripped").exists()
    }

    /// Lets go on who is held up.
    pub(crate) fn go(&self) {
        self.host.sh("touch /var/tmp/go");
    }

    /// Takes it up while the host is off.
    pub(crate) fn lift_from_disk(self) {
        for path in [format!("usr/local/bin/{}", self.command), "var/tmp/go".to_owned()] {
            let _ = fs::remove_file(self.at(&path));
        }
        let _ = fs::remove_dir(self.at("var/tmp/tripped"));
    }
}

impl Drop for Trip<'_> {
    fn drop(&mut self) {
        // The host may be off, or gone.
        let _ = self.host.try_sh(&format!("touch /var/tmp/go; rm -f /usr/local/bin/{}", self.command));
    }
}
