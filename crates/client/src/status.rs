//! What a client knows, as plain data: serialised, it is the JSON that scripts rely on.

use muster_machine::Machine;
use muster_proto::Refusal;
use muster_proto::client::evidence::{Compiled, Reader};
use muster_proto::client::judge::{Judgement, ends, judge};
use muster_proto::client::state::{Failure, HeldLease, Holding, Installed, Noted, State};
use muster_proto::client::trusted_time::Moment;
use muster_proto::client::{judge as rules, schedule};
use muster_proto::ids::ProductId;
use muster_proto::statement::lease::Lease;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::{Envelope, Typ};
use muster_proto::time::Timestamp;
use serde::Serialize;

use crate::hardware::MachineHardware;
use crate::times::rfc3339;

/// Everything installed in one directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The products, by publisher and id.
    pub products: Vec<ProductStatus>,
}

/// One product. Times are RFC 3339 UTC; what is not known is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProductStatus {
    /// The product's id.
    pub product: String,
    /// The publisher's display name.
    pub publisher: String,
    /// The publisher's id.
    pub publisher_id: String,
    /// The licence state.
    pub state: &'static str,
    /// Whether it is licensed.
    pub licensed: bool,
    /// How it was activated.
    pub method: Option<&'static str>,
    /// The last group of the product key.
    pub key_last5: Option<String>,
    /// The newest count a host stated.
    pub count: Option<u32>,
    /// The count the policy needs.
    pub required: Option<u32>,
    /// The host that granted the lease, or else answered last.
    pub host: Option<String>,
    /// That host's site.
    pub site: Option<String>,
    /// When the lease was granted.
    pub issued_at: Option<String>,
    /// When it is renewed.
    pub renew_at: Option<String>,
    /// When it ends.
    pub expires_at: Option<String>,
    /// When the present state ends by itself.
    pub until: Option<String>,
    /// Whether that is soon.
    pub warning: bool,
    /// Whether the policy only advises.
    pub advisory: bool,
    /// What happens next.
    pub next: Option<NextStatus>,
    /// Why.
    pub reason: ReasonStatus,
    /// How the last ask ended.
    pub last_ask: Option<ReasonStatus>,
    /// How asking failed last; none once it has brought a lease that is enough.
    pub ask_failed: Option<FailureStatus>,
    /// When a host answered last, by this machine's clock.
    pub answered_at: Option<String>,
    /// By how many seconds that host's clock was ahead of this machine's.
    pub clock_difference: Option<i64>,
    /// The version of the policy held.
    pub policy_version: Option<u32>,
    /// `read`, or `declared` with `--sysroot`.
    pub hardware: &'static str,
    /// The client's id at this publisher's hosts.
    pub client_id: Option<String>,
    /// Whether the files lie in a user's own directory.
    pub user_identity: bool,
}

/// What happens next, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NextStatus {
    /// When.
    pub at: String,
    /// `renew` or `retry`.
    pub what: &'static str,
}

/// A failure, and when it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureStatus {
    /// When.
    pub at: String,
    /// Why.
    #[serde(flatten)]
    pub reason: ReasonStatus,
}

impl FailureStatus {
    fn of(failure: &Failure) -> Self {
        Self {
            at: rfc3339(failure.at),
            reason: noted(&failure.why),
        }
    }
}

/// A reason with what was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonStatus {
    /// The stable code.
    pub code: String,
    /// The sentence, with what was seen.
    pub text: String,
    /// The likely cause.
    pub cause: String,
    /// The next step.
    pub next: String,
}

impl ReasonStatus {
    /// A refusal as data.
    pub fn of(refusal: &Refusal) -> Self {
        let text = refusal.reason.text();
        Self {
            code: refusal.reason.code().into(),
            text: match refusal.detail.as_str() {
                "" => text.into(),
                detail => format!("{text}: {detail}"),
            },
            cause: refusal.reason.cause().into(),
            next: refusal.reason.next().into(),
        }
    }
}

