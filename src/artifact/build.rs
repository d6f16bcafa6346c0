//! Recognizes tau by the build information that Go's linker writes into a program.
//!
//! Every program that Go builds contains its main package, its modules and the settings of
//! its build, which `go version -m` prints. This holds for every platform and for stripped
//! programs, so tau is recognized without running it, and no other program is mistaken for
//! tau. The build information doesn't prove who built the program; digests do that.

use memchr::memmem;

use crate::resource::Version;

/// tau's main package, which is also the path of its module.
const PACKAGE: &str = "github.com/taubyte/tau";
/// Go's name for the main package of a program that was built from a list of files, as
/// tau's releases are (`go build main.go`).
const LISTED_FILES: &str = "command-line-arguments";
/// A function that only tau's own `main` calls. The names of functions stay in a stripped
/// program. The other programs of tau's module don't contain this one.
const ENTRY: &str = "github.com/taubyte/tau/cli/app.Run";
/// The variables into which a release's version and commit are linked.
const LINKED: [&str; 2] =
    ["github.com/taubyte/tau/cli/app.Version=", "github.com/taubyte/tau/cli/app.Commit="];

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The alignment, in bytes, of the block that begins with [`MAGIC`].
const ALIGN: usize = 16;
/// The offset of the texts from [`MAGIC`].
const TEXTS: usize = 32;
/// The flag for texts that follow in place, as they do since Go 1.18.
const IN_PLACE: u8 = 2;
/// The number of bytes of framing at either end of the second text.
const FRAME: usize = 16;
/// The number of characters of a commit's id that are shown, as in Go's pseudo-versions.
const COMMIT: usize = 12;

/// Why a program isn't tau.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTau {
    /// The program wasn't built by Go, or it was packed after the build.
    #[error("it is a program, but not tau: Go's build information is missing")]
    NoBuildInfo,
    /// A Go program with a different main package.
    #[error("it is a Go program, but not tau: its main package is {package}")]
    OtherPackage {
        /// The program's main package, escaped for a terminal.
        package: String,
    },
    /// A Go program that was built from a list of files of another module, or of another
    /// program in tau's module.
    #[error("it is a Go program, but not tau: tau's {ENTRY} isn't in it")]
    NoEntry,
}

impl NotTau {
    /// What the user can do about the error.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoBuildInfo => {
                "use the `tau` of a release; if it was compressed with upx, use the original".to_owned()
            }
            Self::OtherPackage { package } if package.starts_with(PACKAGE) => format!(
                "tau's repository has several programs; the nodes run the one whose main package is {PACKAGE}"
            ),
            Self::OtherPackage { .. } | Self::NoEntry => "use the `tau` of a release".to_owned(),
        })
    }
}

/// Recognizes tau by a program's bytes. Returns its version, or `None` if the build
/// information has none, as in a build from `(devel)` without version control.
pub(super) fn recognize(bytes: &[u8]) -> Result<Option<Version>, NotTau> {
    let info = Info::find(bytes).ok_or(NotTau::NoBuildInfo)?;
    match info.package() {
        PACKAGE => {}
        LISTED_FILES if !info.has_module(PACKAGE) || memmem::find(bytes, ENTRY.as_bytes()).is_none() => {
            return Err(NotTau::NoEntry);
        }
        LISTED_FILES => {}
        other => {
            let package = other.chars().take(200).collect::<String>().escape_debug().to_string();
            return Err(NotTau::OtherPackage { package });
        }
    }
    Ok(info.version())
}

/// The lines that `go version -m` prints.
struct Info<'a>(&'a str);

impl<'a> Info<'a> {
    /// Finds the build information. Programs that search for [`MAGIC`], such as Go's own
    /// tools, contain it, too, but no valid build information follows it there.
    fn find(bytes: &'a [u8]) -> Option<Self> {
        memmem::find_iter(bytes, MAGIC).filter(|at| at % ALIGN == 0).find_map(|at| Self::read(&bytes[at..]))
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.get(MAGIC.len() + 1)? & IN_PLACE == 0 {
            return None;
        }
        let (_go, rest) = text(bytes.get(TEXTS..)?)?;
        let (modules, _) = text(rest)?;
        let modules = modules.get(FRAME..modules.len().checked_sub(FRAME)?)?;
        std::str::from_utf8(modules).ok().map(Self)
    }

