//! The signed policy of one product: every number a host and a client judge by.

use ciborium::value::Value;

use crate::cbor::{MapReader, MapWriter};
use crate::ids::{PoolId, ProductId, SiteId, check_display_name};
use crate::key::ProductGroup;
use crate::limits::{
    FILE_DIGESTS_MAX, ID_BYTES_MAX, INTERVAL_SECONDS_MAX, INTERVAL_SECONDS_MIN, NAME_BYTES_MAX,
    PRODUCTS_MAX, VM_LEASE_SECONDS_MAX,
};
use crate::reason::{Refusal, statement as reasons};
use crate::rules::{Rule, holds};
use crate::time::{Span, Timestamp};

use super::Typ;
use super::cert::Flags;
use super::chain::{Permit, UnderRoot};
use super::envelope::{Body, Claims, ReadBody};
use super::root::Root;

const PRODUCT: i64 = -1;
const KIND: i64 = -2;
const THRESHOLD: i64 = -3;
const POOL: i64 = -4;
const VERSION: i64 = -5;
const WINDOW: i64 = -6;
const VALIDITY: i64 = -7;
const RENEWAL: i64 = -8;
const RETRY: i64 = -9;
const INITIAL_GRACE: i64 = -10;
const TOLERANCE_GRACE: i64 = -11;
const NON_GENUINE_GRACE: i64 = -12;
const METHODS: i64 = -13;
const SITE: i64 = -14;
const REQUIRES_BASE: i64 = -15;
const HARDWARE_PERCENT: i64 = -16;
const HARDWARE_FLOOR: i64 = -17;
const REFUSE_DECLARED: i64 = -18;
const VM_VALIDITY: i64 = -19;
const VM_RENEWAL: i64 = -20;
const CONFIRMATION_KEY: i64 = -21;
const EXTENDED_GRACE: i64 = -22;
const GROUP: i64 = -23;
const NAME: i64 = 1;
const WARNING: i64 = 2;
const ADVISORY: i64 = 3;
const COUNT_USERS: i64 = 4;
const DIGESTS: i64 = 5;

const DIGEST_NAME: i64 = -1;
const DIGEST_SHA256: i64 = -2;

/// What a product runs on: its default threshold follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProductKind {
    /// For client machines; 25 are needed by default.
    Client,
    /// For servers; 5 are needed by default.
    Server,
}

impl ProductKind {
    /// The threshold a new product begins with, in machines.
    pub const fn threshold_default(self) -> u32 {
        match self {
            Self::Client => 25,
            Self::Server => 5,
        }
    }

    /// `client` or `server`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// Reads `client` or `server`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Client, Self::Server]
            .into_iter()
            .find(|kind| kind.name() == text)
    }
}

/// The methods of activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// A KMS host on the network.
    Kms,
    /// An object in the directory.
    Directory,
    /// The virtualization host.
    Vm,
    /// The authority, over the wire.
    Online,
    /// The authority, by telephone, QR code or file.
    Confirmation,
    /// A marker in the firmware.
    Oem,
}

impl Method {
    /// Every method, in the order of their bits.
    pub const ALL: [Method; 6] = [
        Method::Kms,
        Method::Directory,
        Method::Vm,
        Method::Online,
        Method::Confirmation,
        Method::Oem,
    ];

    /// The method's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::Directory => "directory",
            Self::Vm => "vm",
            Self::Online => "online",
            Self::Confirmation => "confirmation",
            Self::Oem => "oem",
        }
    }

    /// Reads a method's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == text)
    }
}

/// A set of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(u32);

impl Methods {
    /// Every method.
    pub const ALL: Methods = Methods((1 << Method::ALL.len()) - 1);

    /// The set of some methods.
    pub fn only(methods: impl IntoIterator<Item = Method>) -> Self {
        Self(
            methods
                .into_iter()
                .fold(0, |bits, method| bits | 1 << method as u32),
        )
    }

    /// Whether a method is allowed.
    pub const fn holds(self, method: Method) -> bool {
        self.0 & (1 << method as u32) != 0
    }
}

/// The digest of one file of the product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDigest {
    /// The file's name, relative to the product.
    pub name: String,
    /// SHA-256 of its contents.
    pub sha256: [u8; 32],
}

