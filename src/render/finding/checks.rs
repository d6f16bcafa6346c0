//! The words for the findings of room `check`.

use super::{Text, Words, quoted, say};
use crate::artifact::{FetchError, FileError};
use crate::finding::{
    Addresses, Axis, Binaries, DomainNames, Elders, Git, Identities, InGit, Locations, Logins, Missing,
    NameFlaw, PortName, Ports, Services, Shapes, Unreachable,
};
use crate::identity::SshKeyKind;
use crate::render::ssh::unsupported;

pub(super) fn addresses(what: &Addresses) -> Words {
    const SHARED: &str = "correct one of the two; nodes behind one address need different ports";
    match what {
        Addresses::None(host) => say(
            format!("host `{host}` has nodes but no address"),
            ["tau refuses to start without an address to announce"],
            "add `addr: [192.0.2.1]`, with the address that other nodes dial",
        ),
        Addresses::Ipv6First { host, ipv4 } => say(
            format!("the first address of host `{host}` is not IPv4"),
            ["tau refuses to start unless the first one is IPv4"],
            match ipv4 {
                Some(ip) => format!("put `{ip}` first").into(),
                None => Text::from("put an IPv4 address first"),
            },
        ),
        Addresses::Unreachable { ip, why } => {
            let why = match why {
                Unreachable::Unspecified => "the unspecified address",
                Unreachable::Loopback => "a loopback address, which only the host itself can reach",
                Unreachable::Multicast => "a multicast address",
                Unreachable::Broadcast => "the broadcast address",
                Unreachable::LinkLocal => "a link-local address, which is valid on one link only",
                Unreachable::OfANetwork => "the address of a network, not of a host",
                Unreachable::BroadcastOfItsNetwork => "the broadcast address of its network",
            };
            say(
                format!("`{ip}` is {why}"),
                ["other nodes can't dial it"],
                "write the address that other nodes dial",
            )
        }
        Addresses::SameMachine { first, second } => say(
            format!("`{first}` and `{second}` are the same machine"),
            ["this address and port", "the same address and port"],
            "correct one of the two, or merge them into one host with the nodes of both",
        ),
        Addresses::Twice(ip) => {
            say(format!("address `{ip}` is listed twice"), ["again here", "first here"], SHARED)
        }
        Addresses::Shared { first, second, ip } => say(
            format!("`{first}` and `{second}` have the same address `{ip}`"),
            ["again here", "first here"],
            SHARED,
        ),
    }
}

pub(super) fn binaries(what: &Binaries) -> Words {
    match what {
        Binaries::Missing(architecture) => say(
            format!("the tau for {architecture} is missing and was skipped"),
            ["this file"],
            "run `spore check` without `--without-secrets` where it is available",
        ),
        Binaries::Unusable { architecture, error } => {
            let message = match error.causes() {
                causes if causes.is_empty() => format!("tau for {architecture}: {error}"),
                causes => format!("tau for {architecture}: {error}: {causes}"),
            };
            let help = match (&**error, error.help()) {
                (FetchError::File(_, FileError::Outside), Some(help)) => help.into(),
                (FetchError::File(..), _) | (_, None) => {
                    Text::from("copy it there, or pin another with `spore tau pin URL|FILE`")
                }
                (_, Some(help)) => help.into(),
            };
            say(message, ["this file"], help)
        }
    }
}

pub(super) fn domain(what: &DomainNames) -> Words {
    const HELP: &str = "use letters, digits and `-`, in parts of at most 63 characters separated by dots; write other scripts as `xn--…`";
    match what {
        DomainNames::NotInDns { name, why } => {
            let why = match why {
                NameFlaw::TooLong => "longer than 253 characters",
                NameFlaw::UrlOrPath => "this is a URL or a path",
                NameFlaw::IpAddress => "this is an IP address",
                NameFlaw::FinalDot => "it ends with a dot",
                NameFlaw::EmptyPart => "there is an empty part",
                NameFlaw::PartTooLong => "one part is longer than 63 characters",
                NameFlaw::Characters => "it has characters that aren't valid in DNS",
                NameFlaw::Hyphen => "one part begins or ends with `-`",
            };
            say(format!("`{name}` is not a domain name"), [why], HELP)
        }
        DomainNames::Pattern(name) => say(
            format!("`{name}` is not a domain name"),
            ["tau would interpret this as a regular expression"],
            HELP,
        ),
        DomainNames::Shadowed { is_same, root } => say(
            match is_same {
                true => "`generated` is the same as `root`",
                false => "`root` is below `generated`",
            },
            ["generated names are below this", "the network's own names are below this"],
            format!("use a separate domain, such as `g.{root}`"),
        ),
        DomainNames::NoService { service, near } => say(
            format!("tau has no service `{service}`"),
            ["this domain would resolve to nothing"],
            match near {
                Some(near) => format!("did you mean `{near}`?").into(),
                None => Text::from("write the service that this domain resolves to, such as `substrate`"),
            },
        ),
        DomainNames::OldService { service, name } => say(
            format!("tau has no service `{service}`"),
            ["this domain would resolve to nothing"],
            format!("its current name is `{name}`"),
        ),
    }
}

