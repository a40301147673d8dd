//! Verification: from the pinned root down to the statement, narrowing at each step.
//!
//! The order is fixed and specified in `docs/src/protocol/verification.md`: form, publisher, chain
//! from the root down (each certificate: parent, signature, signer table, narrowing), the
//! statement's parent, signature, signer table and flag, time of judgement, revocation, and last
//! what its own type demands.

use crate::crypto::PublicKey;
use crate::ids::{ProductId, PublisherId, SiteId, Thumbprint};
use crate::limits::CHAIN_CERTIFICATES_MAX;
use crate::reason::{Refusal, statement as reasons};
use crate::rules::{Rule, holds};
use crate::time::Timestamp;

use super::cert::{Cert, Flags, PolicyBounds};
use super::envelope::{Claims, Envelope};
use super::revocations::RevocationSet;
use super::root::Root;
use super::scope::Scope;
use super::{Role, Typ};

/// What statements are judged against: the pinned root and the revocations known.
#[derive(Clone, Copy, Debug)]
pub struct Anchor<'a> {
    /// The pinned root.
    pub root: &'a Root,
    /// The newest revocations held.
    pub revoked: &'a RevocationSet,
}

/// What a verified key may do: the intersection of all certificates above it.
#[derive(Clone, Debug)]
pub struct Permit {
    /// Its role.
    pub role: Role,
    /// The key.
    pub key: PublicKey,
    /// What statements under it name as parent: the certificate's name, or the root key's
    /// thumbprint.
    pub thumbprint: Thumbprint,
    /// The certificate; none for the root.
    pub cert: Option<Cert>,
    /// Thumbprints of the certified keys from here up to the root, the own one first.
    pub keys: Vec<Thumbprint>,
}

/// A statement that has been verified.
#[derive(Clone, Debug)]
pub struct Verified<C> {
    /// Its claims.
    pub claims: C,
    /// Its name.
    pub name: Thumbprint,
    /// Its signer.
    pub signer: Permit,
}

impl<'a> Anchor<'a> {
    /// The publisher of the root.
    pub fn publisher(&self) -> PublisherId {
        self.root.publisher()
    }

    /// Verifies a statement of type `C` that carries its chain.
    pub fn verify<C: UnderRoot>(&self, bytes: &[u8]) -> Result<Verified<C>, Refusal> {
        let (verified, revoked) = self.judge(bytes)?;
        revoked.map_or(Ok(verified), Err)
    }

    /// Verifies a statement whose chain came by another way, leaf first; it carries none itself.
    pub fn verify_with<C: UnderRoot>(
        &self,
        bytes: &[u8],
        chain: &[Vec<u8>],
    ) -> Result<Verified<C>, Refusal> {
        let envelope = Envelope::decode(bytes, C::TYP)?;
        check_carries_none(&envelope)?;
        let (verified, revoked) = self.judge_envelope(&envelope, chain)?;
        revoked.map_or(Ok(verified), Err)
    }

    /// Verifies a statement, which carries no chain, under a signer that this anchor has verified
    /// before, so that a chain that many statements share is verified once.
    pub fn verify_under<C: UnderRoot>(
        &self,
        bytes: &[u8],
        signer: &Permit,
    ) -> Result<Verified<C>, Refusal> {
        let envelope = Envelope::decode(bytes, C::TYP)?;
        check_carries_none(&envelope)?;
        self.check_publisher(&envelope)?;
        check_signed_by(&envelope, signer)?;
        let (verified, revoked) = self.judge_claims(&envelope, signer.clone())?;
        revoked.map_or(Ok(verified), Err)
    }

    /// Verifies all but revocation, which is told apart: leases of a revoked host stay for the
    /// non-genuine grace while the client asks elsewhere.
    pub fn judge<C: UnderRoot>(
        &self,
        bytes: &[u8],
    ) -> Result<(Verified<C>, Option<Refusal>), Refusal> {
        let envelope = Envelope::decode(bytes, C::TYP)?;
        self.judge_envelope(&envelope, &envelope.chain)
    }

    fn judge_envelope<C: UnderRoot>(
        &self,
        envelope: &Envelope,
        chain: &[Vec<u8>],
    ) -> Result<(Verified<C>, Option<Refusal>), Refusal> {
        self.judge_claims(envelope, self.signer(envelope, chain)?)
    }

    fn judge_claims<C: UnderRoot>(
        &self,
        envelope: &Envelope,
        signer: Permit,
    ) -> Result<(Verified<C>, Option<Refusal>), Refusal> {
        let claims: C = envelope.claims()?;
        signer.check_valid_at(claims.issued())?;
        let revoked = self.check_revoked(&signer).err();
        claims.check_under(&signer, self.root)?;
        Ok((
            Verified {
                claims,
                name: envelope.name(),
                signer,
            },
            revoked,
        ))
    }

    /// Who signed a statement of any type: publisher, chain, parent, signature and the signer
    /// table are verified, and nothing that the claims say. Also for types that this release
    /// cannot read.
    pub fn signer(&self, envelope: &Envelope, chain: &[Vec<u8>]) -> Result<Permit, Refusal> {
        self.check_publisher(envelope)?;
        let signer = self.chain(chain, envelope.parent)?;
        check_signed_by(envelope, &signer)?;
        Ok(signer)
    }

