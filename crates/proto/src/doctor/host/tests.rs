//! The diagnosis of a host over every fault: exactly the step that fails, and its reason.

use super::*;
use crate::doctor::replication::{DatabaseSeen, ReplicationSeen, StandbySeen};
use crate::reason::{Reason, dns, statement, store};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn seen() -> Seen {
    let port = ("127.0.0.1:1688".parse().unwrap(), Ok(()));
    Seen {
        store: Ok("whole".into()),
        table: None,
        disk: None,
        clock: Ok(NOW),
        now: NOW,
        is_serving: true,
        ports: vec![port],
        publishers: vec![PublisherSeen {
            name: "Contoso".into(),
            last5: vec!["7Q2WK".into()],
            certificate: Ok(CertificateSeen {
                products: vec!["cad".into()],
                issued: NOW - Span::from_days(10),
                not_after: NOW + Span::from_days(355),
            }),
            opening_made: Some(NOW - Span::from_days(10)),
            greeting: Some(Ok(true)),
            authority: Some(AuthoritySeen {
                url: "https://authority.test".into(),
                answer: Ok(true),
                date: Some(NOW),
            }),
        }],
        zones: vec![ZoneSeen {
            zone: "corp.test".into(),
            wanted: ("kms.corp.test".into(), 1_688),
            found: Ok(vec![
                ("other.corp.test".into(), 1_688),
                ("kms.corp.test".into(), 1_688),
            ]),
            addresses: Ok(vec!["192.0.2.1".into()]),
            last_failure: None,
        }],
    }
}

fn judged(fault: impl FnOnce(&mut Seen)) -> Report {
    let mut seen = seen();
    fault(&mut seen);
    judge(&seen)
}

fn steps(report: &Report, verdict: Verdict) -> Vec<(&'static str, Option<Reason>)> {
    let wanted = report.findings.iter().filter(|it| it.verdict == verdict);
    wanted.map(|it| (it.step, it.reason)).collect()
}

fn broken(step: &'static str, reason: Reason, fault: impl FnOnce(&mut Seen)) {
    let report = judged(fault);
    assert_eq!(steps(&report, Verdict::Fail), [(step, Some(reason))]);
    assert_eq!(report.next, Some(reason));
}

fn warned(step: &'static str, reason: Reason, fault: impl FnOnce(&mut Seen)) {
    let report = judged(fault);
    assert!(!report.fails(), "{report:#?}");
    assert_eq!(steps(&report, Verdict::Warn), [(step, Some(reason))]);
}

#[test]
fn a_shared_table_is_a_step_that_none_other_needs() {
    let table = |answer| {
        Some(DatabaseSeen {
            url: "postgres://one/fleet".into(),
            answer,
        })
    };
    broken("table", store::SERVER_UNREACHABLE, |seen| {
        seen.table = table(Err(store::SERVER_UNREACHABLE.into()));
    });
    warned("table", store::ASYNCHRONOUS, |seen| {
        seen.table = table(Ok(ReplicationSeen {
            standbys: vec![StandbySeen {
                name: "two".into(),
                is_waited_for: Some(false),
            }],
            ..ReplicationSeen::default()
        }));
    });
}

#[test]
fn nothing_is_wrong_where_nothing_is() {
    let report = judged(|_| {});
    let names: Vec<_> = report.findings.iter().map(|it| it.step).collect();
    let wanted = "disk store clock keys service port certificate opening-key greeting authority \
                  authority-clock dns";
    assert_eq!(names.join(" "), wanted);
    assert_eq!(report.next, None);
    assert_eq!(steps(&report, Verdict::NotReached), [("disk", None)]);
}

