//! `muster inspect`: any statement or file, readable; with `--verify`, what is wrong with a bad one.

use muster_proto::authority::answer::{Activation, IssuingAnswer};
use muster_proto::limits::{ACTIVATION_BYTES_MAX, BUNDLE_BYTES_MAX};
use muster_proto::reason::statement as reasons;
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::ask::{Ask, Ticket};
use muster_proto::statement::cert::Cert;
use muster_proto::statement::chain::UnderRoot;
use muster_proto::statement::lease::{Lease, LeaseKind};
use muster_proto::statement::opening::Opening;
use muster_proto::statement::policy::{Method, Policy};
use muster_proto::statement::request::Request;
use muster_proto::statement::revocations::{RevocationSet, Revocations};
use muster_proto::statement::root::Root;
use muster_proto::statement::scope::Scope;
use muster_proto::statement::{Anchor, Envelope, Typ};
use muster_proto::time::Timestamp;
use muster_proto::wire::Bundle;
use muster_proto::{Reason, Refusal};
use serde_json::{Map, Value, json};

use crate::args::InspectArgs;
use crate::files;
use crate::report::{Report, error_json, reason_json};
use crate::times::{self, rfc3339};

/// Runs `muster inspect`.
pub(super) fn run(args: &InspectArgs) -> Result<Report, Refusal> {
    let bytes = files::read(&args.file, BUNDLE_BYTES_MAX.max(ACTIVATION_BYTES_MAX))?;
    let root = args
        .root
        .as_ref()
        .map(|path| Root::decode(&files::read(path, BUNDLE_BYTES_MAX)?))
        .transpose()?;
    let (json, text, refused) = inspect(&bytes, root.filter(|_| args.verify).as_ref())?;
    let report = Report::new(json, text);
    Ok(if refused { report.refused() } else { report })
}

/// A file as JSON and as text, judged where a root is given, and whether that refuses it.
pub(crate) fn inspect(bytes: &[u8], root: Option<&Root>) -> Result<(Value, String, bool), Refusal> {
    let mut document = describe(bytes)?;
    let verdict = root.map(|root| verify(bytes, root));
    if let Some(verdict) = &verdict {
        document.insert("valid".into(), Value::Bool(verdict.is_ok()));
        let reason = match verdict {
            Ok(reason) => reason_json(*reason),
            Err(refusal) => error_json(refusal)["error"].take(),
        };
        document.insert("reason".into(), reason);
    }
    let json = Value::Object(document);
    let text = readable(&json, 0);
    Ok((json, text, matches!(verdict, Some(Err(_)))))
}

/// Verifies a file under a root.
fn verify(bytes: &[u8], root: &Root) -> Result<Reason, Refusal> {
    if let Ok(file) = Root::decode(bytes) {
        let same = file == *root;
        return if same {
            Ok(reasons::VALID)
        } else {
            Err(reasons::ROOT_UNKNOWN.into())
        };
    }
    let revoked = RevocationSet::default();
    let anchor = Anchor {
        root,
        revoked: &revoked,
    };
    if let Ok(bundle) = Bundle::decode(bytes) {
        if bundle.root != *root {
            return Err(reasons::ROOT_UNKNOWN.into());
        }
        return bundle.verify().map(|_| reasons::VALID);
    }
    if let Ok(activation) = Activation::decode(bytes) {
        let leaf = activation
            .chain
            .first()
            .ok_or(Refusal::from(reasons::CHAIN_LENGTH))?;
        let key = Envelope::decode(leaf, Typ::Cert)?.claims::<Cert>()?.key;
        let verified = activation.verify(root, &revoked, &key, times::now());
        return verified.map(|_| reasons::VALID);
    }
    if let Ok(answer) = IssuingAnswer::decode(bytes) {
        if answer.root != *root {
            return Err(reasons::ROOT_UNKNOWN.into());
        }
        return answer.verify().map(|_| reasons::VALID);
    }
    match Envelope::decode_any(bytes)?.typ {
        Typ::Cert => under::<Cert>(&anchor, bytes),
        Typ::Policy => under::<Policy>(&anchor, bytes),
        Typ::Answer => under::<Answer>(&anchor, bytes),
        Typ::Lease => under::<Lease>(&anchor, bytes),
        Typ::Revocations => under::<Revocations>(&anchor, bytes),
        Typ::Opening => under::<Opening>(&anchor, bytes),
        Typ::Request => Request::open(bytes, root.publisher()).map(|_| reasons::VALID),
        Typ::Ask => {
            let audience = Envelope::decode(bytes, Typ::Ask)?.claims::<Ask>()?.audience;
            Ask::open(bytes, root.publisher(), audience).map(|_| reasons::VALID)
        }
        typ @ (Typ::Object | Typ::Confirmation) => Err(Refusal::new(
            reasons::WRONG_TYPE,
            format!("this release does not verify a {typ}"),
        )),
    }
}

