//! Leases: a host states that one product is licensed for one client key, with the count it saw.

use crate::cbor::MapWriter;
use crate::hardware::ComponentTags;
use crate::ids::{ProductId, Thumbprint};
use crate::limits::VM_LEASE_SECONDS_MAX;
use crate::reason::{Refusal, statement as reasons};
use crate::rules::{Rule, holds};
use crate::time::{Span, Timestamp};

use super::chain::{Permit, UnderRoot};
use super::envelope::{Body, Claims, ReadBody, confirm_thumbprint, read_confirmed_thumbprint};
use super::root::Root;
use super::{Role, Typ};

const PRODUCT: i64 = -1;
const KIND: i64 = -2;
const POLICY_VERSION: i64 = 1;
const COUNT: i64 = -3;
const COMPONENTS: i64 = -4;
const REVOCATIONS: i64 = 2;

/// Which host granted a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseKind {
    /// A KMS host.
    Kms,
    /// A virtualization host, for a guest.
    Vm,
}

impl LeaseKind {
    const fn number(self) -> u64 {
        match self {
            Self::Kms => 1,
            Self::Vm => 2,
        }
    }

    const fn signer(self) -> Role {
        match self {
            Self::Kms => Role::KmsHost,
            Self::Vm => Role::VmHost,
        }
    }
}

/// A lease's claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which kind of host granted it.
    pub kind: LeaseKind,
    /// The product.
    pub product: ProductId,
    /// The thumbprint of the client's key.
    pub client: Thumbprint,
    /// Clients counted in the product's pool, the asker included. The client judges it.
    pub count: u32,
    /// The machine's component tags as they were asked with.
    pub components: ComponentTags,
    /// The newest version of the product's policy that the host holds.
    pub policy_version: u32,
    /// The newest revocation number that the host holds.
    pub revocations: u64,
    /// When it was granted.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

impl Lease {
    /// How long it lasts.
    pub fn validity(&self) -> Span {
        self.expires.since(self.issued)
    }
}

impl Claims for Lease {
    const TYP: Typ = Typ::Lease;

    fn write(&self) -> Body {
        let own = MapWriter::new()
            .put(PRODUCT, self.product.as_str())
            .put(KIND, self.kind.number())
            .put(COUNT, self.count)
            .put(COMPONENTS, self.components.to_value())
            .put(POLICY_VERSION, self.policy_version)
            .put(REVOCATIONS, self.revocations);
        Body {
            expires: Some(self.expires),
            confirmation: Some(confirm_thumbprint(&self.client)),
            ..Body::new(self.issued, own)
        }
    }

    fn read(mut body: ReadBody) -> Result<Self, Refusal> {
        let client = read_confirmed_thumbprint(body.confirmation()?)?;
        let expires = body.expires()?;
        let own = &mut body.own;
        let kind = own.uint(KIND, "kind")?;
        let lease = Self {
            kind: [LeaseKind::Kms, LeaseKind::Vm]
                .into_iter()
                .find(|known| known.number() == kind)
                .ok_or_else(|| Refusal::new(reasons::FIELD_WRONG, "lease.kind is not known"))?,
            product: own.id(PRODUCT, "product")?,
            client,
            count: own.uint32(COUNT, "count")?,
            components: ComponentTags::from_value(own.need(COMPONENTS, "components")?)?,
            policy_version: own.uint32(POLICY_VERSION, "policy_version")?,
            revocations: own.uint(REVOCATIONS, "revocations")?,
            issued: body.issued,
            expires,
        };
        body.finish()?;
        Ok(lease)
    }

    fn issued(&self) -> Timestamp {
        self.issued
    }
}

impl UnderRoot for Lease {
    fn check_under(&self, signer: &Permit, _: &Root) -> Result<(), Refusal> {
        signer.check_product(&self.product)?;
        if holds(Rule::LeaseKind) && signer.role != self.kind.signer() {
            return Err(reasons::LEASE_KIND.into());
        }
        if holds(Rule::LeaseKind)
            && self.kind == LeaseKind::Vm
            && self.validity() > Span::from_seconds(VM_LEASE_SECONDS_MAX)
        {
            return Err(Refusal::new(
                reasons::LEASE_TOO_LONG,
                "a VM lease lasts at most 7 days",
            ));
        }
        if holds(Rule::Budget) && self.count > signer.client_budget() {
            let detail = format!("{} of {}", self.count, signer.client_budget());
            return Err(Refusal::new(reasons::STRETCHED_BUDGET, detail));
        }
        Ok(())
    }
}