pub(super) fn elders(what: &Elders) -> Words {
    const LONELY: &str = "while it is down, no node can join or rejoin";
    let (message, label) = match what {
        Elders::None => {
            ("the network has no elders", "nodes find each other through the elders, which are listed here")
        }
        Elders::One => ("the network has only one elder", LONELY),
        Elders::OneHost => ("all elders are on one host", LONELY),
        Elders::NoSuchNode { host, shape } => {
            return say(
                format!("host `{host}` has no node of shape `{shape}`"),
                ["there is no such node to dial", "this host"],
                format!("add `{shape}` to the `shapes` of the host, or remove the host here"),
            );
        }
    };
    say(
        message,
        [label],
        "list at least two hosts in `p2p.bootstrap`, such as `bootstrap: {elders: [h1, h2]}`",
    )
}

pub(super) fn git(what: &Git) -> Words {
    let Git::Unignored { shown, all, is_any_tracked } = what;
    let message = match all {
        1 => "an unencrypted private key is in a git work tree and not ignored".into(),
        count => {
            Text::from(format!("{count} unencrypted private keys are in a git work tree and not ignored"))
        }
    };
    let labels = shown.iter().map(|standing| match standing {
        InGit::Tracked => "git tracks this file",
        InGit::NotIgnored => "`git add` would add this file",
    });
    let help = match is_any_tracked {
        false => "list the file in `.gitignore`",
        true => {
            "list the file in `.gitignore`; for a tracked file, also run `git rm --cached FILE` and replace the key, because it stays in the history"
        }
    };
    say(message, labels, help)
}

pub(super) fn identities(what: &Identities) -> Words {
    let Identities::Shared { first, second } = what;
    say(
        format!("`{first}` and `{second}` have the same identity"),
        ["again here", "first here"],
        "give each node its own key: `spore key node` generates one",
    )
}

pub(super) fn locations(what: &Locations) -> Words {
    match what {
        Locations::Swapped { lat, long } => say(
            "latitude and longitude look swapped",
            ["a latitude is between -90 and 90", "this could be one"],
            format!("write latitude {long} and longitude {lat}"),
        ),
        Locations::OutOfRange { value, axis } => {
            let what = match axis {
                Axis::Latitude => "latitude",
                Axis::Longitude => "longitude",
            };
            let most = axis.most();
            say(
                format!("`{value}` is not a {what}"),
                [format!("a {what} is between -{most} and {most}")],
                "write it in degrees, such as `-33.87`",
            )
        }
    }
}

pub(super) fn logins(what: &Logins) -> Words {
    const OTHER: &str = "use a key in OpenSSH's format, as `ssh-keygen -t ed25519` generates";
    let (file, kind) = match what {
        Logins::Open => {
            return say(
                "this private key is readable by other users",
                ["this file"],
                "make it readable by its owner only: `chmod 600 FILE`",
            );
        }
        Logins::Unusable { file, kind } => (file.to_string(), kind),
    };
    let (kind, help) = match kind {
        SshKeyKind::Public => {
            let help = match file.strip_suffix(".pub") {
                Some(private) => format!("write the path of the private half: `{private}`").into(),
                None => Text::from("write the path of the private half"),
            };
            ("the public half of a key", help)
        }
        SshKeyKind::Unsupported(kind) => (unsupported(*kind), OTHER.into()),
        SshKeyKind::Damaged => ("a damaged key", "replace it with an intact copy".into()),
        SshKeyKind::NotAKey => ("not a private key", OTHER.into()),
        // Keys of these two kinds are usable, so they lead to no finding.
        SshKeyKind::Plain | SshKeyKind::Encrypted => ("a private key", OTHER.into()),
    };
    say(format!("`{file}` is {kind}"), ["spore can't log in with it"], help)
}