fn under<C: UnderRoot>(anchor: &Anchor<'_>, bytes: &[u8]) -> Result<Reason, Refusal> {
    anchor.verify::<C>(bytes).map(|_| reasons::VALID)
}

fn describe(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let document = if let Ok(root) = Root::decode(bytes) {
        json!({ "typ": "root", "claims": root_json(&root), "chain": [] })
    } else if let Ok(bundle) = Bundle::decode(bytes) {
        let chain = chain_json(&bundle.chain)?;
        json!({
            "typ": "policy-bundle",
            "claims": {
                "root": root_json(&bundle.root),
                "policy": describe(&bundle.policy)?,
                "revocations": bundle.revocations.iter().map(|delta| describe(delta))
                    .collect::<Result<Vec<_>, _>>()?,
            },
            "chain": chain,
        })
    } else if let Ok(activation) = Activation::decode(bytes) {
        let policies = activation.policies.iter().map(|policy| describe(policy));
        let deltas = activation.revocations.iter().map(|delta| describe(delta));
        json!({
            "typ": "activation",
            "claims": {
                "policies": policies.collect::<Result<Vec<_>, _>>()?,
                "revocations": deltas.collect::<Result<Vec<_>, _>>()?,
            },
            "chain": chain_json(&activation.chain)?,
        })
    } else if let Ok(answer) = IssuingAnswer::decode(bytes) {
        json!({
            "typ": "issuing-answer",
            "claims": { "root": root_json(&answer.root) },
            "chain": chain_json(std::slice::from_ref(&answer.cert))?,
        })
    } else {
        statement_json(bytes)?
    };
    match document {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

fn statement_json(bytes: &[u8]) -> Result<Value, Refusal> {
    let envelope = Envelope::decode_any(bytes)?;
    Ok(json!({
        "typ": envelope.typ.name(),
        "name": envelope.name().to_string(),
        "publisher": envelope.publisher.to_string(),
        "signed_under": envelope.parent.to_string(),
        "bytes": bytes.len(),
        "claims": claims_json(&envelope)?,
        "chain": chain_json(&envelope.chain)?,
    }))
}

fn chain_json(chain: &[Vec<u8>]) -> Result<Vec<Value>, Refusal> {
    chain
        .iter()
        .map(|certificate| statement_json(certificate))
        .collect()
}

fn claims_json(envelope: &Envelope) -> Result<Value, Refusal> {
    Ok(match envelope.typ {
        Typ::Cert => cert_json(&envelope.claims()?),
        Typ::Policy => policy_json(&envelope.claims()?),
        Typ::Ask => ask_json(&envelope.claims()?),
        Typ::Answer => answer_json(&envelope.claims()?),
        Typ::Lease => lease_json(&envelope.claims()?),
        Typ::Revocations => revocations_json(&envelope.claims()?),
        Typ::Opening => {
            let opening: Opening = envelope.claims()?;
            json!({ "opening_key": hex(&opening.opening_key),
                    "issued_at": rfc3339(opening.issued), "expires_at": rfc3339(opening.expires) })
        }
        Typ::Request => request_json(&envelope.claims()?),
        Typ::Object | Typ::Confirmation => Value::Null,
    })
}

fn root_json(root: &Root) -> Value {
    json!({
        "publisher": root.publisher().to_string(),
        "name": root.name(),
        "fingerprint": root.fingerprint().to_string(),
        "keys": root.keys().iter().map(|key| key.thumbprint().to_string()).collect::<Vec<_>>(),
    })
}

fn scope_json<T: Ord + Clone + ToString + std::str::FromStr<Err = Refusal>>(
    scope: &Scope<T>,
) -> Value {
    match scope {
        Scope::All => json!("*"),
        Scope::Only(_) => json!(scope.named().map(T::to_string).collect::<Vec<_>>()),
    }
}

fn cert_json(cert: &Cert) -> Value {
    json!({
        "role": cert.role.to_string(),
        "name": cert.name,
        "key": cert.key.thumbprint().to_string(),
        "opening_key": hex(&cert.opening_key),
        "products": scope_json(&cert.products),
        "sites": scope_json(&cert.sites),
        "client_budget": cert.client_budget,
        "depth": cert.depth,
        "flags": cert.flags.bits(),
        "policy_bounds": cert.policy_bounds.map(|bounds| json!({
            "threshold_min": bounds.threshold_min,
            "validity_max": bounds.validity_max.to_string(),
        })),
        "issued_at": rfc3339(cert.issued),
        "not_before": rfc3339(cert.not_before),
        "not_after": rfc3339(cert.not_after),
    })
}

/// A policy as JSON, also used by `authority product show`.
pub(super) fn policy_json(policy: &Policy) -> Value {
    let methods = Method::ALL
        .into_iter()
        .filter(|method| policy.methods.holds(*method));
    json!({
        "product": policy.product.to_string(),
        "name": policy.name,
        "kind": policy.kind.name(),
        "threshold": policy.threshold,
        "pool": policy.pool.to_string(),
        "version": policy.version,
        "window": policy.window.to_string(),
        "validity": policy.validity.to_string(),
        "renewal": policy.renewal.to_string(),
        "retry": policy.retry.to_string(),
        "initial_grace": policy.initial_grace.to_string(),
        "tolerance_grace": policy.tolerance_grace.to_string(),
        "non_genuine_grace": policy.non_genuine_grace.to_string(),
        "extended_grace": policy.extended_grace.to_string(),
        "warning": policy.warning.to_string(),
        "methods": methods.map(Method::name).collect::<Vec<_>>(),
        "site": policy.site.as_ref().map(ToString::to_string),
        "requires_base": policy.requires_base.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "hardware_percent": policy.hardware_percent,
        "hardware_floor": policy.hardware_floor,
        "refuse_declared": policy.refuse_declared,
        "count_users": policy.count_users,
        "advisory": policy.advisory,
        "vm_validity": policy.vm_validity.to_string(),
        "vm_renewal": policy.vm_renewal.to_string(),
        "digests": policy.digests.iter()
            .map(|digest| json!({ "name": digest.name, "sha256": hex(&digest.sha256) }))
            .collect::<Vec<_>>(),
        "confirmation_key": policy.confirmation_key.map(|key| hex(&key)),
        "issued_at": rfc3339(policy.issued),
    })
}

fn ticket_json(ticket: &Ticket) -> Value {
    json!({ "store": ticket.store.to_string(), "generation": ticket.generation })
}

fn ask_json(ask: &Ask) -> Value {
    let products = ask.products.iter().map(|asked| {
        json!({ "product": asked.product.to_string(), "state": asked.state.name(),
                "minutes_left": asked.minutes_left, "required": asked.required })
    });
    json!({
        "audience": ask.audience.to_string(),
        "client": ask.client.thumbprint().to_string(),
        "nonce": ask.nonce.to_string(),
        "products": products.collect::<Vec<_>>(),
        "ticket": ask.ticket.as_ref().map(ticket_json),
        "components": hex(&ask.components.to_bytes()),
        "predecessor": ask.predecessor.as_ref().map(|old| old.key.thumbprint().to_string()),
        "base_licence": ask.base_licence,
        "in_vm": ask.in_vm,
        "version": ask.version,
        "name": ask.name,
        "user_identity": ask.user_identity,
        "declared": ask.declared,
        "issued_at": rfc3339(ask.issued),
    })
}

fn answer_json(answer: &Answer) -> Value {
    let (outcome, leases, order) = match &answer.outcome {
        Outcome::Granted { leases } => ("granted", leases.len(), None),
        Outcome::Wait => ("wait", 0, None),
        Outcome::NewKey { order } => ("new-key", 0, Some(ticket_json(order))),
        Outcome::Refused => ("refused", 0, None),
    };
    let refused = answer.refused.iter();
    json!({
        "nonce": answer.nonce.to_string(),
        "ask": answer.ask.to_string(),
        "outcome": outcome,
        "leases": leases,
        "order": order,
        "reason": answer.reason,
        "refused": refused.map(|(product, code)| json!({ "product": product.to_string(), "reason": code }))
            .collect::<Vec<_>>(),
        "store": answer.store.to_string(),
        "ticket": answer.ticket.as_ref().map(ticket_json),
        "renewal": answer.renewal.to_string(),
        "retry": answer.retry.to_string(),
        "revocations": answer.revocations,
        "issued_at": rfc3339(answer.issued),
    })
}

fn lease_json(lease: &Lease) -> Value {
    json!({
        "kind": match lease.kind { LeaseKind::Kms => "kms", LeaseKind::Vm => "vm" },
        "product": lease.product.to_string(),
        "client": lease.client.to_string(),
        "count": lease.count,
        "components": hex(&lease.components.to_bytes()),
        "policy_version": lease.policy_version,
        "revocations": lease.revocations,
        "issued_at": rfc3339(lease.issued),
        "expires_at": rfc3339(lease.expires),
    })
}

fn revocations_json(revocations: &Revocations) -> Value {
    let entries = revocations.entries.iter();
    json!({
        "from": revocations.from,
        "number": revocations.number,
        "entries": entries.map(|entry| json!({ "key": entry.key.to_string(), "ends": rfc3339(entry.ends) }))
            .collect::<Vec<_>>(),
        "issued_at": rfc3339(revocations.issued),
    })
}

fn request_json(request: &Request) -> Value {
    json!({
        "role": request.role.to_string(),
        "name": request.name,
        "key": request.key.thumbprint().to_string(),
        "opening_key": hex(&request.opening_key),
        "sealed_keys": request.sealed_keys.len(),
        "components": hex(&request.components.to_bytes()),
        "renews": request.previous.as_ref().map(|previous| previous.cert.to_string()),
        "issued_at": rfc3339(request.issued),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// JSON as indented `name: value` lines.
pub(super) fn readable(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| match value {
                Value::Object(inner) if !inner.is_empty() => {
                    format!("{indent}{name}:\n{}", readable(value, depth + 1))
                }
                Value::Array(items) if items.iter().any(Value::is_object) => {
                    let items = items.iter().map(|item| readable(item, depth + 1));
                    format!("{indent}{name}:\n{}", items.collect::<Vec<_>>().join("\n"))
                }
                value => format!("{indent}{name}: {}\n", plain(value)),
            })
            .collect(),
        value => format!("{indent}{}\n", plain(value)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(_) => "{}".into(),
        other => other.to_string(),
    }
}

/// A time for JSON: RFC 3339, or null.
pub(super) fn time_json(time: Option<Timestamp>) -> Value {
    time.map_or(Value::Null, |time| Value::String(rfc3339(time)))
}
