//! What one authority has certified, charged and handed out.

use std::collections::{BTreeMap, BTreeSet};

use muster_proto::authority::KeyId;
use muster_proto::ids::Thumbprint;
use muster_proto::limits::{HOST_KEY_ACTIVATIONS_DEFAULT, HOST_KEY_HOSTS_DEFAULT};

use super::{Checker, Held, hold};

/// One authority's model.
#[derive(Default)]
pub(crate) struct Certified {
    /// The certificate that answered each request, where it came back.
    requests: BTreeMap<Vec<u8>, Option<Thumbprint>>,
    /// Activations of each machine under each key.
    places: BTreeMap<KeyId, BTreeMap<u64, u32>>,
    /// Which request replaced a certificate.
    successors: BTreeMap<Thumbprint, Vec<u8>>,
    /// Certificates that a host has in hands.
    pub(crate) handed_out: BTreeSet<Thumbprint>,
}

/// A request that an authority has granted.
pub(crate) struct Granted<'a> {
    pub(crate) request: &'a [u8],
    pub(crate) keys: &'a [KeyId],
    /// The number of the machine's hardware.
    pub(crate) hardware: u64,
    /// The certificate it renews or widens.
    pub(crate) previous: Option<Thumbprint>,
    /// The certificate; none where its answer never left the authority.
    pub(crate) cert: Option<Thumbprint>,
}

impl Certified {
    /// After a request was granted.
    pub(crate) fn granted(&mut self, granted: &Granted<'_>) -> Held {
        if let Some(before) = self.requests.get(granted.request) {
            let is_same = before.is_none() || granted.cert.is_none() || *before == granted.cert;
            hold(Checker::RequestOnce, is_same, || {
                format!("{before:?} answered it before, now {:?}", granted.cert)
            })?;
            self.requests.insert(granted.request.to_vec(), granted.cert);
            return Ok(());
        }
        self.requests.insert(granted.request.to_vec(), granted.cert);
        if let Some(previous) = granted.previous {
            let before = self.successors.insert(previous, granted.request.to_vec());
            let is_first = before.is_none();
            hold(Checker::RenewedOnce, is_first, || {
                format!("certificate {previous} was renewed by two requests")
            })?;
        }
        for key in granted.keys {
            let places = self.places.entry(*key).or_default();
            let activations = places.entry(granted.hardware).or_default();
            *activations += 1;
            let (activations, machines) = (*activations, places.len());
            let is_within = activations <= HOST_KEY_ACTIVATIONS_DEFAULT
                && machines <= HOST_KEY_HOSTS_DEFAULT as usize;
            hold(Checker::ActivationsLimited, is_within, || {
                format!("key {key}: {machines} machines, this one {activations} times")
            })?;
        }
        Ok(())
    }

    /// A host was revoked: its places are free again.
    pub(crate) fn freed(&mut self, hardware: u64) {
        for places in self.places.values_mut() {
            places.remove(&hardware);
        }
    }

    /// Whether the authority knows every certificate that a host has in hands.
    pub(crate) fn kept(&self, knows: impl Fn(Thumbprint) -> bool) -> Held {
        let lost = self.handed_out.iter().find(|cert| !knows(**cert));
        hold(Checker::ActivationKept, lost.is_none(), || {
            format!("{lost:?}")
        })
    }
}