/// A policy's claims. [`Policy::new`] holds every default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The product.
    pub product: ProductId,
    /// Its display name.
    pub name: String,
    /// The group that its product keys carry; the authority allots it, and a key of another group
    /// is another product's.
    pub group: ProductGroup,
    /// What it runs on.
    pub kind: ProductKind,
    /// Counted machines needed before a KMS lease licenses; 1 and up.
    pub threshold: u32,
    /// The pool its clients are counted in.
    pub pool: PoolId,
    /// Grows by one at each change; clients never go back.
    pub version: u32,
    /// How long a client counts after it last asked.
    pub window: Span,
    /// How long a KMS lease or directory contact licenses.
    pub validity: Span,
    /// When a licensed client renews.
    pub renewal: Span,
    /// When a client that is not licensed asks again.
    pub retry: Span,
    /// Grace after installation.
    pub initial_grace: Span,
    /// Grace after a lease ran out or the hardware changed.
    pub tolerance_grace: Span,
    /// Grace after the key or host was revoked.
    pub non_genuine_grace: Span,
    /// Grace that `rearm` gives; zero allows none.
    pub extended_grace: Span,
    /// How long before its end a licence is warned about.
    pub warning: Span,
    /// Allowed methods.
    pub methods: Methods,
    /// The customer's or site's own policy: only leases of that site satisfy it.
    pub site: Option<SiteId>,
    /// Products of which one must be licensed on the machine; empty needs none.
    pub requires_base: Vec<ProductId>,
    /// Share of readable components that must match a lease's, in percent.
    pub hardware_percent: u32,
    /// Components that must be readable at least, else the hardware counts as changed.
    pub hardware_floor: u32,
    /// Whether hardware declared with `--sysroot` is refused.
    pub refuse_declared: bool,
    /// Whether identities in a user's own directory count.
    pub count_users: bool,
    /// Advisory: the product only tells and never restricts.
    pub advisory: bool,
    /// How long a VM lease lasts; at most 7 days.
    pub vm_validity: Span,
    /// When a VM lease is renewed.
    pub vm_renewal: Span,
    /// Files of the product whose change counts as tampering.
    pub digests: Vec<FileDigest>,
    /// The BLS12-381 public key (in G2, 96 bytes) that confirmations are checked under.
    pub confirmation_key: Option<[u8; 96]>,
    /// When it was issued.
    pub issued: Timestamp,
}

impl Policy {
    /// The policy of a new product with every default.
    pub fn new(product: ProductId, name: &str, kind: ProductKind, issued: Timestamp) -> Self {
        Self {
            pool: product.clone().into(),
            product,
            name: name.to_owned(),
            group: ProductGroup::default(),
            kind,
            threshold: kind.threshold_default(),
            version: 1,
            window: Span::from_days(30),
            validity: Span::from_days(180),
            renewal: Span::from_days(7),
            retry: Span::from_hours(2),
            initial_grace: Span::ZERO,
            tolerance_grace: Span::from_days(30),
            non_genuine_grace: Span::from_days(30),
            extended_grace: Span::ZERO,
            warning: Span::from_days(30),
            methods: Methods::ALL,
            site: None,
            requires_base: Vec::new(),
            hardware_percent: 50,
            hardware_floor: 1,
            refuse_declared: false,
            count_users: false,
            advisory: false,
            vm_validity: Span::from_days(7),
            vm_renewal: Span::from_hours(24),
            digests: Vec::new(),
            confirmation_key: None,
            issued,
        }
    }

    /// Every grace in which a product runs without being licensed.
    fn graces(&self) -> [Span; 4] {
        [
            self.initial_grace,
            self.tolerance_grace,
            self.non_genuine_grace,
            self.extended_grace,
        ]
    }

