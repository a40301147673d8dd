//! The diagnosis of a client over every fault: exactly the step that fails, its reason, and that
//! what needs it is not reached.

use super::*;
use crate::doctor::WriteFault;
use crate::reason::{dns, kms, statement, store};
use crate::time::Span;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn machine() -> MachineSeen {
    MachineSeen {
        files: [("state", Ok(Some(900))), ("identity", Ok(Some(300)))],
        disk: Some(DiskSeen {
            dir: "/m".into(),
            write: Ok(()),
            free_bytes: None,
        }),
        sysroot: None,
        components: vec![Component::Installation],
        products: vec![ProductSeen {
            product: "cad".into(),
            publisher: "Contoso".into(),
            last5: Some("7Q2WK".into()),
            policy: Ok((1, Some(true))),
        }],
        method: None,
        site: None,
        clock: NOW,
        floor: NOW - Span::from_days(1),
        is_behind: false,
    }
}

fn host(name: &str) -> HostSeen {
    HostSeen {
        host: name.parse().unwrap(),
        source: Source::All,
        addresses: Ok(vec!["192.0.2.1".parse().unwrap()]),
        ports: vec![("192.0.2.1:1688".parse().unwrap(), Ok(()))],
        service: Some(Ok(ServiceSeen::Greeting)),
        date: Some(NOW),
        chain: Some(Ok(ChainSeen {
            name: "kms".into(),
            site: None,
            not_after: NOW + Span::from_days(300),
            certified: vec!["cad".into()],
            missing: Vec::new(),
        })),
        asked: Some(AskSeen {
            is_answered: true,
            outcome: reasons::LICENSED.into(),
            host_time: Some(NOW),
            counts: vec![CountSeen {
                product: "cad".into(),
                count: 25,
                required: 25,
            }],
        }),
        not_asked: "",
    }
}

fn licence(state: LicenceState, reason: Reason) -> LicenceSeen {
    LicenceSeen {
        product: "cad".into(),
        state,
        until: None,
        warning: false,
        reason: reason.into(),
    }
}

/// An estate in which everything is well.
fn seen() -> Seen {
    Seen {
        machine: machine(),
        publishers: vec![PublisherSeen {
            name: "Contoso".into(),
            places: vec![PlaceSeen::Host("kms".parse().unwrap(), Source::All)],
            hosts: vec![host("kms")],
            licences: vec![licence(LicenceState::Licensed, reasons::LICENSED)],
        }],
    }
}

fn steps(report: &Report, verdict: Verdict) -> Vec<&'static str> {
    let wanted = report.findings.iter().filter(|it| it.verdict == verdict);
    wanted.map(|it| it.step).collect()
}

/// Breaks one thing: exactly one step fails, for that reason, and it is the next thing to do.
fn broken(step: &str, reason: Reason, fault: impl FnOnce(&mut Seen)) -> Report {
    let mut seen = seen();
    fault(&mut seen);
    let report = judge(&seen);
    assert_eq!(steps(&report, Verdict::Fail), [step], "{report:#?}");
    assert_eq!(report.next, Some(reason), "{report:#?}");
    report
}

/// The same on the one host; what needs the step is not reached and the licence is none.
fn broken_host(step: &str, reason: Reason, fault: impl FnOnce(&mut HostSeen)) {
    broken(step, reason, |seen| {
        seen.publishers[0].licences =
            vec![licence(LicenceState::Unlicensed, reasons::NEVER_LICENSED)];
        fault(&mut seen.publishers[0].hosts[0]);
    });
}

/// An ask that came to nothing.
fn unanswered(detail: &str) -> Option<AskSeen> {
    Some(AskSeen {
        is_answered: false,
        outcome: Refusal::new(reasons::HOST_BUSY, detail),
        host_time: None,
        counts: Vec::new(),
    })
}

#[test]
fn nothing_is_wrong_where_nothing_is() {
    let report = judge(&seen());
    let all_ok = |it: &Finding| it.verdict == Verdict::Ok;
    assert!(report.findings.iter().all(all_ok), "{report:#?}");
    assert_eq!(report.next, None);
    let steps: Vec<_> = report.findings.iter().map(|it| it.step).collect();
    let wanted = "files disk hardware products settings clock hosts address port service chain \
                  host-clock certified answer count licence";
    assert_eq!(steps.join(" "), wanted);
}

