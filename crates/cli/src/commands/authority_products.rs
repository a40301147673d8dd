//! `muster authority product`: products and their signed policies.

use std::path::PathBuf;

use muster_authority::ProductReport;
use muster_machine::clock;
use muster_proto::Refusal;
use muster_proto::reason::config as reasons;
use muster_proto::statement::policy::{Method, Methods, Policy, ProductKind};
use serde_json::{Value, json};

use super::authority::Place;
use super::inspect::{policy_json, readable};
use crate::args::authority::{PolicyFields, Product};
use crate::files;
use crate::report::{Report, table};
use crate::times::rfc3339;

/// Runs a verb of `muster authority product`.
pub(super) async fn run(place: &Place, verb: Product) -> Result<Report, Refusal> {
    let now = clock::now();
    match verb {
        Product::Add {
            id,
            name,
            kind,
            policy: fields,
        } => {
            let kind = ProductKind::parse(&kind)
                .ok_or_else(|| Refusal::new(reasons::MISUSED, "--kind is client or server"))?;
            let methods = methods(&fields)?;
            let mut policy = Policy::new(id, &name, kind, now);
            apply(&fields, methods, &mut policy);
            let report = place.open().await?.add_product(policy, now).await?;
            Ok(changed("Added", &report))
        }
        Product::List => Ok(list(&place.open().await?.products().await?)),
        Product::Show { id } => {
            let product = place.open().await?.product(&id).await?;
            let json = product_json(&product);
            let text = readable(&json, 0);
            Ok(Report::new(json, text))
        }
        Product::Set {
            id,
            name,
            policy: fields,
        } => {
            let methods = methods(&fields)?;
            let change = |policy: &mut Policy| {
                if let Some(name) = &name {
                    policy.name.clone_from(name);
                }
                apply(&fields, methods, policy);
            };
            let report = place.open().await?.set_product(&id, change, now).await?;
            Ok(changed("Set", &report))
        }
        Product::Policy { id, out } => {
            let bundle = place.open().await?.bundle(&id, now).await?;
            let out = out.unwrap_or_else(|| PathBuf::from(format!("{id}.policy")));
            files::write(&out, &bundle.encode())?;
            let version = bundle.verify()?.policy.claims.version;
            let json = json!({ "product": id.to_string(), "policy": out, "version": version,
                "root_fingerprint": bundle.root.fingerprint().to_string() });
            let text = format!(
                "Policy of {id}, version {version}, written to {}.",
                out.display()
            );
            Ok(Report::new(json, text))
        }
    }
}

fn methods(fields: &PolicyFields) -> Result<Option<Methods>, Refusal> {
    let Some(names) = &fields.methods else {
        return Ok(None);
    };
    if names.iter().any(|name| name == "all") {
        return Ok(Some(Methods::ALL));
    }
    let method = |name: &String| {
        Method::parse(name).ok_or_else(|| {
            let known: Vec<_> = Method::ALL.into_iter().map(Method::name).collect();
            let detail = format!("--methods {name:?}: known are {}", known.join(", "));
            Refusal::new(reasons::MISUSED, detail)
        })
    };
    Ok(Some(Methods::only(
        names.iter().map(method).collect::<Result<Vec<_>, _>>()?,
    )))
}

/// Puts the fields that were given into a policy.
fn apply(fields: &PolicyFields, methods: Option<Methods>, policy: &mut Policy) {
    fn set<T: Clone>(field: &mut T, given: &Option<T>) {
        if let Some(value) = given {
            field.clone_from(value);
        }
    }
    set(&mut policy.threshold, &fields.threshold);
    set(&mut policy.pool, &fields.pool);
    set(&mut policy.window, &fields.window);
    set(&mut policy.validity, &fields.validity);
    set(&mut policy.renewal, &fields.renewal);
    set(&mut policy.retry, &fields.retry);
    set(&mut policy.initial_grace, &fields.initial_grace);
    set(&mut policy.tolerance_grace, &fields.tolerance_grace);
    set(&mut policy.non_genuine_grace, &fields.non_genuine_grace);
    set(&mut policy.extended_grace, &fields.extended_grace);
    set(&mut policy.warning, &fields.warning);
    set(&mut policy.methods, &methods);
    set(&mut policy.requires_base, &fields.requires_base);
    set(&mut policy.hardware_percent, &fields.hardware_percent);
    set(&mut policy.hardware_floor, &fields.hardware_floor);
    set(&mut policy.refuse_declared, &fields.refuse_declared);
    set(&mut policy.count_users, &fields.count_users);
    set(&mut policy.advisory, &fields.advisory);
    if fields.site.is_some() {
        policy.site.clone_from(&fields.site);
    }
}

fn product_json(product: &ProductReport) -> Value {
    json!({
        "id": product.policy.product.to_string(),
        "name": product.policy.name,
        "kind": product.policy.kind.name(),
        "added_at": rfc3339(product.added),
        "policy": policy_json(&product.policy),
    })
}

fn changed(verb: &str, product: &ProductReport) -> Report {
    let policy = &product.policy;
    let machines = match policy.threshold {
        1 => "1 machine".to_owned(),
        more => format!("{more} machines"),
    };
    let text = format!(
        "{verb} {} ({}): {machines} needed, policy version {}.",
        policy.product, policy.name, policy.version
    );
    Report::new(product_json(product), text)
}

fn list(products: &[ProductReport]) -> Report {
    let rows = products.iter().map(|product| {
        let policy = &product.policy;
        vec![
            policy.product.to_string(),
            policy.name.clone(),
            policy.kind.name().to_owned(),
            policy.threshold.to_string(),
            policy.pool.to_string(),
            policy.version.to_string(),
        ]
    });
    let text = table(
        &["PRODUCT", "NAME", "KIND", "NEEDED", "POOL", "POLICY"],
        rows,
    );
    let json: Vec<Value> = products.iter().map(product_json).collect();
    Report::new(json!({ "products": json }), text)
}