    /// Verifies a chain, leaf first, and tells what its leaf may do. An empty chain is the root
    /// itself; `parent` chooses among the root's keys.
    pub fn chain(&self, chain: &[Vec<u8>], parent: Thumbprint) -> Result<Permit, Refusal> {
        if chain.len() > CHAIN_CERTIFICATES_MAX {
            return Err(Refusal::new(
                reasons::CHAIN_LENGTH,
                format!("{} certificates", chain.len()),
            ));
        }
        let mut permit: Option<Permit> = None;
        for bytes in chain.iter().rev() {
            let envelope = Envelope::decode(bytes, Typ::Cert)?;
            self.check_publisher(&envelope)?;
            check_carries_none(&envelope)?;
            let above = match permit.take() {
                Some(above) => above,
                None => self.root_permit(envelope.parent)?,
            };
            permit = Some(above.certify(&envelope)?);
        }
        permit.map_or_else(|| self.root_permit(parent), Ok)
    }

    /// Refuses when a key of the signer's chain is revoked.
    pub fn check_revoked(&self, signer: &Permit) -> Result<(), Refusal> {
        match signer.keys.iter().find(|key| self.revoked.holds(key)) {
            Some(key) if holds(Rule::Revocation) => {
                Err(Refusal::new(reasons::REVOKED, format!("key {key}")))
            }
            _ => Ok(()),
        }
    }

    fn check_publisher(&self, envelope: &Envelope) -> Result<(), Refusal> {
        if holds(Rule::Publisher) && envelope.publisher != self.publisher() {
            let detail = format!("{}, not {}", envelope.publisher, self.publisher());
            return Err(Refusal::new(reasons::WRONG_PUBLISHER, detail));
        }
        Ok(())
    }

    fn root_permit(&self, parent: Thumbprint) -> Result<Permit, Refusal> {
        let thumbprints = self.root.thumbprints();
        let matching = thumbprints.iter().position(|key| *key == parent);
        // Without the rule, the first key stands in: its signature then decides.
        let at = match matching {
            None if !holds(Rule::Parent) => Some(0),
            other => other,
        };
        let at = at.ok_or_else(|| {
            Refusal::new(
                reasons::ROOT_UNKNOWN,
                "the top of the chain names another root key",
            )
        })?;
        Ok(Permit {
            role: Role::Root,
            key: self.root.keys()[at],
            thumbprint: thumbprints[at],
            cert: None,
            keys: vec![thumbprints[at]],
        })
    }
}

/// A chain that nobody verifies must not be carried: it would be bytes that anyone can change.
fn check_carries_none(envelope: &Envelope) -> Result<(), Refusal> {
    if envelope.chain.is_empty() {
        return Ok(());
    }
    let detail = format!("a {} carries a chain where none is read", envelope.typ);
    Err(Refusal::new(reasons::CHAIN_LENGTH, detail))
}

fn check_signed_by(envelope: &Envelope, signer: &Permit) -> Result<(), Refusal> {
    if holds(Rule::Parent) && envelope.parent != signer.thumbprint {
        return Err(Refusal::new(
            reasons::WRONG_PARENT,
            format!(
                "it names {}, above stands {}",
                envelope.parent, signer.thumbprint
            ),
        ));
    }
    if holds(Rule::Signature) {
        envelope.check_signature(&signer.key)?;
    }
    if holds(Rule::SignerTable) && !signer.role.may_sign(envelope.typ) {
        let detail = format!("a {} signed a {}", signer.role, envelope.typ);
        return Err(Refusal::new(reasons::SIGNER_ROLE, detail));
    }
    Ok(())
}

impl Permit {
    /// Products the key may name; the root may name all.
    pub fn products(&self) -> Scope<ProductId> {
        self.cert
            .as_ref()
            .map_or(Scope::All, |cert| cert.products.clone())
    }

    /// Sites the key may name; the root may name all.
    pub fn sites(&self) -> Scope<SiteId> {
        self.cert
            .as_ref()
            .map_or(Scope::All, |cert| cert.sites.clone())
    }

    /// Clients one host under this key may count.
    pub fn client_budget(&self) -> u32 {
        self.cert
            .as_ref()
            .map_or(u32::MAX, |cert| cert.client_budget)
    }

    /// Refuses a flag that is not granted.
    pub fn check_flag(&self, flag: Flags, what: &str) -> Result<(), Refusal> {
        let granted = self.cert.as_ref().is_none_or(|cert| cert.flags.holds(flag));
        if granted || !holds(Rule::Flags) {
            Ok(())
        } else {
            Err(Refusal::new(
                reasons::SIGNER_FLAG,
                format!("to sign {what}"),
            ))
        }
    }

    /// Refuses a product that the key is not certified for.
    pub fn check_product(&self, product: &ProductId) -> Result<(), Refusal> {
        if holds(Rule::Products) && !self.products().holds(product) {
            return Err(Refusal::new(
                reasons::STRETCHED_PRODUCTS,
                format!("product {product}"),
            ));
        }
        Ok(())
    }