#[test]
fn faults_of_the_machine_are_named() {
    broken("files", reasons::STATE_LOST, |seen| {
        seen.machine.files = [("state", Ok(None)), ("identity", Ok(None))];
        seen.machine.disk = None;
        seen.machine.products.clear();
        seen.publishers.clear();
    });
    broken("disk", store::FULL, |seen| {
        let disk = seen.machine.disk.as_mut().unwrap();
        disk.write = Err((WriteFault::Full, "no space left".into()));
        seen.publishers[0].hosts[0].asked = None;
    });
    broken("products", key::WRONG_PRODUCT, |seen| {
        seen.machine.products[0].policy = Ok((1, Some(false)));
    });
    broken("settings", reasons::METHOD_NOT_ALLOWED, |seen| {
        seen.machine.method = Some(Method::Vm);
        seen.publishers[0].hosts[0].asked = None;
    });
    // Its clock is behind: the host's, which agrees with what has passed, is not named again.
    broken("clock", reasons::CLOCK_BEHIND, |seen| {
        seen.machine.clock = NOW - Span::from_days(3_650);
        seen.machine.is_behind = true;
    });
}

#[test]
fn a_damaged_file_is_a_warning_because_asking_rebuilds_it() {
    let mut seen = seen();
    seen.machine.files[0].1 = Err(reasons::STATE_ALTERED.into());
    let report = judge(&seen);
    assert_eq!(steps(&report, Verdict::Warn), ["files"]);
    assert_eq!(report.next, Some(reasons::STATE_ALTERED));
    assert!(!report.fails());
}

#[test]
fn without_a_host_the_lookups_say_why() {
    let lookup = |reason: Reason| {
        PlaceSeen::Lookup(
            "_muster-kms._tcp.a".into(),
            Source::MachineDomain,
            Err(reason.into()),
        )
    };
    let none = |places: Vec<PlaceSeen>| {
        move |seen: &mut Seen| {
            let publisher = &mut seen.publishers[0];
            publisher.places = places;
            publisher.hosts.clear();
            publisher.licences = vec![licence(LicenceState::Unlicensed, reasons::NEVER_LICENSED)];
        }
    };
    broken("hosts", reasons::HOST_NONE, none(Vec::new()));
    let absent = lookup(dns::DNS_NO_SUCH_NAME);
    broken("hosts", dns::DNS_NO_SUCH_NAME, none(vec![absent.clone()]));
    // The place that comes first decides.
    let silent = lookup(dns::DNS_SILENT);
    broken("hosts", dns::DNS_SILENT, none(vec![silent, absent.clone()]));
    // With a host at hand, a name that is not there is no fault.
    let mut seen = seen();
    seen.publishers[0].places.push(absent);
    assert_eq!(judge(&seen).next, None);
}

#[test]
fn faults_before_the_chain_are_named() {
    broken_host("address", reasons::HOST_NO_ADDRESS, |host| {
        host.addresses = Err(dns::DNS_NO_SUCH_NAME.into());
    });
    broken_host("address", dns::DNS_SILENT, |host| {
        host.addresses = Err(dns::DNS_SILENT.into());
    });
    broken_host("port", dns::NET_REFUSED, |host| {
        let at = |text: &str, reason: Reason| (text.parse().unwrap(), Err(reason.into()));
        host.ports = vec![
            at("[2001:db8::1]:1688", dns::NET_NO_ROUTE),
            at("192.0.2.1:1688", dns::NET_REFUSED),
        ];
    });
    broken_host("service", dns::NET_ANSWER_TIMEOUT, |host| {
        host.service = Some(Err(dns::NET_ANSWER_TIMEOUT.into()));
    });
    for service in [
        ServiceSeen::Http(200, "<html>".into()),
        ServiceSeen::Other("SSH-2.0".into()),
    ] {
        broken_host("service", reasons::HOST_OTHER_SERVICE, |host| {
            host.service = Some(Ok(service));
        });
    }
}