/// Describes the products of a state that `wanted` names.
pub(crate) fn describe(
    state: &State,
    machine: &Machine,
    now: Moment,
    user_identity: bool,
    wanted: impl Fn(&Holding, &ProductId) -> bool,
) -> Status {
    let mut products = Vec::new();
    for (publisher, holding) in &state.publishers {
        let mut hardware = MachineHardware::new(machine, *publisher, state.declared);
        let mut reader = Reader::open(state, &holding.root);
        for (product, installed) in &holding.products {
            if !wanted(holding, product) {
                continue;
            }
            let (judgement, policy) = match &mut reader {
                Err(refusal) => (Judgement::nothing(refusal.clone()), None),
                Ok(reader) => judged(reader, product, &mut hardware, now),
            };
            let mut status = one(
                holding,
                product,
                installed,
                &judgement,
                policy.as_ref(),
                now,
            );
            status.user_identity = user_identity;
            status.hardware = if state.declared || machine.is_declared() {
                "declared"
            } else {
                "read"
            };
            products.push(status);
        }
    }
    Status { products }
}

fn judged(
    reader: &mut Reader<'_>,
    product: &ProductId,
    hardware: &mut MachineHardware<'_>,
    now: Moment,
) -> (Judgement, Option<Policy>) {
    match reader.evidence(product, Compiled::default()) {
        Err(refusal) => (Judgement::nothing(refusal), None),
        Ok(evidence) => {
            let policy = &evidence.policy;
            let base =
                policy.requires_base.is_empty() || rules::has_base(reader, policy, hardware, now);
            let judgement = judge(&evidence, base, hardware, now);
            (judgement, Some(evidence.policy))
        }
    }
}

fn one(
    holding: &Holding,
    product: &ProductId,
    installed: &Installed,
    judgement: &Judgement,
    policy: Option<&Policy>,
    now: Moment,
) -> ProductStatus {
    let held = judgement.method.and(installed.lease.as_ref());
    let lease = held.and_then(claims);
    let last = holding.last.as_ref();
    let next = holding.next_ask.map(|next| NextStatus {
        at: rfc3339(schedule::shown(next, now)),
        what: if judgement.is_licensed() {
            "renew"
        } else {
            "retry"
        },
    });
    let host = held.map(|held| held.host.clone());
    ProductStatus {
        product: product.to_string(),
        publisher: holding.root.name().to_owned(),
        publisher_id: holding.root.publisher().to_string(),
        state: judgement.state.name(),
        licensed: judgement.is_licensed(),
        method: judgement.method.map(|method| method.name()),
        key_last5: installed.last5.map(|last5| last5.to_string()),
        count: judgement.count,
        required: judgement.required,
        host: host.or_else(|| last.map(|last| last.host.clone())),
        site: last.and_then(|last| last.site.as_ref().map(ToString::to_string)),
        issued_at: lease.as_ref().map(|lease| rfc3339(lease.issued)),
        renew_at: next
            .as_ref()
            .filter(|_| judgement.is_licensed())
            .map(|next| next.at.clone()),
        expires_at: lease
            .as_ref()
            .zip(policy)
            .map(|(lease, policy)| rfc3339(ends(lease, policy))),
        until: judgement.until.map(rfc3339),
        warning: judgement.warning,
        advisory: judgement.advisory,
        next,
        reason: ReasonStatus::of(&judgement.reason),
        last_ask: holding.outcome.as_ref().map(noted),
        ask_failed: installed.failed.as_ref().map(FailureStatus::of),
        answered_at: last.map(|last| rfc3339(last.at)),
        clock_difference: last.map(|last| difference(last.host_time, last.at)),
        policy_version: policy.map(|policy| policy.version),
        hardware: "read",
        client_id: holding
            .client
            .map(|key| muster_proto::ids::ClientId::from(key).to_string()),
        user_identity: false,
    }
}

fn claims(held: &HeldLease) -> Option<Lease> {
    let envelope = Envelope::decode(&held.statement.bytes, Typ::Lease).ok()?;
    envelope.claims().ok()
}

fn noted(noted: &Noted) -> ReasonStatus {
    match muster_proto::Reason::find(&noted.code) {
        Some(reason) => ReasonStatus::of(&Refusal::new(reason, noted.detail.clone())),
        None => ReasonStatus {
            code: noted.code.clone(),
            text: noted.detail.clone(),
            cause: String::new(),
            next: String::new(),
        },
    }
}

fn difference(host: Timestamp, own: Timestamp) -> i64 {
    let seconds = |time: Timestamp| i64::try_from(time.seconds()).expect("times end in year 9999");
    seconds(host) - seconds(own)
}
