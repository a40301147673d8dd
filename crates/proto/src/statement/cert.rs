//! Certificates: the root certifies issuing keys, an issuing key certifies hosts.

use crate::cbor::{MapReader, MapWriter};
use crate::crypto::PublicKey;
use crate::ids::{ProductId, SiteId};
use crate::limits::{NAME_BYTES_MAX, PRODUCTS_MAX, SITES_MAX};
use crate::reason::{Refusal, statement as reasons};
use crate::time::{Span, Timestamp};

use super::envelope::{Body, Claims, ReadBody, confirm_key, read_confirmed_key};
use super::scope::Scope;
use super::{Role, Typ};

const ROLE: i64 = -1;
const PRODUCTS: i64 = -2;
const SITES: i64 = -3;
const CLIENT_BUDGET: i64 = -4;
const DEPTH: i64 = -5;
const FLAGS: i64 = -6;
const OPENING_KEY: i64 = -7;
const POLICY_BOUNDS: i64 = -8;
const NAME: i64 = 1;

const BOUND_THRESHOLD_MIN: i64 = -1;
const BOUND_VALIDITY_MAX: i64 = -2;

/// What an issuing key may do beyond certifying; a bit that is not set grants nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// May certify KMS hosts.
    pub const CERTIFY_KMS_HOSTS: Flags = Flags(1);
    /// May certify VM hosts.
    pub const CERTIFY_VM_HOSTS: Flags = Flags(1 << 1);
    /// May sign policies within its bounds.
    pub const POLICIES: Flags = Flags(1 << 2);
    /// May sign revocations.
    pub const REVOCATIONS: Flags = Flags(1 << 3);
    /// May sign directory objects.
    pub const OBJECTS: Flags = Flags(1 << 4);
    /// May sign confirmations.
    pub const CONFIRMATIONS: Flags = Flags(1 << 5);
    /// All that is defined.
    pub const ALL: Flags = Flags((1 << 6) - 1);
    /// Nothing.
    pub const NONE: Flags = Flags(0);

    /// Whether every bit of `other` is set.
    pub const fn holds(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// The bits, for display.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// The bounds within which an issuing key may sign policies. Without them it may sign none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyBounds {
    /// The least threshold of a policy it may sign.
    pub threshold_min: u32,
    /// The longest lease validity of a policy it may sign.
    pub validity_max: Span,
}

/// A certificate's claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cert {
    /// The role the key is certified for.
    pub role: Role,
    /// The key that signs.
    pub key: PublicKey,
    /// The X25519 key that opens what is sealed to its holder; unrelated to the signing key.
    pub opening_key: [u8; 32],
    /// A display name: the host's or the issuing key's.
    pub name: String,
    /// Products it may name.
    pub products: Scope<ProductId>,
    /// Sites it may name. A host has exactly one.
    pub sites: Scope<SiteId>,
    /// How many clients one host may count; 0 grants none.
    pub client_budget: u32,
    /// How many certificates may stand under it: 1 for an issuing key, 0 for a host.
    pub depth: u32,
    /// What it may do beyond.
    pub flags: Flags,
    /// Bounds for policies it signs.
    pub policy_bounds: Option<PolicyBounds>,
    /// When it was issued.
    pub issued: Timestamp,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid to, inclusive.
    pub not_after: Timestamp,
}

impl Claims for Cert {
    const TYP: Typ = Typ::Cert;

    fn write(&self) -> Body {
        let bounds = self.policy_bounds.map(|bounds| {
            MapWriter::new()
                .put(BOUND_THRESHOLD_MIN, bounds.threshold_min)
                .put(BOUND_VALIDITY_MAX, bounds.validity_max.seconds())
                .into_value()
        });
        let own = MapWriter::new()
            .put_opt(ROLE, self.role.number())
            .put(PRODUCTS, self.products.to_value())
            .put(SITES, self.sites.to_value())
            .put(CLIENT_BUDGET, self.client_budget)
            .put(DEPTH, self.depth)
            .put(FLAGS, self.flags.0)
            .bytes(OPENING_KEY, &self.opening_key)
            .put_opt(POLICY_BOUNDS, bounds)
            .put(NAME, self.name.as_str());
        Body {
            not_before: Some(self.not_before),
            expires: Some(self.not_after),
            confirmation: Some(confirm_key(&self.key)),
            ..Body::new(self.issued, own)
        }
    }

    fn read(mut body: ReadBody) -> Result<Self, Refusal> {
        let key = read_confirmed_key(body.confirmation()?)?;
        let (not_before, not_after) = (body.not_before()?, body.expires()?);
        let own = &mut body.own;
        let role = Role::from_number(own.uint(ROLE, "role")?)
            .ok_or_else(|| Refusal::new(reasons::FIELD_WRONG, "cert.role is not known"))?;
        let cert = Self {
            role,
            key,
            opening_key: own.array(OPENING_KEY, "opening_key")?,
            name: own.line(NAME, "name", NAME_BYTES_MAX)?,
            products: Scope::read(own, PRODUCTS, "cert.products", PRODUCTS_MAX)?,
            sites: Scope::read(own, SITES, "cert.sites", SITES_MAX)?,
            client_budget: own
                .uint_opt(CLIENT_BUDGET, "client_budget")?
                .map_or(Ok(0), small)?,
            depth: own.uint_opt(DEPTH, "depth")?.map_or(Ok(0), small)?,
            flags: Flags(own.uint_opt(FLAGS, "flags")?.map_or(Ok(0), small)?),
            policy_bounds: own
                .map_opt(POLICY_BOUNDS, "policy_bounds")?
                .map(bounds)
                .transpose()?,
            issued: body.issued,
            not_before,
            not_after,
        };
        body.finish()?;
        if !Flags::ALL.holds(cert.flags) {
            return Err(Refusal::new(
                reasons::UNKNOWN_CRITICAL,
                "cert.flags has an unknown bit",
            ));
        }
        if cert.role != Role::Issuing && cert.site().is_none() {
            return Err(Refusal::new(
                reasons::FIELD_WRONG,
                "cert.sites of a host names exactly one site",
            ));
        }
        Ok(cert)
    }

    fn issued(&self) -> Timestamp {
        self.issued
    }
}

impl Cert {
    /// The host's one site; an issuing key has none of its own.
    pub fn site(&self) -> Option<&SiteId> {
        let mut named = self.sites.named();
        match (named.next(), named.next()) {
            (Some(site), None) => Some(site),
            _ => None,
        }
    }
}

fn small(value: u64) -> Result<u32, Refusal> {
    u32::try_from(value)
        .map_err(|_| Refusal::new(reasons::FIELD_WRONG, "a number does not fit 32 bits"))
}

fn bounds(mut map: MapReader) -> Result<PolicyBounds, Refusal> {
    let bounds = PolicyBounds {
        threshold_min: map.uint32(BOUND_THRESHOLD_MIN, "threshold_min")?,
        validity_max: Span::from_seconds(map.uint(BOUND_VALIDITY_MAX, "validity_max")?),
    };
    map.finish()?;
    Ok(bounds)
}