#[test]
fn faults_of_the_host_itself_are_named() {
    broken("store", store::CORRUPT, |seen| {
        seen.store = Err(store::CORRUPT.into());
        seen.publishers.clear();
        seen.zones.clear();
    });
    broken("clock", reasons::CLOCK_JUMPED, |seen| {
        seen.clock = Err(reasons::CLOCK_JUMPED.into());
    });
    broken("keys", reasons::NOT_CERTIFIED, |seen| {
        seen.publishers.clear();
    });
    broken("service", reasons::NOT_SERVING, |seen| {
        seen.is_serving = false;
    });
    broken("port", dns::NET_REFUSED, |seen| {
        seen.ports[0].1 = Err(dns::NET_REFUSED.into());
    });
}

#[test]
fn certificates_and_keys_are_judged_by_their_age() {
    broken("certificate", statement::SIGNER_EXPIRED, |seen| {
        seen.publishers[0].certificate = Err(statement::SIGNER_EXPIRED.into());
    });
    let left = |days: u64| {
        move |seen: &mut Seen| {
            if let Ok(certificate) = &mut seen.publishers[0].certificate {
                certificate.not_after = NOW + Span::from_days(days);
            }
        }
    };
    assert_eq!(judged(left(60)).next, None);
    warned("certificate", reasons::CERTIFICATE_ENDS, left(59));
    let made = |days: u64| {
        move |seen: &mut Seen| {
            seen.publishers[0].opening_made = Some(NOW - Span::from_days(days));
        }
    };
    assert_eq!(judged(made(31)).next, None);
    warned("opening-key", reasons::OPENING_KEY_OLD, made(32));
    broken("opening-key", reasons::OPENING_KEY_OLD, made(38));
}

#[test]
fn what_answers_and_the_authority_are_judged() {
    broken("greeting", reasons::GREETING_OTHER, |seen| {
        seen.publishers[0].greeting = Some(Ok(false));
    });
    let authority = |answer: Result<bool, Refusal>, date: Timestamp| {
        move |seen: &mut Seen| {
            let url = "https://authority.test".into();
            let date = answer.is_ok().then_some(date);
            seen.publishers[0].authority = Some(AuthoritySeen { url, answer, date });
        }
    };
    let silent = Err(dns::NET_CONNECT_TIMEOUT.into());
    warned(
        "authority",
        dns::NET_CONNECT_TIMEOUT,
        authority(silent, NOW),
    );
    broken(
        "authority",
        statement::ROOT_UNKNOWN,
        authority(Ok(false), NOW),
    );
    let late = NOW + Span::from_hours(5);
    broken(
        "authority-clock",
        reasons::CLOCKS_DIFFER,
        authority(Ok(true), late),
    );
    assert_eq!(
        judged(|seen| seen.publishers[0].authority = None).next,
        None,
        "it works by files"
    );
}

#[test]
fn zones_are_compared_with_what_should_be_there() {
    let zone = |fault: fn(&mut ZoneSeen)| move |seen: &mut Seen| fault(&mut seen.zones[0]);
    broken(
        "dns",
        reasons::DNS_NOT_PUBLISHED,
        zone(|zone| zone.found = Err(dns::DNS_NO_SUCH_NAME.into())),
    );
    broken(
        "dns",
        reasons::DNS_NOT_PUBLISHED,
        zone(|zone| zone.wanted.1 = 1_689),
    );
    broken(
        "dns",
        dns::TSIG_KEY_REJECTED,
        zone(|zone| {
            zone.found = Ok(Vec::new());
            zone.last_failure = Some(dns::TSIG_KEY_REJECTED.into());
        }),
    );
    broken(
        "dns",
        dns::DNS_SILENT,
        zone(|zone| zone.found = Err(dns::DNS_SILENT.into())),
    );
    broken(
        "dns",
        client::HOST_NO_ADDRESS,
        zone(|zone| zone.addresses = Err(dns::DNS_NO_RECORD.into())),
    );
    warned(
        "dns",
        dns::DNS_UPDATE_REFUSED,
        zone(|zone| zone.last_failure = Some(dns::DNS_UPDATE_REFUSED.into())),
    );
}
