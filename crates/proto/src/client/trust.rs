//! Verification of what a client holds: every certificate once, whatever stands under it. Revoked
//! keys are told apart, because leases of a revoked host stay for the non-genuine grace.

use crate::ids::Thumbprint;
use crate::limits::CHAIN_CERTIFICATES_MAX;
use crate::reason::{Refusal, statement as reasons};
use crate::statement::cert::Cert;
use crate::statement::chain::UnderRoot;
use crate::statement::revocations::RevocationSet;
use crate::statement::root::Root;
use crate::statement::{Anchor, Envelope, Permit, Verified};

use super::state::HeldStatement;

/// One root and the certificates verified under it so far.
pub(super) struct Trust<'a> {
    root: &'a Root,
    known: Vec<Known>,
}

struct Known {
    bytes: Vec<u8>,
    above: Thumbprint,
    permit: Permit,
}

impl<'a> Trust<'a> {
    pub(super) fn new(root: &'a Root) -> Self {
        Self {
            root,
            known: Vec::new(),
        }
    }

    /// Verifies a statement with its chain, all but revocation.
    pub(super) fn verify<C: UnderRoot>(
        &mut self,
        held: &HeldStatement,
    ) -> Result<Verified<C>, Refusal> {
        let nothing = RevocationSet::default();
        let anchor = Anchor {
            root: self.root,
            revoked: &nothing,
        };
        let signer = match held.chain.as_slice() {
            [] => anchor.chain(&[], Envelope::decode(&held.bytes, C::TYP)?.parent)?,
            chain => self.chain(&anchor, chain)?,
        };
        anchor.verify_under(&held.bytes, &signer)
    }

    /// Refuses when a key above a verified statement is revoked.
    pub(super) fn check_revoked(
        &self,
        signer: &Permit,
        revoked: &RevocationSet,
    ) -> Result<(), Refusal> {
        let anchor = Anchor {
            root: self.root,
            revoked,
        };
        anchor.check_revoked(signer)
    }

    fn chain(&mut self, anchor: &Anchor<'_>, chain: &[Vec<u8>]) -> Result<Permit, Refusal> {
        if chain.len() > CHAIN_CERTIFICATES_MAX {
            let detail = format!("{} certificates", chain.len());
            return Err(Refusal::new(reasons::CHAIN_LENGTH, detail));
        }
        let mut above: Option<Permit> = None;
        for bytes in chain.iter().rev() {
            above = Some(match &above {
                Some(above) => self.certified(anchor, bytes, above)?,
                None => self.topmost(anchor, bytes)?,
            });
        }
        above.ok_or_else(|| Refusal::new(reasons::CHAIN_LENGTH, "an empty chain"))
    }

    /// The certificate below the root: under whichever of its keys it names.
    fn topmost(&mut self, anchor: &Anchor<'_>, bytes: &[u8]) -> Result<Permit, Refusal> {
        let mut outcome = Err(Refusal::from(reasons::ROOT_UNKNOWN));
        for key in self.root.thumbprints() {
            let above = anchor.chain(&[], *key)?;
            outcome = self.certified(anchor, bytes, &above);
            match &outcome {
                Err(refusal) if refusal.reason == reasons::WRONG_PARENT => {}
                _ => return outcome,
            }
        }
        outcome.map_err(|refusal| Refusal::new(reasons::ROOT_UNKNOWN, refusal.detail))
    }

    fn certified(
        &mut self,
        anchor: &Anchor<'_>,
        bytes: &[u8],
        above: &Permit,
    ) -> Result<Permit, Refusal> {
        let again = |known: &&Known| known.above == above.thumbprint && known.bytes == bytes;
        if let Some(known) = self.known.iter().find(again) {
            return Ok(known.permit.clone());
        }
        let verified: Verified<Cert> = anchor.verify_under(bytes, above)?;
        let mut keys = vec![verified.claims.key.thumbprint()];
        keys.extend(&above.keys);
        let permit = Permit {
            role: verified.claims.role,
            key: verified.claims.key,
            thumbprint: verified.name,
            cert: Some(verified.claims),
            keys,
        };
        self.known.push(Known {
            bytes: bytes.to_vec(),
            above: above.thumbprint,
            permit: permit.clone(),
        });
        Ok(permit)
    }
}
