//! Tests with a list in each format.

use super::{Degrees, Format, Listed, read};
use std::collections::BTreeSet;

fn hosts(format: Format, text: &str) -> Vec<Listed> {
    let shapes = ["all", "elders", "members"].map(|name| name.parse().unwrap());
    read(format, text, &BTreeSet::from(shapes)).unwrap()
}

#[track_caller]
fn wrong(format: Format, text: &str, says: &str) {
    let error = read(format, text, &BTreeSet::new()).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}

/// The host in one line.
fn shown(host: &Listed) -> String {
    let Listed { name, addresses, sshd, jumps, logins, shapes, location } = host;
    let shapes: Vec<&str> = shapes.iter().map(|shape| shape.as_str()).collect();
    let gps = location.as_ref().map(|Degrees([lat, long])| format!("{lat},{long}")).unwrap_or_default();
    format!(
        "{name} {addresses:?} {}@{}:{} {jumps:?} {logins:?} {shapes:?} {gps}",
        sshd.user.as_deref().unwrap_or("-"),
        sshd.address.as_deref().unwrap_or("-"),
        sshd.port.map_or("-".to_owned(), |port| port.to_string()),
    )
}

#[test]
fn a_table() {
    let text = "name, addr, ssh, shape, gps\nh1, 192.0.2.1 fd00::1, root@192.0.2.1:2222, elders members,\"1.5, -2\"\nh2,192.0.2.2,,,\n";
    let hosts = hosts(Format::Csv, text);
    let lines: Vec<String> = hosts.iter().map(shown).collect();
    assert_eq!(
        lines,
        [
            r#"h1 ["192.0.2.1", "fd00::1"] root@192.0.2.1:2222 [] [] ["elders", "members"] 1.5,-2"#,
            r#"h2 ["192.0.2.2"] -@-:- [] [] [] "#,
        ]
    );
    wrong(Format::Csv, "addr\n1\n", "there is no column `name`");
    wrong(
        Format::Csv,
        "name;addr\nh1;1\n",
        "line 1: there is no column `name`; columns are separated by commas",
    );
    wrong(Format::Csv, "name,colour\nh1,\n", "line 1: `colour` is none of name, addr");
    wrong(Format::Csv, "name,addr,addr\nh1,,\n", "line 1: there are two columns `addr`");
    // Spreadsheets end lines with a comma.
    assert_eq!(self::hosts(Format::Csv, "name,addr,\nh1,192.0.2.1,\n").len(), 1);
    wrong(Format::Csv, "name,\nh1,192.0.2.1\n", "line 2: a column has no name");
    wrong(Format::Csv, "name,addr\nh1\n", "line 2");
    wrong(Format::Csv, "name\nh 1\n", "line 2: `h 1` can't be the name of a host");
    wrong(Format::Csv, "name\nh1\nh1\n", "h1: the host is listed twice");
    wrong(Format::Csv, "name,ssh\nh1,x:y\n", "line 2: `y` isn't a port");
}

#[test]
fn an_output_of_terraform() {
    let value = r#"{"h1": {"addr": "192.0.2.1", "ssh": "admin@192.0.2.1", "shapes": ["elders"], "gps": [1.5, -2], "jump": null},
        "h2": {"addr": ["192.0.2.2"], "key": "admin"}}"#;
    let whole = format!(
        r#"{{"vpc": {{"value": 1, "type": "number"}}, "spore_hosts": {{"sensitive": false, "type": "map", "value": {value}}}}}"#
    );
    let expected = [
        r#"h1 ["192.0.2.1"] admin@192.0.2.1:- [] [] ["elders"] 1.5,-2"#,
        r#"h2 ["192.0.2.2"] -@-:- [] ["admin"] [] "#,
    ];
    for text in [&whole, value] {
        assert_eq!(hosts(Format::Terraform, text).iter().map(shown).collect::<Vec<_>>(), expected);
    }
    let other = r#"{"nodes": {"value": {}, "type": "map"}}"#;
    wrong(Format::Terraform, other, "spore_hosts: there is no output of this name; there are nodes");
    wrong(Format::Terraform, "[]", "it isn't a JSON object");
    wrong(Format::Terraform, r#"{"h1": {"addr": {"a": 1}}}"#, "h1: `addr` is neither");
}

#[test]
fn an_inventory() {
    let ini = "\
# ours
h0.example.org

[elders]
h1 ansible_host=192.0.2.1 ansible_port=2222
h2 ansible_host=h2.example.org spore_addr='192.0.2.2 fd00::2'  # behind a name

[other:children]
elders

[members:children]
other

[elders:vars]
ansible_user=deploy

[all:vars]
ansible_user = root
ansible_port = 22
";
    let expected = [
        r#"h0.example.org [] root@h0.example.org:22 [] [] [] "#,
        r#"h1 ["192.0.2.1"] deploy@192.0.2.1:2222 [] [] ["elders", "members"] "#,
        r#"h2 ["192.0.2.2", "fd00::2"] deploy@h2.example.org:22 [] [] ["elders", "members"] "#,
    ];
    assert_eq!(hosts(Format::Ansible, ini).iter().map(shown).collect::<Vec<_>>(), expected);
    let json = r#"{"_meta": {"hostvars": {"h1": {"ansible_host": "192.0.2.1", "ansible_port": 2222, "ansible_user": "deploy"}}},
        "all": {"children": ["ungrouped", "elders"]}, "elders": {"hosts": ["h1", "192.0.2.7"]}}"#;
    let expected = [
        r#"192.0.2.7 ["192.0.2.7"] -@192.0.2.7:- [] [] ["elders"] "#,
        r#"h1 ["192.0.2.1"] deploy@192.0.2.1:2222 [] [] ["elders"] "#,
    ];
    assert_eq!(hosts(Format::Ansible, json).iter().map(shown).collect::<Vec<_>>(), expected);
    wrong(Format::Ansible, "h[1:9]\n", "line 1: only the INI format without ranges");
    wrong(Format::Ansible, "all:\n  hosts:\n", "ansible-inventory -i FILE --list");
    let nested = "[elders]\nh1\n[prod:children]\nelders\n[elders:vars]\nansible_port=2201\n[prod:vars]\nansible_port=2202\n";
    wrong(Format::Ansible, nested, "its groups have different values of ansible_port");
    wrong(Format::Ansible, "{}", "it lists no hosts");
    wrong(Format::Ansible, "[x:hostz]\na\n", "line 2: `hostz`");
}

#[test]
fn an_ssh_configuration() {
    let text = "\
User early
Host h1 one
  HostName 192.0.2.1
  Port 2222
Host=h2
  HostName=%h.example.org
  ProxyJump a,b:2200
Host h* !h2
  ProxyJump never-for-h2
  User late
Host *.example.org
";
    let expected = [
        r#"h1 ["192.0.2.1"] early@192.0.2.1:2222 ["never-for-h2"] [] [] "#,
        r#"h2 [] early@h2.example.org:- ["a", "b:2200"] [] [] "#,
    ];
    assert_eq!(hosts(Format::SshConfig, text).iter().map(shown).collect::<Vec<_>>(), expected);
    wrong(Format::SshConfig, "Host a\nInclude x\n", "line 2: `include` isn't followed");
    wrong(Format::SshConfig, "Match all\n", "line 1: `match` isn't followed");
    wrong(Format::SshConfig, "Host a\nPort x\n", "a: `x` isn't a port");
}