#[test]
fn faults_of_the_chain_are_named() {
    broken_host("chain", kms::UNKNOWN_PUBLISHER, |host| {
        let body = kms::UNKNOWN_PUBLISHER.to_string();
        host.service = Some(Ok(ServiceSeen::Http(404, body)));
        host.chain = None;
    });
    for reason in [statement::REVOKED, reasons::SITE_PINNED] {
        broken_host("chain", reason, |host| {
            host.chain = Some(Err(reason.into()))
        });
    }
    // The host itself says so; or our clock does, where the host says nothing.
    for words in [statement::SIGNER_EXPIRED.to_string(), "busy".into()] {
        broken_host("chain", statement::SIGNER_EXPIRED, |host| {
            host.asked = unanswered(&words);
            let Some(Ok(chain)) = &mut host.chain else {
                panic!("it has a chain");
            };
            chain.not_after = NOW - Span::from_days(1);
        });
    }
    broken_host("certified", kms::PRODUCT_NOT_CERTIFIED, |host| {
        let Some(Ok(chain)) = &mut host.chain else {
            panic!("it has a chain");
        };
        chain.missing = std::mem::take(&mut chain.certified);
        host.asked = None;
    });
}

#[test]
fn clocks_that_differ_fail_alone() {
    let far = NOW + Span::from_hours(5);
    broken("host-clock", reasons::CLOCKS_DIFFER, |seen| {
        let asked = seen.publishers[0].hosts[0].asked.as_mut();
        asked.unwrap().host_time = Some(far);
    });
    broken_host("host-clock", kms::CLOCK_JUMPED, |host| {
        host.date = Some(far);
        host.asked = unanswered(&format!("503: {}", kms::CLOCK_JUMPED));
    });
    // Our clock is years ahead: a signed answer shows that the certificate has not ended.
    broken("host-clock", reasons::CLOCKS_DIFFER, |seen| {
        seen.machine.clock = NOW + Span::from_days(3_650);
    });
}

#[test]
fn what_the_host_answers_is_named() {
    broken_host("answer", reasons::HOST_BUSY, |host| {
        host.asked = unanswered("503");
    });
    broken_host("answer", kms::BUSY, |host| {
        let asked = host.asked.as_mut().unwrap();
        let detail = format!("{} {}", kms::BUSY.code(), kms::BUSY.text());
        asked.outcome = Refusal::new(reasons::HOST_WAIT, detail);
        asked.counts.clear();
    });
    broken_host("count", reasons::COUNT_BELOW, |host| {
        let asked = host.asked.as_mut().unwrap();
        asked.counts[0].count = 3;
    });
    broken("licence", reasons::BASE_MISSING, |seen| {
        seen.publishers[0].licences =
            vec![licence(LicenceState::Unlicensed, reasons::BASE_MISSING)];
    });
}

#[test]
fn one_host_that_serves_is_enough_and_else_the_best_decides() {
    let dead = |name: &str| {
        let mut dead = host(name);
        dead.ports[0].1 = Err(dns::NET_CONNECT_TIMEOUT.into());
        dead.service = None;
        dead.chain = None;
        dead.asked = None;
        dead
    };
    let mut seen = seen();
    seen.publishers[0].hosts.insert(0, dead("dead"));
    let report = judge(&seen);
    assert!(!report.fails(), "{report:#?}");
    assert_eq!(steps(&report, Verdict::Warn), ["port"]);
    assert_eq!(report.next, Some(dns::NET_CONNECT_TIMEOUT), "worth knowing");
    // A clock that is wrong does not hide behind the others' faults, nor they behind it.
    let mut late = seen.clone();
    let asked = late.publishers[0].hosts[1].asked.as_mut().unwrap();
    asked.host_time = Some(NOW + Span::from_hours(5));
    assert_eq!(steps(&judge(&late), Verdict::Fail), ["host-clock"]);
    assert_eq!(judge(&late).next, Some(reasons::CLOCKS_DIFFER));
    let few = seen.publishers[0].hosts[1].asked.as_mut().unwrap();
    few.counts[0].count = 3;
    let report = judge(&seen);
    assert_eq!(steps(&report, Verdict::Fail), ["port", "count"]);
    assert_eq!(report.next, Some(reasons::COUNT_BELOW), "the best decides");
}
