//! Statements for an independent verifier: leases with their chains, and what they stand on.

use muster_proto::Refusal;
use muster_proto::ids::PublisherId;
use muster_proto::reason::client as reasons;
use muster_proto::statement::{Envelope, Typ};

use crate::control::{Client, Which};
use crate::sdk;

/// One statement for an independent verifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// A file name that tells it from the others.
    pub name: String,
    /// The bytes of the specification.
    pub bytes: Vec<u8>,
}

impl Client {
    /// Leases with their chains, and what they stand on: roots, policies, revocations.
    ///
    /// # Errors
    /// `NOTHING_TO_EXPORT`, or what is wrong with a damaged state.
    pub fn export(&self, which: &Which) -> Result<Vec<Exported>, Refusal> {
        let state = sdk::load(self.dir())?;
        let mut files = Vec::new();
        let mut leases = 0;
        for (publisher, holding) in &state.publishers {
            let products = holding.products.iter();
            let wanted = products.filter(|(product, _)| which.wants(*publisher, product));
            let before = files.len();
            for (product, installed) in wanted {
                let held = installed.lease.as_ref().or(installed.counted.as_ref());
                if let Some(held) = held {
                    leases += 1;
                    let bytes = carrying(&held.statement.bytes, Typ::Lease, &held.statement.chain)?;
                    files.push(exported(publisher, product.as_str(), "lease", bytes));
                }
                if let Some(policy) = &installed.policy {
                    let bytes = carrying(&policy.bytes, Typ::Policy, &policy.chain)?;
                    files.push(exported(publisher, product.as_str(), "policy", bytes));
                }
            }
            if files.len() > before {
                files.push(exported(
                    publisher,
                    "publisher",
                    "root",
                    holding.root.encode(),
                ));
                for (number, delta) in holding.revocations.iter().enumerate() {
                    let name = format!("{number}");
                    files.push(exported(publisher, &name, "revocations", delta.clone()));
                }
            }
        }
        if leases == 0 {
            return Err(reasons::NOTHING_TO_EXPORT.into());
        }
        Ok(files)
    }
}

fn carrying(bytes: &[u8], typ: Typ, chain: &[Vec<u8>]) -> Result<Vec<u8>, Refusal> {
    Ok(Envelope::decode(bytes, typ)?.with_chain(chain))
}

fn exported(publisher: &PublisherId, what: &str, kind: &str, bytes: Vec<u8>) -> Exported {
    let publisher: String = publisher.to_string().chars().take(8).collect();
    Exported {
        name: format!("{publisher}-{what}.{kind}"),
        bytes,
    }
}
