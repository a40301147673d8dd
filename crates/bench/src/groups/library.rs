//! What a product pays: one read of its licence, and `muster client status` as a whole process.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use muster_client::{Product, read_in};
use muster_machine::Machine;
use muster_proto::crypto::{PublicKey, SIGNATURE_BYTES, SecretKey};
use tokio::time::Instant;

use super::Bench;
use crate::cores::{on_core, thread_time};
use crate::failure::{During, Failure, Outcome};
use crate::figures::{median, spread};
use crate::process::command;
use crate::report::Row;

/// Signatures in a licensed state of one product: policy, issuing certificate, host certificate,
/// lease.
const SIGNATURES: f64 = 4.0;
/// Bytes of a signed statement, about.
const MESSAGE_BYTES: usize = 250;

pub(crate) async fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let estate = &bench.estate;
    let host = estate.serve(&estate.host("library")?)?;
    let dir = estate.licensed_machine(&host)?;
    host.stop()?;
    Ok(vec![read(bench, &dir)?, processes(bench, &dir)?])
}

fn read(bench: &Bench, dir: &Path) -> Outcome<Row> {
    let (estate, scale) = (&bench.estate, &bench.scale);
    let product = Product::new(estate.bundle.root.clone(), estate.policy.product.clone());
    let begun = thread_time();
    let licence = read_in(dir, &product);
    let first = thread_time().saturating_sub(begun).as_secs_f64() * 1e6;
    if !licence.licensed {
        return Err(Failure(format!("the machine is not licensed: {licence}")));
    }
    let verify = Verify::new()?;
    let (mut ratios, mut ours, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    let (mut own, mut hardware) = (Vec::new(), Vec::new());
    let publisher = product.root.publisher();
    on_core(estate.cores.server, || {
        for _ in 0..scale.rounds {
            let reading = each(scale.reads, || {
                black_box(read_in(dir, &product));
            });
            let verifying = each(scale.reads, || verify.once());
            ratios.push(reading / (SIGNATURES * verifying));
            ours.push(reading);
            bare.push(verifying);
            own.push(each(scale.reads, || verify.once_by_the_product()));
            hardware.push(each(scale.reads, || {
                black_box(Machine::real().tags(publisher));
            }));
        }
        Ok(())
    })?;
    let detail = format!(
        "one read {} us CPU, the first of the process {first:.0} us; all of this machine's hardware \
         {:.0} us; one bare verification {} us \
         (aws-lc, key parsed), the product's own {:.1} us; {SIGNATURES} signatures in the state; {} \
         rounds of {}",
        spread(&ours, 0),
        median(&hardware),
        spread(&bare, 1),
        median(&own),
        scale.rounds,
        scale.reads
    );
    Ok(Row::new("library-read-vs-verify", median(&ratios), detail))
}

/// A bare verification, key parsed beforehand.
struct Verify {
    key: ParsedPublicKey,
    own_key: PublicKey,
    message: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

impl Verify {
    fn new() -> Outcome<Self> {
        let seed = [3; 32];
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).during("a key")?;
        let secret = SecretKey::from_seed(&seed);
        let message = vec![0x5a; MESSAGE_BYTES];
        Ok(Self {
            key: ParsedPublicKey::new(&ED25519, pair.public_key().as_ref()).during("a key")?,
            own_key: secret.public(),
            signature: secret.sign(&message),
            message,
        })
    }

    fn once(&self) {
        let verified = self.key.verify_sig(&self.message, &self.signature);
        assert!(black_box(verified).is_ok(), "a good signature");
    }

    /// As the product does it, the key parsed each time.
    fn once_by_the_product(&self) {
        let verified = self.own_key.verify(&self.message, &self.signature);
        assert!(black_box(verified).is_ok(), "a good signature");
    }
}

/// Microseconds of CPU time that one of many takes.
fn each(times: usize, work: impl Fn()) -> f64 {
    let start = thread_time();
    for _ in 0..times {
        work();
    }
    thread_time().saturating_sub(start).as_secs_f64() * 1e6 / times as f64
}

fn processes(bench: &Bench, dir: &Path) -> Outcome<Row> {
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    let mut status = command(bench.estate.muster());
    status.args(["client", "status", "--dir"]).arg(dir);
    let mut nothing = Command::new("true");
    for _ in 0..bench.scale.processes {
        ours.push(milliseconds(&mut status)?);
        floor.push(milliseconds(&mut nothing)?);
    }
    let more = median(&ours) - median(&floor);
    let detail = format!(
        "`muster client status` {} ms, `true` {} ms, {} of each in turn, wall time",
        spread(&ours, 2),
        spread(&floor, 2),
        bench.scale.processes
    );
    Ok(Row::new("status-process-vs-true", more, detail))
}

/// How long a process takes from its start to its end.
fn milliseconds(command: &mut Command) -> Outcome<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().during("a process")?;
    let took = start.elapsed();
    if status.success() {
        Ok(took.as_secs_f64() * 1e3)
    } else {
        Err(Failure(format!("{command:?} ended with {status}")))
    }
}