    /// The rest of each line that begins with `word` and a tab.
    fn lines(&self, word: &'static str) -> impl Iterator<Item = &'a str> {
        self.0.lines().filter_map(move |line| line.strip_prefix(word)?.strip_prefix('\t'))
    }

    fn package(&self) -> &'a str {
        self.lines("path").next().unwrap_or_default()
    }

    fn has_module(&self, path: &str) -> bool {
        self.lines("mod").chain(self.lines("dep")).any(|line| line.split('\t').next() == Some(path))
    }

    fn setting(&self, name: &str) -> Option<&'a str> {
        self.lines("build").find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    }

    /// The version that was linked in for `tau --version` to print; otherwise the commit;
    /// otherwise the version of the module, which is there if tau was built from the
    /// module's archive.
    fn version(&self) -> Option<Version> {
        let flags = self.setting("-ldflags").unwrap_or_default().trim_matches('"');
        let linked = LINKED.iter().find_map(|variable| {
            let (_, value) = flags.split_once(variable)?;
            value.split([' ', '\'', '"']).next().filter(|value| !value.is_empty())
        });
        let commit = || {
            let revision = self.setting("vcs.revision")?;
            let modified = if self.setting("vcs.modified") == Some("true") { "+dirty" } else { "" };
            Some(format!("{}{modified}", revision.get(..COMMIT).unwrap_or(revision)))
        };
        let module = || {
            let (path, version) = self.lines("mod").next()?.split_once('\t')?;
            let version = version.split('\t').next().filter(|version| !version.starts_with('('))?;
            (path == PACKAGE).then(|| version.to_owned())
        };
        linked.map(str::to_owned).or_else(commit).or_else(module)?.parse().ok()
    }
}

/// Splits off a text that is preceded by its length as a varint.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0usize;
    for (i, byte) in bytes.iter().enumerate().take(4) {
        length |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return bytes[i + 1..].split_at_checked(length);
        }
    }
    None
}

