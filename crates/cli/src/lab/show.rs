//! What the lab shows at the end: a table, the host's counts, and what to type next.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use muster_host::Status;
use muster_net::dns::SERVICE;
use serde_json::{Value, json};

use super::machines::MachineStatus;
use super::timeline::Timeline;
use crate::commands::kms_show;
use crate::report::{Report, table};
use crate::times::local_of;

/// Everything that happened.
pub(super) struct Outcome {
    pub(super) machines: Vec<MachineStatus>,
    pub(super) kms: Status,
    pub(super) dns: SocketAddr,
    pub(super) zone: String,
    pub(super) authority: String,
    pub(super) seconds: Duration,
    pub(super) timeline: Option<Timeline>,
}

impl Outcome {
    fn all_licensed(&self) -> bool {
        self.machines.iter().all(|machine| machine.product.licensed)
    }

    /// The table and the JSON; exit code 0 when every machine is licensed.
    pub(super) fn report(&self) -> Report {
        let restored = self
            .timeline
            .as_ref()
            .is_none_or(|timeline| timeline.all_restored);
        let mut report = Report::new(self.json(), self.text());
        for words in self.shortfalls() {
            report = report.say(words);
        }
        if self.all_licensed() && restored {
            report
        } else {
            report.refused()
        }
    }

    fn json(&self) -> Value {
        let machines = self.machines.iter().map(|machine| {
            json!({
                "name": machine.name,
                "kind": machine.kind.name(),
                "state": machine.product.state,
                "method": machine.product.method,
                "count": machine.product.count,
                "required": machine.product.required,
                "host": machine.product.host,
                "expires_at": machine.product.expires_at,
            })
        });
        json!({
            "machines": machines.collect::<Vec<_>>(),
            "kms": kms_show::status_json(&self.kms),
            "dns": self.dns.to_string(),
            "zone": self.zone,
            "authority": self.authority,
            "seconds": self.seconds.as_secs_f64(),
            "timeline": self.timeline.as_ref().map(Timeline::json),
        })
    }

    fn text(&self) -> String {
        let rows = self.machines.iter().map(|machine| {
            let product = &machine.product;
            let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
            vec![
                machine.name.clone(),
                product.product.clone(),
                product.state.to_owned(),
                product.method.unwrap_or("-").to_owned(),
                match (product.count, product.required) {
                    (Some(count), Some(required)) => format!("{count} of {required}"),
                    _ => "-".into(),
                },
                or_dash(&product.host),
                product
                    .expires_at
                    .as_deref()
                    .map_or_else(|| "-".into(), local_of),
            ]
        });
        let head = [
            "MACHINE",
            "PRODUCT",
            "STATE",
            "METHOD",
            "COUNT",
            "HOST",
            "LICENSED UNTIL",
        ];
        let mut text = table(&head, rows);
        let licensed = self
            .machines
            .iter()
            .filter(|machine| machine.product.licensed)
            .count();
        text.push_str(&format!(
            "\n{licensed} of {} machines are licensed, after {:.1} s.\n",
            self.machines.len(),
            self.seconds.as_secs_f64()
        ));
        if let Some(timeline) = &self.timeline {
            text.push_str(&timeline.text());
        }
        text
    }

    /// For each product whose count is too small: how many are missing, and what to do.
    fn shortfalls(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for machine in self
            .machines
            .iter()
            .filter(|machine| !machine.product.licensed)
        {
            let product = &machine.product;
            let line = match (product.count, product.required) {
                (Some(count), Some(required)) if count < required => {
                    let kind = machine.kind.name();
                    format!(
                        "{}: {count} of {required} machines are counted; {} more must ask \
                         before one is licensed.\n  next: muster lab --{kind}s {required}",
                        product.product,
                        required - count
                    )
                }
                _ => format!(
                    "{}: {}\n  next: {}",
                    machine.name, product.reason.text, product.reason.next
                ),
            };
            if !words.contains(&line) {
                words.push(line);
            }
        }
        words
    }

    /// What to open and type while the lab stays up.
    pub(super) fn what_next(&self, dir: &Path) -> String {
        let first = self
            .machines
            .first()
            .map_or("client-001", |machine| &machine.name);
        let dir = dir.display();
        format!(
            "\nThe lab stays up; Ctrl-C ends it. In another terminal:\n\
             \x20 dig @{} -p {} {SERVICE}.{} SRV +short\n\
             \x20 muster kms status --dir {dir}/kms\n\
             \x20 muster kms clients --dir {dir}/kms\n\
             \x20 muster client status --long --dir {dir}/machines/{first} --sysroot {dir}/hardware/{first}\n\
             \x20 muster authority key list --dir {dir}/authority\n\
             \x20 open {}/openapi.json",
            self.dns.ip(),
            self.dns.port(),
            self.zone,
            self.authority
        )
    }
}
