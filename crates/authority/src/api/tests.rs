//! The API against its description.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn described() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

#[test]
fn the_description_names_every_route_and_no_other() {
    let described = described();
    let mut named = BTreeSet::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            named.insert((method.clone(), path.clone()));
        }
    }
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, path, _)| (method.to_string(), path.to_string()))
        .collect();
    assert_eq!(named, routes);
}

#[test]
fn the_description_names_statuses_that_are_answered() {
    let described = described();
    let mut named = BTreeSet::from([405]); // no operation describes a method that it is not
    for methods in described["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            let statuses = operation["responses"].as_object().unwrap().keys();
            named.extend(statuses.map(|status| status.parse::<u16>().unwrap()));
        }
    }
    assert_eq!(named, STATUSES.into());
    for reason in Reason::all() {
        assert!(STATUSES.contains(&status_of(reason)), "{reason:?}");
    }
}

#[test]
fn paths_are_matched_whole() {
    assert_eq!(find("GET", "/healthz").unwrap(), (Route::Health, ""));
    let policy = find("GET", "/v1/products/cad/policy").unwrap();
    assert_eq!(policy, (Route::Policy, "cad"));
    for (method, path, reason) in [
        ("POST", "/healthz", reasons::METHOD_WRONG),
        ("DELETE", "/v1/certify", reasons::METHOD_WRONG),
        ("GET", "/healthz/", reasons::ROUTE_UNKNOWN),
        ("GET", "/", reasons::ROUTE_UNKNOWN),
        ("GET", "/v1/products//policy", reasons::ROUTE_UNKNOWN),
        ("GET", "/v1/products/a/b/policy", reasons::ROUTE_UNKNOWN),
        ("GET", "/v1/products/policy", reasons::ROUTE_UNKNOWN),
        ("GET", "/v1/../healthz", reasons::ROUTE_UNKNOWN),
    ] {
        assert_eq!(
            find(method, path).unwrap_err().reason,
            reason,
            "{method} {path}"
        );
    }
}

#[test]
fn a_number_is_read_from_the_query() {
    assert_eq!(from(None).unwrap(), 0);
    assert_eq!(from(Some("")).unwrap(), 0);
    assert_eq!(from(Some("from=7")).unwrap(), 7);
    for wrong in [
        "from=",
        "from=-1",
        "from=x",
        "to=7",
        "from=7&x=1",
        "from=18446744073709551616",
    ] {
        assert_eq!(
            from(Some(wrong)).unwrap_err().reason,
            reasons::QUERY_WRONG,
            "{wrong}"
        );
    }
}

#[test]
fn what_the_authority_could_not_do_is_not_told_in_detail() {
    let refusal = Refusal::new(reasons::SIGNER_FAILED, "/srv/secret/path");
    let status = status_of(refusal.reason);
    assert_eq!(status, 503);
    let body = error(status, &refusal).body;
    let text = std::str::from_utf8(&body).unwrap();
    assert!(!text.contains("/srv") && text.contains("MUSTER-AUT-0008"));
}