    /// Refuses values outside the bounds of the numbers page.
    pub fn check(&self) -> Result<(), Refusal> {
        let wrong = |what: &str| Err(Refusal::new(reasons::FIELD_WRONG, format!("policy.{what}")));
        let interval =
            |span: Span| (INTERVAL_SECONDS_MIN..=INTERVAL_SECONDS_MAX).contains(&span.seconds());
        if check_display_name(&self.name).is_err() {
            return wrong("name must have 1 to 128 bytes and no control characters");
        }
        if self.threshold == 0 {
            return wrong("threshold must be 1 or more");
        }
        if self.version == 0 {
            return wrong("version must be 1 or more");
        }
        if !interval(self.renewal) || !interval(self.retry) {
            return wrong("renewal and retry must be 15 minutes to 30 days");
        }
        if self.window < Span::from_hours(1) || self.window > Span::from_days(366) {
            return wrong("window must be 1 hour to 366 days");
        }
        if self.validity < self.renewal || self.validity > Span::from_days(3_660) {
            return wrong("validity must be at least the renewal interval and at most 3660 days");
        }
        if self.vm_validity.seconds() > VM_LEASE_SECONDS_MAX
            || self.vm_renewal > self.vm_validity
            || !interval(self.vm_renewal)
        {
            return wrong(
                "vm_validity must be at most 7 days, vm_renewal 15 minutes to vm_validity",
            );
        }
        let longest = self.graces().into_iter().max().unwrap_or_default();
        if longest.max(self.warning) > Span::from_days(3_660) {
            return wrong("graces and warning must be at most 3660 days");
        }
        if self.hardware_percent > 100 || self.hardware_floor > 8 {
            return wrong("hardware_percent is at most 100 and hardware_floor at most 8");
        }
        Ok(())
    }
}

impl Claims for Policy {
    const TYP: Typ = Typ::Policy;

    fn write(&self) -> Body {
        let ids = |ids: &[ProductId]| {
            Value::Array(ids.iter().map(|id| Value::Text(id.to_string())).collect())
        };
        let digest = |digest: &FileDigest| {
            MapWriter::new()
                .put(DIGEST_NAME, digest.name.as_str())
                .bytes(DIGEST_SHA256, &digest.sha256)
                .into_value()
        };
        let own = MapWriter::new()
            .put(PRODUCT, self.product.as_str())
            .put(NAME, self.name.as_str())
            .put(GROUP, self.group.get())
            .put(KIND, self.kind.name())
            .put(THRESHOLD, self.threshold)
            .put(POOL, self.pool.as_str())
            .put(VERSION, self.version)
            .put(WINDOW, self.window.seconds())
            .put(VALIDITY, self.validity.seconds())
            .put(RENEWAL, self.renewal.seconds())
            .put(RETRY, self.retry.seconds())
            .put(INITIAL_GRACE, self.initial_grace.seconds())
            .put(TOLERANCE_GRACE, self.tolerance_grace.seconds())
            .put(NON_GENUINE_GRACE, self.non_genuine_grace.seconds())
            .put(EXTENDED_GRACE, self.extended_grace.seconds())
            .put(WARNING, self.warning.seconds())
            .put(METHODS, self.methods.0)
            .put_opt(SITE, self.site.as_ref().map(SiteId::as_str))
            .put(REQUIRES_BASE, ids(&self.requires_base))
            .put(HARDWARE_PERCENT, self.hardware_percent)
            .put(HARDWARE_FLOOR, self.hardware_floor)
            .put(REFUSE_DECLARED, self.refuse_declared)
            .put(COUNT_USERS, self.count_users)
            .put(ADVISORY, self.advisory)
            .put(VM_VALIDITY, self.vm_validity.seconds())
            .put(VM_RENEWAL, self.vm_renewal.seconds())
            .put(
                DIGESTS,
                Value::Array(self.digests.iter().map(digest).collect()),
            )
            .put_opt(
                CONFIRMATION_KEY,
                self.confirmation_key.map(|key| Value::Bytes(key.to_vec())),
            );
        Body::new(self.issued, own)
    }

