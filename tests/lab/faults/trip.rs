//! Pauses a command on a host, by means of a wrapper in the host's `PATH`, so that a fault
//! can be injected at exactly this instant. [`Trip`] pauses the first call whose arguments
//! match a pattern; [`Turnstile`] pauses the nth call of any command that changes
//! something.

use std::{fs, path::PathBuf, time::Duration};

use crate::host::{LabHost, wait_until};

/// The time-out for waiting for a call.
const LIMIT: Duration = Duration::from_secs(120);

/// Whether to pause before or after the real command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

/// A wrapper that pauses a command. Dropping this value removes the wrapper, which is done when
/// nothing runs the command any more: a shell opens its script a moment after it was started.
#[derive(Debug)]
pub(crate) struct Trip<'a> {
    host: &'a LabHost,
    /// The path of the wrapper.
    path: String,
}

impl<'a> Trip<'a> {
    /// Pauses systemd in the middle of a daemon-reload, by means of a generator: systemd
    /// waits for its generators.
    pub(crate) fn lay_in_reload(host: &'a LabHost) -> Self {
        let path = "etc/systemd/system-generators/trip".to_owned();
        host.sh(&format!(
            "rm -rf /var/tmp/tripped /var/tmp/go
            cat >/{path} <<'END'
#!/bin/sh
mkdir /var/tmp/tripped && until [ -e /var/tmp/go ]; do sleep 0.02; done
END
            chmod 755 /{path}"
        ));
        Self { host, path }
    }

    /// Pauses `command` if its arguments match `pattern`, a shell pattern.
    pub(crate) fn lay(host: &'a LabHost, command: &'static str, pattern: &str, side: Side) -> Self {
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
        Self { host, path: format!("usr/local/bin/{command}") }
    }

    /// Waits until a call is paused.
    pub(crate) fn wait(&self) {
        wait_until(LIMIT, "a call is paused", || self.is_tripped());
    }

    pub(crate) fn is_tripped(&self) -> bool {
        at(self.host, "var/tmp/tripped").exists()
    }

    /// Resumes the paused call.
    pub(crate) fn go(&self) {
        self.host.sh("touch /var/tmp/go");
    }

    /// Removes the wrapper while the host is off.
    pub(crate) fn lift_from_disk(self) {
        for path in [self.path.as_str(), "var/tmp/go"] {
            let _ = fs::remove_file(at(self.host, path));
        }
        let _ = fs::remove_dir(at(self.host, "var/tmp/tripped"));
    }
}

impl Drop for Trip<'_> {
    fn drop(&mut self) {
        // This fails if the host is off or deleted.
        let _ = self.host.try_sh(&format!("touch /var/tmp/go; rm -f /{}", self.path));
    }
}

fn at(host: &LabHost, path: &str) -> PathBuf {
    host.disk().join(path)
}

/// The commands that change something when scripts, units or packages run them.
const ACTING: &str = "apt-get chmod chown dpkg gzip ln mkdir mktemp mv rm sync systemctl touch ufw";

/// Wrappers for all commands in [`ACTING`]. Dropping this value removes the wrappers.
#[derive(Debug)]
pub(crate) struct Turnstile<'a>(&'a LabHost);

impl<'a> Turnstile<'a> {
    /// Counts the calls, and pauses the `nth` call, if `nth` is given.
    pub(crate) fn lay(host: &'a LabHost, nth: Option<usize>) -> Self {
        let nth = nth.map_or_else(String::new, |nth| nth.to_string());
        host.sh(&format!(
            "rm -rf /var/tmp/tripped /var/tmp/go /var/tmp/passed
            cat >/usr/local/bin/.turnstile <<'END'
#!/bin/sh
name=${{0##*/}}
real=$(PATH=/usr/bin:/bin:/usr/sbin:/sbin command -v \"$name\")
case $name:$1 in
    systemctl:start | systemctl:restart | systemctl:stop | systemctl:enable | systemctl:disable) ;;
    systemctl:daemon-reload | systemctl:reset-failed) ;;
    systemctl:*) exec \"$real\" \"$@\" ;;
esac
echo \"$name $*\" >>/var/tmp/passed
if [ -n '{nth}' ] && [ \"$(/usr/bin/wc -l </var/tmp/passed)\" -ge '{nth}' ] && /usr/bin/mkdir /var/tmp/tripped 2>/dev/null; then
    echo \"$name $*\" >/var/tmp/tripped/by
    until [ -e /var/tmp/go ]; do sleep 0.02; done
fi
exec \"$real\" \"$@\"
END
            /usr/bin/chmod 755 /usr/local/bin/.turnstile
            for name in {ACTING}; do /usr/bin/ln -sfn .turnstile /usr/local/bin/$name; done"
        ));
        Self(host)
    }

    /// The number of calls so far.
    pub(crate) fn passed(&self) -> usize {
        fs::read_to_string(at(self.0, "var/tmp/passed")).unwrap_or_default().lines().count()
    }

    /// The command line of the paused call.
    pub(crate) fn held(&self) -> Option<String> {
        fs::read_to_string(at(self.0, "var/tmp/tripped/by")).ok().filter(|text| text.ends_with('\n'))
    }

    /// Removes the wrappers while the host is off.
    pub(crate) fn lift_from_disk(self) {
        for name in ACTING.split(' ').chain([".turnstile"]) {
            let _ = fs::remove_file(at(self.0, &format!("usr/local/bin/{name}")));
        }
        let _ = fs::remove_dir_all(at(self.0, "var/tmp/tripped"));
    }
}

impl Drop for Turnstile<'_> {
    fn drop(&mut self) {
        let lift = format!("touch /var/tmp/go; cd /usr/local/bin; rm -f .turnstile {ACTING}");
        // This fails if the host is off or deleted.
        let _ = self.0.try_sh(&lift);
    }
}
