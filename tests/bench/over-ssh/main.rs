//! Compares spore with other tools over SSH, on lab hosts; `tests/bench/ssh` runs it.
//!
//! Each section starts hosts of its own, runs the tools in turn, and adds rows to one table.
//! What is compared is in the table's words; `README.md` in this directory has the results.

mod bare;
#[expect(dead_code, reason = "the lab's tests use the rest")]
#[path = "../../lab/binary.rs"]
mod binary;
mod field;
#[expect(dead_code, reason = "the lab's tests use the rest")]
#[path = "../../lab/host.rs"]
mod host;
#[expect(dead_code, clippy::unwrap_used, reason = "tests use the rest, and a server that fails ends its run")]
#[path = "../../support/http.rs"]
mod http;
#[path = "../../lab/keys.rs"]
mod keys;
mod link;
mod measure;
#[expect(dead_code, reason = "the lab's tests use the rest")]
#[path = "../../lab/network.rs"]
mod network;
mod report;
#[expect(dead_code, reason = "the lab's tests use the rest")]
#[path = "../../lab/run.rs"]
mod run;
mod sections;

use host::Lab;
use report::Report;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [first, key, script, hosts @ ..] = &words[..]
        && first == "--bare"
    {
        return match bare::run(key, script, hosts) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => panic!("{error}"),
        };
    }
    let lab = Lab::new("b").unwrap_or_else(|error| panic!("{error}"));
    let mut report = Report::new(Path::new("target/bench/ssh.md"));
    for (name, section) in sections::ALL {
        if words.is_empty() || words.iter().any(|word| word == name) {
            report.section(name);
            section(&lab, &mut report);
        }
    }
    ExitCode::SUCCESS
}