    fn read(mut body: ReadBody) -> Result<Self, Refusal> {
        let issued = body.issued;
        let own = &mut body.own;
        let policy = Self {
            product: own.id(PRODUCT, "product")?,
            name: own.line(NAME, "name", NAME_BYTES_MAX)?,
            group: read_group(own)?,
            kind: read_kind(own)?,
            threshold: own.uint32(THRESHOLD, "threshold")?,
            pool: own.id(POOL, "pool")?,
            version: own.uint32(VERSION, "version")?,
            window: span(own, WINDOW, "window")?,
            validity: span(own, VALIDITY, "validity")?,
            renewal: span(own, RENEWAL, "renewal")?,
            retry: span(own, RETRY, "retry")?,
            initial_grace: span(own, INITIAL_GRACE, "initial_grace")?,
            tolerance_grace: span(own, TOLERANCE_GRACE, "tolerance_grace")?,
            non_genuine_grace: span(own, NON_GENUINE_GRACE, "non_genuine_grace")?,
            extended_grace: span(own, EXTENDED_GRACE, "extended_grace")?,
            warning: span(own, WARNING, "warning")?,
            methods: Methods(own.uint32(METHODS, "methods")? & Methods::ALL.0),
            site: own.id_opt(SITE, "site")?,
            requires_base: own
                .list(REQUIRES_BASE, "requires_base", PRODUCTS_MAX)?
                .into_iter()
                .map(read_product)
                .collect::<Result<_, Refusal>>()?,
            hardware_percent: own.uint32(HARDWARE_PERCENT, "hardware_percent")?,
            hardware_floor: own.uint32(HARDWARE_FLOOR, "hardware_floor")?,
            refuse_declared: own.bool_or_false(REFUSE_DECLARED, "refuse_declared")?,
            count_users: own.bool_or_false(COUNT_USERS, "count_users")?,
            advisory: own.bool_or_false(ADVISORY, "advisory")?,
            vm_validity: span(own, VM_VALIDITY, "vm_validity")?,
            vm_renewal: span(own, VM_RENEWAL, "vm_renewal")?,
            digests: own
                .list(DIGESTS, "digests", FILE_DIGESTS_MAX)?
                .into_iter()
                .map(read_digest)
                .collect::<Result<_, Refusal>>()?,
            confirmation_key: own.array_opt(CONFIRMATION_KEY, "confirmation_key")?,
            issued,
        };
        body.finish()?;
        policy.check()?;
        Ok(policy)
    }

    fn issued(&self) -> Timestamp {
        self.issued
    }
}

impl UnderRoot for Policy {
    fn check_under(&self, signer: &Permit, _: &Root) -> Result<(), Refusal> {
        signer.check_flag(Flags::POLICIES, "policies")?;
        signer.check_product(&self.product)?;
        if let Some(site) = &self.site {
            signer.check_site(site)?;
        }
        if !holds(Rule::PolicyBounds) {
            return Ok(());
        }
        let Some(bounds) = signer.policy_bounds()? else {
            return Ok(());
        };
        if self.threshold < bounds.threshold_min {
            let detail = format!(
                "threshold {}, at least {}",
                self.threshold, bounds.threshold_min
            );
            return Err(Refusal::new(reasons::POLICY_BOUNDS, detail));
        }
        if self.validity > bounds.validity_max {
            let detail = format!(
                "validity {}, at most {}",
                self.validity, bounds.validity_max
            );
            return Err(Refusal::new(reasons::POLICY_BOUNDS, detail));
        }
        // A grace of a hundred years would go round the bound on validity.
        if let Some(grace) = self
            .graces()
            .into_iter()
            .find(|grace| *grace > bounds.validity_max)
        {
            let detail = format!("a grace of {grace}, at most {}", bounds.validity_max);
            return Err(Refusal::new(reasons::POLICY_BOUNDS, detail));
        }
        Ok(())
    }
}

fn span(map: &mut MapReader, key: i64, field: &str) -> Result<Span, Refusal> {
    map.uint(key, field).map(Span::from_seconds)
}

fn read_group(map: &mut MapReader) -> Result<ProductGroup, Refusal> {
    let group = map.uint32(GROUP, "group")?;
    u16::try_from(group)
        .ok()
        .and_then(|group| ProductGroup::new(group).ok())
        .ok_or_else(|| Refusal::new(reasons::FIELD_WRONG, "policy.group does not fit 13 bits"))
}

fn read_kind(map: &mut MapReader) -> Result<ProductKind, Refusal> {
    ProductKind::parse(&map.text(KIND, "kind", ID_BYTES_MAX)?)
        .ok_or_else(|| Refusal::new(reasons::FIELD_WRONG, "policy.kind is not client or server"))
}

fn read_product(value: Value) -> Result<ProductId, Refusal> {
    match value {
        Value::Text(text) => text.parse().map_err(|_| {
            Refusal::new(
                reasons::FIELD_WRONG,
                "policy.requires_base holds what is not an id",
            )
        }),
        _ => Err(Refusal::new(
            reasons::FIELD_WRONG,
            "a product id is not text",
        )),
    }
}

fn read_digest(value: Value) -> Result<FileDigest, Refusal> {
    let mut map = MapReader::new("policy.digest", value)?;
    let digest = FileDigest {
        name: map.line(DIGEST_NAME, "name", NAME_BYTES_MAX)?,
        sha256: map.array(DIGEST_SHA256, "sha256")?,
    };
    map.finish()?;
    Ok(digest)
}