    /// Refuses a site that the key is not certified for.
    pub fn check_site(&self, site: &SiteId) -> Result<(), Refusal> {
        if holds(Rule::Sites) && !self.sites().holds(site) {
            return Err(Refusal::new(
                reasons::STRETCHED_SITES,
                format!("site {site}"),
            ));
        }
        Ok(())
    }

    /// Bounds for policies; the root has none to keep.
    pub(crate) fn policy_bounds(&self) -> Result<Option<PolicyBounds>, Refusal> {
        match &self.cert {
            None => Ok(None),
            Some(cert) => cert.policy_bounds.map(Some).ok_or_else(|| {
                Refusal::new(reasons::POLICY_BOUNDS, "its certificate states no bounds")
            }),
        }
    }

    /// A statement is judged at its own `issued`: every certificate above must be valid then. The
    /// leaf's time lies within those above, so the leaf alone is asked.
    pub fn check_valid_at(&self, issued: Timestamp) -> Result<(), Refusal> {
        let Some(cert) = &self.cert else {
            return Ok(());
        };
        if !holds(Rule::ValidWhenIssued) {
            return Ok(());
        }
        let detail = || {
            format!(
                "issued {}, the certificate is valid {} to {}",
                issued, cert.not_before, cert.not_after
            )
        };
        if issued < cert.not_before {
            return Err(Refusal::new(reasons::SIGNER_NOT_YET_VALID, detail()));
        }
        if issued > cert.not_after {
            return Err(Refusal::new(reasons::SIGNER_EXPIRED, detail()));
        }
        Ok(())
    }

    fn certify(self, envelope: &Envelope) -> Result<Permit, Refusal> {
        check_signed_by(envelope, &self)?;
        let cert: Cert = envelope.claims()?;
        self.check_valid_at(cert.issued)?;
        self.check_narrows(&cert)?;
        let mut keys = vec![cert.key.thumbprint()];
        keys.extend(&self.keys);
        Ok(Permit {
            role: cert.role,
            key: cert.key,
            thumbprint: envelope.name(),
            cert: Some(cert),
            keys,
        })
    }

    fn check_narrows(&self, cert: &Cert) -> Result<(), Refusal> {
        self.check_rank(cert)?;
        if holds(Rule::Products) && !self.products().covers(&cert.products) {
            return Err(Refusal::new(
                reasons::STRETCHED_PRODUCTS,
                "in a certificate",
            ));
        }
        if holds(Rule::Sites) && !self.sites().covers(&cert.sites) {
            return Err(Refusal::new(reasons::STRETCHED_SITES, "in a certificate"));
        }
        if holds(Rule::Budget) && cert.client_budget > self.client_budget() {
            return Err(Refusal::new(reasons::STRETCHED_BUDGET, "in a certificate"));
        }
        if let Some(above) = &self.cert {
            if holds(Rule::Times)
                && (cert.not_before < above.not_before || cert.not_after > above.not_after)
            {
                return Err(Refusal::new(reasons::STRETCHED_TIME, "in a certificate"));
            }
            if holds(Rule::Flags) && !above.flags.holds(cert.flags) {
                return Err(Refusal::new(reasons::STRETCHED_FLAGS, "in a certificate"));
            }
        }
        Ok(())
    }

    /// Who may certify whom: the root issuing keys, an issuing key hosts, a host nobody.
    fn check_rank(&self, cert: &Cert) -> Result<(), Refusal> {
        let role_fits = matches!(
            (self.role, cert.role),
            (Role::Root, Role::Issuing) | (Role::Issuing, Role::KmsHost | Role::VmHost)
        );
        if holds(Rule::SignerTable) && !role_fits {
            let detail = format!("a {} certified a {}", self.role, cert.role);
            return Err(Refusal::new(reasons::SIGNER_ROLE, detail));
        }
        let depth_left = self.cert.as_ref().map_or(u32::MAX, |above| above.depth);
        if holds(Rule::Depth) && cert.depth >= depth_left {
            return Err(Refusal::new(
                reasons::STRETCHED_DEPTH,
                format!("depth {}", cert.depth),
            ));
        }
        if holds(Rule::Depth) && cert.role != Role::Issuing && cert.depth != 0 {
            return Err(Refusal::new(
                reasons::STRETCHED_DEPTH,
                "a host's depth is 0",
            ));
        }
        match cert.role {
            Role::KmsHost => self.check_flag(Flags::CERTIFY_KMS_HOSTS, "certificates of KMS hosts"),
            Role::VmHost => self.check_flag(Flags::CERTIFY_VM_HOSTS, "certificates of VM hosts"),
            _ => Ok(()),
        }
    }
}

/// Statements that stand under the root, with what their type demands of the signer.
pub trait UnderRoot: Claims {
    /// Checks the claims against what the signer may do under this root.
    fn check_under(&self, signer: &Permit, root: &Root) -> Result<(), Refusal>;
}

impl UnderRoot for Cert {
    fn check_under(&self, signer: &Permit, _: &Root) -> Result<(), Refusal> {
        signer.check_narrows(self)
    }
}
