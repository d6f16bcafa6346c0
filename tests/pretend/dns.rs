//! `spore dns --check`, with a name server on this machine.

use crate::world::{Run, spore};
use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, NS};
use hickory_proto::rr::{Name, RData, Record};
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

/// Answers as a name server with these records does, until the test ends.
fn serve(records: &'static [(&str, RecordOf)]) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((count, from)) = socket.recv_from(&mut buffer) {
            let question = Message::from_vec(&buffer[..count]).unwrap();
            let query = question.queries[0].clone();
            let mut reply = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
            reply.metadata.authoritative = true;
            reply.add_query(query.clone());
            let asked = query.name.to_ascii();
            for (name, data) in records {
                let is_asked = match name.strip_prefix('*') {
                    Some(above) => asked.ends_with(above),
                    None => asked == *name,
                };
                let record = Record::from_rdata(query.name.clone(), 300, data());
                if is_asked && record.record_type() == query.query_type {
                    reply.add_answer(record);
                }
            }
            if reply.answers.is_empty() {
                reply.metadata.response_code = ResponseCode::NXDomain;
            }
            socket.send_to(&reply.to_vec().unwrap(), from).unwrap();
        }
    });
    address
}

type RecordOf = fn() -> RData;

const SEER: (&str, RecordOf) = ("seer.net.test.", || RData::A(A([192, 0, 2, 9].into())));
const TAU: (&str, RecordOf) = ("tau.net.test.", || RData::NS(NS(name("seer.net.test."))));
const APPS: (&str, RecordOf) = ("*.g.net.test.", || RData::CNAME(CNAME(name("substrate.tau.net.test."))));

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// A folder whose only host answers DNS.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "cloud.yaml",
        "domain:\n  root: net.test\n  generated: g.net.test\n  validation: {key: {public: keys/dv_public.key}}
p2p:\n  swarm: {key: keys/swarm.key}\n  bootstrap: {all: [h1]}\n",
    );
    write("auth.yaml", "admin: {username: root}\n");
    write("shapes.yaml", "all: {services: [seer, substrate], ports: {main: 4242}}\n");
    let ssh = "ssh: {addr: 192.0.2.9, auth: [admin]}";
    write("hosts.yaml", &format!("h1: {{addr: 192.0.2.9, {ssh}, shapes: {{all: {{}}}}}}\n"));
    folder
}

fn check(folder: &Path, servers: &[SocketAddr]) -> Run {
    let servers: Vec<String> =
        servers.iter().flat_map(|server| ["--name-server".to_owned(), server.to_string()]).collect();
    let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
    Run::of(spore(&[&["dns", "--check"], &servers[..]].concat()).current_dir(folder))
}

#[test]
fn records_are_compared_with_what_name_servers_answer() {
    let folder = folder();
    let right = serve(&[SEER, TAU, APPS]);
    let run = check(folder.path(), &[right]).exits(0);
    run.says("right    seer.net.test A 192.0.2.9\nright    tau.net.test NS seer.net.test.\n");
    run.says("right    *.g.net.test CNAME substrate.tau.net.test.\n");
    run.says("dns: 3 record sets for net.test: 3 right\n");

    // One of the servers has another address, and not the other records.
    let wrong = serve(&[("seer.net.test.", || RData::A(A([192, 0, 2, 1].into())))]);
    let run = check(folder.path(), &[right, wrong]).exits(2);
    run.says(&format!(
        "wrong    seer.net.test A 192.0.2.9\n         {wrong}: 192.0.2.9 is missing; it has A 192.0.2.1\n"
    ));
    run.says(&format!(
        "missing  tau.net.test NS seer.net.test.\n         {wrong}: seer.net.test. is missing\n"
    ));
    run.says("dns: 3 record sets for net.test: 1 wrong, 2 missing\n");

    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = check(folder.path(), &[right, nobody]).exits(3);
    run.says("unknown  tau.net.test").says("Connection refused").says(": 3 unknown\n");

    let usage = Run::of(spore(&["dns", "--check", "--name-server", "ns1.test"]).current_dir(folder.path()));
    usage.exits(1).says("a name server is written as 192.0.2.1, ");
    Run::of(spore(&["dns", "--name-server", "192.0.2.1"]).current_dir(folder.path()))
        .exits(1)
        .says("--check");
}