/// Build information that `recognize` accepts as that of a tau of this version. It can be
/// put into a program at an offset that is a multiple of 16, to stand in for tau in tests
/// and on simulated hosts, where the program never runs.
pub fn build_info(version: &str) -> Vec<u8> {
    let modules = format!("path\t{PACKAGE}\nmod\t{PACKAGE}\t{version}\t\n");
    let mut bytes = [MAGIC, &[8, IN_PLACE]].concat();
    bytes.resize(TEXTS, 0);
    let framed = [&[0; FRAME], modules.as_bytes(), &[0; FRAME]].concat();
    for text in ["go".as_bytes(), &framed] {
        let mut length = text.len();
        while length > 0x7f {
            bytes.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(text);
    }
    bytes
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// A program with build information in the form in which `go build` writes it.
    fn program(modules: &str) -> Vec<u8> {
        let mut bytes = vec![0x90; 64];
        let framed = [&[1; FRAME][..], modules.as_bytes(), &[2; FRAME]].concat();
        bytes.extend_from_slice(&[MAGIC, &[8, IN_PLACE], &[0; 16], &[8], b"go1.26.8"].concat());
        bytes.extend_from_slice(&[(framed.len() & 0x7f) as u8 | 0x80, (framed.len() >> 7) as u8]);
        bytes.extend_from_slice(&framed);
        bytes
    }

    fn version(modules: &str) -> Result<Option<String>, NotTau> {
        recognize(&program(modules)).map(|version| version.map(|version| version.to_string()))
    }

    const DEPENDENCIES: &str =
        "dep\tatomicgo.dev/cursor\tv0.2.0\th1:H6XN5alUJ52FZZUkI7AlJbUc1aW38GWZalpYRPpoPOw=\n";

    #[test]
    fn a_build_of_the_package() {
        let built = "path\tgithub.com/taubyte/tau\nmod\tgithub.com/taubyte/tau\tv1.1.11-0.20260816201953-d9841668ddc3+dirty\t\n";
        let settings = "build\tvcs=git\nbuild\tvcs.revision=d9841668ddc33391b690afe3b469f92ff34e5ab8\nbuild\tvcs.modified=true\n";
        assert_eq!(
            version(&format!("{built}{DEPENDENCIES}{settings}")),
            Ok(Some("d9841668ddc3+dirty".to_owned()))
        );
        assert_eq!(
            version(&format!("{built}{DEPENDENCIES}")).unwrap().unwrap(),
            "v1.1.11-0.20260816201953-d9841668ddc3+dirty"
        );
        let unversioned = built.replace("v1.1.11-0.20260816201953-d9841668ddc3+dirty", "(devel)");
        assert_eq!(version(&format!("{unversioned}{DEPENDENCIES}")), Ok(None));
    }

    #[test]
    fn a_release_which_is_built_from_a_file() {
        let modules = format!(
            "path\tcommand-line-arguments\n{DEPENDENCIES}dep\tgithub.com/taubyte/tau\t(devel)\t\nbuild\t-ldflags=\"-s -w -X github.com/taubyte/tau/cli/app.Version=1.1.10 -X github.com/taubyte/tau/cli/app.Commit=d984166 -X github.com/taubyte/tau/cli/app.BuildDate=2026\"\n"
        );
        // A tool of the same module that was built in the same way is not tau.
        assert_eq!(version(&modules), Err(NotTau::NoEntry));
        let release = [program(&modules), ENTRY.as_bytes().to_vec()].concat();
        assert_eq!(recognize(&release).unwrap().unwrap().to_string(), "1.1.10");
        let other = modules.replace("dep\tgithub.com/taubyte/tau\t", "dep\texample.org/tau\t");
        let other = [program(&other), ENTRY.as_bytes().to_vec()].concat();
        assert_eq!(recognize(&other), Err(NotTau::NoEntry));
    }

    #[test]
    fn what_is_not_tau() {
        let client = version(&format!("path\tgithub.com/taubyte/tau/tools/tau\n{DEPENDENCIES}")).unwrap_err();
        assert_eq!(
            client.to_string(),
            "it is a Go program, but not tau: its main package is github.com/taubyte/tau/tools/tau"
        );
        assert!(client.help().unwrap().contains("several programs"));
        let other = version(&format!("path\texample.org/\u{1b}x\n{DEPENDENCIES}")).unwrap_err();
        assert!(other.to_string().ends_with("example.org/\\u{1b}x"), "{other}");
        assert_eq!(recognize(b"\x7fELF, no Go"), Err(NotTau::NoBuildInfo));
        // The magic bytes alone, as in a program that searches for them; build information
        // at an unaligned offset; the format before Go 1.18.
        let whole = program(DEPENDENCIES);
        assert_eq!(recognize(&[MAGIC, &[0xff; 64]].concat()), Err(NotTau::NoBuildInfo));
        assert_eq!(recognize(&whole[1..]), Err(NotTau::NoBuildInfo));
        let mut old = whole;
        old[64 + MAGIC.len() + 1] = 0;
        assert_eq!(recognize(&old), Err(NotTau::NoBuildInfo));
    }

    #[test]
    fn no_part_of_it_panics() {
        let whole = program(&format!("path\t{PACKAGE}\n{DEPENDENCIES}"));
        assert_eq!(recognize(&whole), Ok(None));
        for length in 0..whole.len() {
            assert_eq!(recognize(&whole[..length]), Err(NotTau::NoBuildInfo), "{length}");
        }
    }

    #[test]
    fn what_stands_for_tau_is_recognized() {
        assert_eq!(recognize(&build_info("v1.2.3")).unwrap().unwrap().to_string(), "v1.2.3");
    }
}
