//! The diagnosis of an authority over every fault.

use super::*;
use crate::doctor::replication::StandbySeen;
use crate::reason::{Reason, config, dns, store};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn seen() -> Seen {
    Seen {
        root: Ok("Contoso".into()),
        secrets: vec![("product-keys.key".into(), Ok(()))],
        disk: None,
        store: Ok("whole".into()),
        replication: None,
        now: NOW,
        newest: Some(NOW - Span::from_hours(1)),
        issuing: Some(IssuingSeen {
            not_after: NOW + Span::from_days(1_000),
            key: Ok(()),
        }),
        is_pending: false,
        products: vec![("cad".into(), 1)],
        service: Some(ServiceSeen {
            url: "https://authority.test".into(),
            is_expected: true,
            answer: Ok(true),
        }),
    }
}

fn judged(fault: impl FnOnce(&mut Seen)) -> Report {
    let mut seen = seen();
    fault(&mut seen);
    judge(&seen)
}

fn broken(step: &'static str, reason: Reason, fault: impl FnOnce(&mut Seen)) {
    let report = judged(fault);
    let failed = report.findings.iter();
    let failed = failed.filter(|it| it.verdict == Verdict::Fail);
    let failed: Vec<_> = failed.map(|it| (it.step, it.reason)).collect();
    assert_eq!(failed, [(step, Some(reason))], "{report:#?}");
    assert_eq!(report.next, Some(reason));
}

#[test]
fn nothing_is_wrong_where_nothing_is() {
    let report = judged(|_| {});
    assert_eq!(report.next, None);
    let names: Vec<_> = report.findings.iter().map(|it| it.step).collect();
    let wanted = "root disk secrets store clock issuing products service";
    assert_eq!(names.join(" "), wanted);
}

#[test]
fn every_fault_is_named() {
    broken("root", reasons::NOT_INITIALISED, |seen| {
        seen.root = Err(reasons::NOT_INITIALISED.into());
    });
    broken("secrets", config::FILE_MODE, |seen| {
        seen.secrets[0].1 = Err(config::FILE_MODE.into());
    });
    broken("store", store::CORRUPT, |seen| {
        seen.store = Err(store::CORRUPT.into());
    });
    broken("replication", store::ASYNCHRONOUS, |seen| {
        let standby = StandbySeen {
            name: "two".into(),
            is_waited_for: Some(false),
        };
        seen.replication = Some(ReplicationSeen {
            standbys: vec![standby],
            ..ReplicationSeen::default()
        });
    });
    broken("clock", reasons::CLOCK_BEHIND, |seen| {
        seen.newest = Some(NOW + Span::from_hours(5));
    });
    broken("issuing", reasons::AWAITING_ROOT, |seen| {
        seen.issuing = None;
        seen.is_pending = true;
    });
    broken("issuing", reasons::ISSUING_ENDED, |seen| {
        if let Some(issuing) = &mut seen.issuing {
            issuing.not_after = NOW - Span::from_days(1);
        }
    });
    broken("issuing", reasons::SIGNER_FAILED, |seen| {
        if let Some(issuing) = &mut seen.issuing {
            issuing.key = Err(reasons::SIGNER_FAILED.into());
        }
    });
    broken("service", dns::NET_REFUSED, |seen| {
        refuse_service(seen, true);
    });
}

fn refuse_service(seen: &mut Seen, is_expected: bool) {
    if let Some(service) = &mut seen.service {
        service.is_expected = is_expected;
        service.answer = Err(dns::NET_REFUSED.into());
    }
}

#[test]
fn what_comes_soon_is_a_warning() {
    let ends = judged(|seen| {
        if let Some(issuing) = &mut seen.issuing {
            issuing.not_after = NOW + Span::from_days(59);
        }
    });
    assert_eq!(
        (ends.next, ends.fails()),
        (Some(reasons::ISSUING_ENDS), false)
    );
    let by_files = judged(|seen| refuse_service(seen, false));
    assert!(
        !by_files.fails(),
        "a publisher who works by files needs none"
    );
    let none = judged(|seen| seen.products.clear());
    assert_eq!(
        (none.next, none.fails()),
        (Some(reasons::NO_PRODUCTS), false)
    );
}
