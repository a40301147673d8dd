//! The machines of the lab: each with its own directory, identity, hardware and connection.

use std::fs;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use muster_client::{Client, Options, ProductStatus, Which};
use muster_proto::Refusal;
use muster_proto::crypto::sha256;
use muster_proto::reason::config as reasons;
use muster_proto::statement::policy::ProductKind;

use super::estate::Estate;
use crate::args::lab::LabArgs;

/// One machine.
struct Machine {
    name: String,
    kind: ProductKind,
    client: Client,
}

/// All machines of the lab.
pub(super) struct Machines(Vec<Machine>);

/// One machine as the lab shows it.
pub(super) struct MachineStatus {
    pub(super) name: String,
    pub(super) kind: ProductKind,
    pub(super) product: ProductStatus,
}

impl Machines {
    /// Makes the machines and installs the public generic key on each.
    pub(super) fn make(dir: &Path, estate: &Estate, args: &LabArgs) -> Result<Self, Refusal> {
        let mut machines = Vec::new();
        for product in &estate.products {
            let count = match product.kind {
                ProductKind::Client => args.clients,
                ProductKind::Server => args.servers,
            };
            for number in 1..=count {
                let name = format!("{}-{number:03}", product.kind.name());
                let mut options = Options::new(dir.join("machines").join(&name));
                options.sysroot = Some(write_hardware(dir, &name)?);
                options.dns_server = Some(estate.dns_address());
                options.version = format!("muster lab {}", env!("CARGO_PKG_VERSION"));
                let client = Client::new(options);
                client.install_key(&product.generic, &product.bundle, None)?;
                client.set_domain(Some(estate.zone()))?;
                machines.push(Machine {
                    name,
                    kind: product.kind,
                    client,
                });
            }
        }
        Ok(Self(machines))
    }

    /// Lets every machine ask once. What a machine is told stands in its status; a machine that
    /// could not ask does not keep the others from asking.
    pub(super) async fn ask_all(&mut self, bar: &ProgressBar) {
        for machine in &self.0 {
            if let Err(refusal) = machine.client.activate(&Which::default()).await {
                bar.println(format!("{}: {refusal}", machine.name));
            }
            bar.inc(1);
        }
    }

    /// What every machine's status says.
    pub(super) fn statuses(&self) -> Result<Vec<MachineStatus>, Refusal> {
        let mut statuses = Vec::new();
        for machine in &self.0 {
            let status = machine.client.status(&Which::default())?;
            statuses.extend(status.products.into_iter().map(|product| MachineStatus {
                name: machine.name.clone(),
                kind: machine.kind,
                product,
            }));
        }
        Ok(statuses)
    }
}

/// Writes a machine's declared hardware, different for each name.
pub(super) fn write_hardware(dir: &Path, name: &str) -> Result<PathBuf, Refusal> {
    let root = dir.join("hardware").join(name);
    let digest = sha256(name.as_bytes());
    let id: String = digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let files = [
        ("etc/machine-id", format!("{id}\n")),
        (
            "sys/class/dmi/id/product_uuid",
            format!("{}-{}\n", &id[..8], &id[8..]),
        ),
        ("sys/class/dmi/id/sys_vendor", "Lab\n".to_owned()),
        ("sys/class/dmi/id/product_name", "Machine\n".to_owned()),
        ("proc/sys/kernel/hostname", format!("{name}\n")),
    ];
    for (file, text) in files {
        let path = root.join(file);
        let parent = path.parent().unwrap_or(&root);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| {
                Refusal::new(
                    reasons::FILE_UNWRITABLE,
                    format!("{}: {error}", path.display()),
                )
            })?;
    }
    Ok(root)
}
