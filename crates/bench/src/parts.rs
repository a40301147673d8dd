//! The parts that an ask cannot do without, in bare loops on the server's core: open the seal,
//! verify one signature, sign one. The fastest implementation at hand is taken for each, so that
//! the sum is a floor and no excuse; what the product itself uses is measured beside it.

use std::hint::black_box;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use muster_net::seal::{OpeningKey, seal};
use muster_proto::crypto::{PublicKey, SIGNATURE_BYTES, SecretKey, sha256};

use crate::cores::thread_time;
use crate::failure::{During, Outcome};

/// Different messages, each under a key of its own.
const MESSAGES: usize = 1_024;
/// HPKE's `info`, as long as the protocol's.
const INFO: [u8; 61] = [7; 61];

/// CPU time of each part, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(crate) open: f64,
    pub(crate) verify: f64,
    pub(crate) sign: f64,
    /// The product's own verification, which is no part of the sum.
    pub(crate) own_verify: f64,
    /// The product's own signature, likewise.
    pub(crate) own_sign: f64,
}

impl Parts {
    /// The three that are needed.
    pub(crate) fn sum(&self) -> f64 {
        self.open + self.verify + self.sign
    }
}

/// What the loops work on, made once.
pub(crate) struct Loops {
    opening: OpeningKey,
    sealed: Vec<Vec<u8>>,
    signed: Vec<Signed>,
    signer: Ed25519KeyPair,
    own_signer: SecretKey,
}

/// A signed message with its key, as each implementation wants it.
struct Signed {
    key: ParsedPublicKey,
    own_key: PublicKey,
    message: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

impl Loops {
    /// Prepares messages of so many bytes.
    pub(crate) fn new(message_bytes: usize) -> Outcome<Self> {
        let opening = OpeningKey::generate();
        let mut sealed = Vec::new();
        let mut signed = Vec::new();
        for number in 0..MESSAGES {
            let seed = sha256(&number.to_be_bytes());
            let message: Vec<u8> = seed.iter().copied().cycle().take(message_bytes).collect();
            sealed.push(seal(&opening.public(), &INFO, &message)?.0);
            let pair = Ed25519KeyPair::from_seed_unchecked(&seed).during("a key")?;
            let secret = SecretKey::from_seed(&seed);
            signed.push(Signed {
                key: ParsedPublicKey::new(&ED25519, pair.public_key().as_ref()).during("a key")?,
                own_key: secret.public(),
                signature: secret.sign(&message),
                message,
            });
        }
        let signer = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).during("a key")?;
        Ok(Self {
            opening,
            sealed,
            signed,
            signer,
            own_signer: SecretKey::from_seed(&[9; 32]),
        })
    }

    /// Runs each loop once over all messages.
    pub(crate) fn measure(&self) -> Outcome<Parts> {
        let open = each(&self.sealed, |sealed| {
            self.opening
                .open(&INFO, sealed)
                .during("opening")
                .map(|_| ())
        })?;
        let verify = each(&self.signed, |one| {
            let verified = one.key.verify_sig(&one.message, &one.signature);
            verified.during("verifying")
        })?;
        let sign = each(&self.signed, |one| {
            black_box(self.signer.sign(&one.message));
            Ok(())
        })?;
        let own_verify = each(&self.signed, |one| {
            Ok(one.own_key.verify(&one.message, &one.signature)?)
        })?;
        let own_sign = each(&self.signed, |one| {
            black_box(self.own_signer.sign(&one.message));
            Ok(())
        })?;
        Ok(Parts {
            open,
            verify,
            sign,
            own_verify,
            own_sign,
        })
    }
}

/// Microseconds of CPU time that one of many takes.
fn each<T>(items: &[T], work: impl Fn(&T) -> Outcome<()>) -> Outcome<f64> {
    let start = thread_time();
    for item in items {
        work(item)?;
    }
    let spent = thread_time().saturating_sub(start);
    Ok(spent.as_secs_f64() * 1e6 / items.len() as f64)
}
