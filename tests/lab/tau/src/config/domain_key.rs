//! The domain-validation key pair. The private key's file is always opened, but only parsed
//! if the public key has to be derived from it.

use std::path::Path;

use crate::config::below;
use crate::refusal::Refusal;

pub(super) fn check(folder: &Path, private: &str, public: &str) -> Result<(), Refusal> {
    let read = |which: &str, name: &str| {
        let path = below(folder, name);
        std::fs::read(&path).map_err(|e| {
            Refusal::reading(&path, &e).within(format_args!("reading domain {which} key {}", path.display()))
        })
    };
    let private = read("private", private)?;
    if public.is_empty() {
        return derivable(&private).map_err(|e| e.within("generating domain public key"));
    }
    read("public", public).map(drop)
}

fn derivable(private: &[u8]) -> Result<(), Refusal> {
    let block = pem::parse(private)
        .ok()
        .filter(|block| block.tag() == "EC PRIVATE KEY")
        .ok_or_else(|| Refusal::new("failed to decode EC private key"))?;
    sec1::EcPrivateKey::try_from(block.contents())
        .map(drop)
        .map_err(|e| Refusal::new(format!("parsing private key: x509: failed to parse EC private key: {e}")))
}