pub(super) fn ports(what: &Ports, places: usize) -> Words {
    const OTHER: &str = "choose another port";
    match what {
        Ports::Sensors { name, shape, port } => say(
            format!("{} of shape `{shape}` is port {port}, which tau uses itself", port_name(*name)),
            ["tau's sensors service listens there, so tau refuses to start"],
            OTHER,
        ),
        Ports::Same { names: [one, other], shape, port } => {
            let [one, other] = [one, other].map(|name| port_name(*name));
            say(
                format!("{one} and {other} of shape `{shape}` are both port {port}"),
                ["a connection to this port", "may reach this instead"],
                OTHER,
            )
        }
        Ports::Sshd { name, shape, host, port } => say(
            format!("{} of shape `{shape}` is sshd's port on `{host}`", port_name(*name)),
            [format!("sshd listens on port {port}, so tau refuses to start").into(), Text::from("this host")],
            OTHER,
        ),
        Ports::MayBeSshd { name, shape, host, port } => say(
            format!("{} of shape `{shape}` may be sshd's port on `{host}`", port_name(*name)),
            [format!("if sshd listens on port {port}, tau refuses to start").into(), Text::from("this host")],
            OTHER,
        ),
        Ports::Crowded { first, second, others, nodes, port } => {
            let hosts = match (second, others) {
                (None, _) => format!("host `{first}`"),
                (Some(second), 1) => format!("each of `{first}` and `{second}`"),
                (Some(_), others) => format!("each of `{first}` and {others} other hosts"),
            };
            say(
                format!("{hosts} has {nodes} nodes"),
                ["only one of these starts"],
                format!(
                    "run each on its own host: every tau since November 2025 listens on 127.0.0.1:{port}; older \
                     ones are not affected"
                ),
            )
        }
        Ports::Https { first, second, others } => {
            let message = match others {
                1 => format!("`{first}` and `{second}` both listen on port 443"),
                others => format!("`{first}` and {others} others all listen on port 443"),
            };
            say(message, at_one_host(places), "run each on its own host")
        }
        Ports::Clash { port, first, second, others } => {
            let [first, second] =
                [first, second].map(|(name, shape)| format!("{} of `{shape}`", port_name(*name)));
            let message = match others {
                1 => format!("{first} and {second} are both port {port}"),
                others => format!("{first} and {others} others are all port {port}"),
            };
            say(message, at_one_host(places), "choose another port for all but one of them")
        }
    }
}

/// The labels of a port clash. The last place is the host, the others are the ports.
fn at_one_host(places: usize) -> impl Iterator<Item = &'static str> {
    (1..=places).map(move |nth| match nth {
        _ if nth == places => "on this host, where only one can listen",
        1 => "this port",
        _ => "and this one",
    })
}

fn port_name(name: PortName) -> &'static str {
    match name {
        PortName::Main => "`main`",
        PortName::Lite => "`lite`",
        PortName::Ipfs => "`ipfs`",
        PortName::Http => "HTTP",
        PortName::Https => "HTTPS",
        PortName::Dns => "DNS",
    }
}

pub(super) fn services(what: &Services) -> Words {
    const REFUSES: &str = "tau refuses to start `auth` without it";
    match what {
        Services::Unknown { service, near, known } => say(
            format!("tau has no service `{service}`"),
            ["tau refuses to start with it"],
            match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("tau has {}", quoted(known)),
            },
        ),
        Services::GatewayAndSubstrate(shape) => say(
            format!("shape `{shape}` runs both `gateway` and `substrate`"),
            ["tau's documentation advises against this", "the other one"],
            "move one of the two to another shape, on another host",
        ),
        Services::Accounts => say(
            "`accounts` exists only in tau's enterprise build",
            ["other builds refuse to start"],
            "remove it, unless you run the enterprise build",
        ),
        Services::NoTenancy => say(
            "`auth` needs a tenancy",
            [REFUSES],
            "write `tenancy.yaml`, with `provider`, `owner` and `app: {client-id: …, key: …}`",
        ),
        Services::Tenancy(Missing::ClientId) => say(
            "the tenancy has no `app.client-id`",
            ["the tenancy of this owner", REFUSES],
            "add `app: {client-id: Iv1.…, key: |…}`, as shown by the provider",
        ),
        Services::Tenancy(Missing::AppKey) => say(
            "the tenancy has no `app.key`",
            ["the tenancy of this owner", REFUSES],
            "add the application's private key under `app`, in PEM: `key: |` and its lines",
        ),
        Services::AppKey(error) => say(
            format!("`app.key` of the tenancy is {error}"),
            ["this key", REFUSES],
            "write the application's private RSA key, in PEM: `key: |` and its lines",
        ),
        Services::NoPrivateValidationKey => say(
            "`auth` has no private validation key",
            ["it starts, but can't validate domains", "only the public half is here"],
            "add `private: keys/dv_private.key`, the path of the private half",
        ),
    }
}

pub(super) fn shapes(what: &Shapes) -> Words {
    match what {
        Shapes::Unused(shape) => say(
            format!("no host has a node of shape `{shape}`"),
            ["unused"],
            "add it to the `shapes` of a host, or remove it",
        ),
        Shapes::PluginMissing(name) => say(
            format!("the file of plugin `{name}` is missing"),
            ["nodes will run without this plugin"],
            format!("put the file at `plugins/{name}` in the folder, or remove the line"),
        ),
    }
}
