//! What strikes: each fault's deed, and how everything heals at the end.

use muster_proto::client::install::take_bundle;
use muster_proto::client::rounds;
use muster_proto::client::state::State;
use muster_proto::time::{Span, Timestamp};

use crate::checks::Revocation;
use crate::faults::Fault;
use crate::machine::{Machine, Touches};
use crate::publisher::Failing;
use crate::station::tags;
use crate::world::{Backup, Cut, Dns, Event, QUIET_SECONDS, Stop, World};

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

impl World {
    /// Plans the first of each fault, and their end.
    pub(crate) fn plan_faults(&mut self) {
        let quiet = (self.end - self.now).saturating_sub(QUIET_SECONDS);
        self.after(quiet, Event::Quiet);
        for fault in self.plan.rates.keys().copied().collect::<Vec<_>>() {
            self.plan_next(fault);
        }
    }

    fn plan_next(&mut self, fault: Fault) {
        let rate = self.plan.rates.get(&fault).copied().unwrap_or(0);
        if rate == 0 {
            return;
        }
        let mean = fault.every_hours() * HOUR * 100 / rate;
        let after = self.dice.between(1, 2 * mean);
        self.after(after, Event::Fault(fault));
    }

    /// A fault strikes.
    pub(crate) fn strikes(&mut self, fault: Fault) -> Result<(), Stop> {
        if self.is_quiet {
            return Ok(());
        }
        self.plan_next(fault);
        *self.summary.faults.entry(fault).or_default() += 1;
        let machine = self.dice.index(self.machines.len());
        let station = self.dice.index(self.stations.len());
        let publisher = self.dice.index(self.publishers.len());
        self.note(format_args!("fault {fault}"));
        match fault {
            Fault::Loss => {
                self.storm_until = self.now + self.span(MINUTE, 12 * HOUR);
                Ok(())
            }
            Fault::Delay | Fault::Replay => Ok(()),
            Fault::Partition => self.cuts_off(station),
            Fault::HostCrash => self.host_will_crash(station),
            Fault::HostDown => {
                let down = self.long_span();
                self.host_stops(station, down, "for long")
            }
            Fault::StoreRestore => self.restores_store(station),
            Fault::HostClock => self.host_clock_wrong(station),
            Fault::HostReinstall => self.reinstalls(station),
            Fault::HostRollback => self.host_rolls_back(station, publisher),
            Fault::HostRevoked => self.revokes_host(station, publisher),
            Fault::IssuingRevoked => self.revokes_issuer(publisher),
            Fault::ClientCrash => self.client_will_crash(machine),
            Fault::ClientOff => self.client_goes_off(machine),
            Fault::ClientClock => self.client_clock_wrong(machine),
            Fault::ClientStateLost => self.loses_state(machine),
            Fault::Clone => self.clones(machine),
            Fault::ClientRollback => self.rolls_back(machine),
            Fault::OldPolicy => self.installs_old(machine),
            Fault::Dns => self.dns_fails(machine),
            Fault::AuthorityDown => {
                self.publishers[publisher].silent_until = self.now + self.span(HOUR, 20 * DAY);
                Ok(())
            }
            Fault::AuthorityCrash => {
                let places = [Failing::Decision, Failing::Signature, Failing::Answer];
                let failing = *self.dice.pick(&places);
                self.authority_fails.insert(publisher, failing);
                Ok(())
            }
            Fault::PolicyChange => self.changes_policy(publisher),
        }
    }

    /// A span of time, short ones as likely as long ones.
    fn span(&mut self, low: u64, high: u64) -> u64 {
        let most = self.dice.between(low, high);
        self.dice.between(low, most)
    }

    /// Hours to days mostly, now and then months.
    fn long_span(&mut self) -> u64 {
        match self.dice.below(50) {
            0 => self.dice.between(60 * DAY, 220 * DAY),
            1..=7 => self.dice.between(DAY, 20 * DAY),
            _ => self.dice.between(MINUTE, DAY),
        }
    }

    fn cuts_off(&mut self, station: usize) -> Result<(), Stop> {
        self.cuts.retain(|cut| cut.until > self.now);
        let of = self.dice.between(1, 4) as usize;
        let one = self.dice.index(of);
        let until = self.now + self.long_span();
        // Now and then those machines reach no host at all.
        let all = self.dice.chance(200);
        for at in 0..self.stations.len() {
            if all || at == station {
                self.cuts.push(Cut {
                    station: at,
                    share: (one, of),
                    until,
                });
            }
        }
        Ok(())
    }

    fn host_will_crash(&mut self, station: usize) -> Result<(), Stop> {
        match self.dice.below(3) {
            0 => self.host_crashes(station, "at once"),
            at => {
                self.host_fails.insert(station, at == 1);
                Ok(())
            }
        }
    }

    /// A backup takes the place of a store, and its hosts are started anew.
    fn restores_store(&mut self, station: usize) -> Result<(), Stop> {
        let at = self.stations[station].store;
        let store = &mut self.stores[at];
        if store.backups.is_empty() {
            return Ok(());
        }
        let backup = self.dice.index(store.backups.len());
        let (kms, model) = &store.backups[backup];
        store.kms = kms.copy();
        let restores = self.checks.counts.stores[at].restores + 1;
        self.checks.counts.stores[at] = model.clone();
        self.checks.counts.stores[at].restores = restores;
        self.checks.copies.restored(store.identity.id, self.now);
        self.note(format_args!("store {at} is set back to backup {backup}"));
        for number in 0..self.stations.len() {
            if self.stations[number].store == at && self.stations[number].is_up {
                self.host_stops(number, 1, "its store was restored")?;
            }
        }
        Ok(())
    }

    /// By how much a clock is set wrong, in seconds.
    fn clock_error(&mut self) -> i64 {
        let most = *self
            .dice
            .pick(&[HOUR, 5 * HOUR, 3 * DAY, 60 * DAY, 400 * DAY]);
        let by = self.dice.between(1, most) as i64;
        if self.dice.chance(500) { by } else { -by }
    }

    fn host_clock_wrong(&mut self, station: usize) -> Result<(), Stop> {
        let by = self.clock_error();
        let now = self.now;
        self.stations[station].clock.step(now, by);
        self.note(format_args!("kms{station}'s clock moves by {by} s"));
        if self.dice.chance(300) {
            // Its machine comes up with the wrong clock.
            self.stations[station].is_up = false;
            self.host_starts(station)?;
        }
        let after = self.span(MINUTE, 4 * DAY);
        self.after(after, Event::HostClockRight { station });
        Ok(())
    }

    fn reinstalls(&mut self, station: usize) -> Result<(), Stop> {
        if self.dice.chance(400) {
            self.stations[station].hardware = 10_000 + self.dice.below(1 << 40);
            // Its backups stay with the machine that it was.
            self.old_keys.retain(|(of, _), _| *of != station);
        }
        for publisher in 0..self.publishers.len() {
            self.stations[station].keys[publisher] = None;
            self.stations[station].pending[publisher] = None;
            self.install(station, publisher, false)?;
        }
        Ok(())
    }

    fn host_rolls_back(&mut self, station: usize, publisher: usize) -> Result<(), Stop> {
        if let Some(keys) = self.old_keys.get(&(station, publisher)) {
            self.stations[station].keys[publisher] = Some(keys.clone());
            self.stations[station].pending[publisher] = None;
            // Clients refuse the older certificate; people see that and install the host anew.
            let after = self.dice.between(1, 5) * DAY;
            let event = Event::Install {
                station,
                publisher,
                is_anew: true,
            };
            self.after(after, event);
        }
        Ok(())
    }

    fn revokes_host(&mut self, station: usize, at: usize) -> Result<(), Stop> {
        let Some(keys) = &self.stations[station].keys[at] else {
            return Ok(());
        };
        let cert = keys.permit.thumbprint;
        let wall = Timestamp::from_seconds(self.now);
        let before = self.publishers[at].revocations(wall)?.number;
        let number = self.publishers[at].revoke_host(cert, wall)?;
        let hardware = self.stations[station].hardware;
        let certified = self.checks.certified.entry(at).or_default();
        certified.freed(hardware);
        self.note(format_args!(
            "publisher {at} revokes kms{station}: {before} to {number}"
        ));
        self.learn_revoked(at)
    }

    /// Tells the models which keys are revoked.
    fn learn_revoked(&mut self, at: usize) -> Result<(), Stop> {
        let wall = Timestamp::from_seconds(self.now);
        for (key, number) in self.publishers[at].revoked(wall)? {
            self.checks.licences.revoked.entry(key).or_insert(number);
        }
        Ok(())
    }

    fn revokes_issuer(&mut self, at: usize) -> Result<(), Stop> {
        let wall = Timestamp::from_seconds(self.now);
        self.publishers[at].add_issuer(&mut self.dice, wall)?;
        if !self.publishers[at].revoke_old_issuer(wall)? {
            return Ok(());
        }
        let number = self.publishers[at].revocations(wall)?.number;
        let mut below = std::collections::BTreeMap::new();
        for product in self.publishers[at].products.clone() {
            let policy = self.publishers[at].policy(&product)?;
            self.checks.licences.published(&policy);
            below.insert(product, policy.version);
        }
        self.checks
            .licences
            .resigned
            .push(Revocation { number, below });
        self.note(format_args!("publisher {at} revokes its old issuing key"));
        self.learn_revoked(at)
    }

    fn client_will_crash(&mut self, machine: usize) -> Result<(), Stop> {
        match self.dice.below(4) {
            0 if self.machines[machine].is_on => self.machine_fails(machine),
            writes => self.machines[machine].fails_in = Some(writes as u32),
        }
        Ok(())
    }

    /// A machine fails: what is on its disk stays, and it starts again later.
    pub(crate) fn machine_fails(&mut self, number: usize) {
        let now = self.now;
        // Running time was written down within the last hour.
        let noted = now
            - self
                .dice
                .below(HOUR)
                .min(now - self.machines[number].booted());
        let machine = &mut self.machines[number];
        if machine.clock.uptime(noted) > machine.disk.state.written.uptime {
            machine.note_time(noted);
        }
        self.summary.client_crashes += 1;
        self.stops(number, true);
        let down = self.span(1, HOUR);
        self.after(down, Event::MachineStarts { machine: number });
    }

    fn stops(&mut self, number: usize, is_failure: bool) {
        let machine = &mut self.machines[number];
        machine.is_on = false;
        machine.forget();
        self.checks.licences.machines[number].stops(self.now, is_failure);
        let word = if is_failure {
            "fails"
        } else {
            "is switched off"
        };
        self.note(format_args!("machine {number} {word}"));
    }

    fn client_goes_off(&mut self, number: usize) -> Result<(), Stop> {
        if !self.machines[number].is_on {
            return Ok(());
        }
        self.machines[number].note_time(self.now);
        self.stops(number, false);
        let off = self.long_span();
        self.after(off, Event::MachineStarts { machine: number });
        Ok(())
    }

    /// A machine is switched on: a new boot over the files as they lie on its disk.
    pub(crate) fn machine_starts(&mut self, number: usize) -> Result<(), Stop> {
        if self.machines[number].is_on {
            return Ok(());
        }
        let now = self.now;
        let machine = &mut self.machines[number];
        machine.disk = machine.disk.read_again()?;
        machine.clock.boot(now);
        machine.is_on = true;
        self.checks.licences.machines[number].starts(now);
        self.wake_after(number, 1);
        Ok(())
    }

    fn client_clock_wrong(&mut self, number: usize) -> Result<(), Stop> {
        let by = self.clock_error();
        let now = self.now;
        self.machines[number].clock.step(now, by);
        self.checks.copies.forget_orders(number);
        self.note(format_args!("machine {number}'s clock moves by {by} s"));
        self.wake_after(number, 1);
        let after = self.long_span();
        self.after(after, Event::MachineClockRight { machine: number });
        Ok(())
    }

    /// Somebody sets a machine's clock right.
    pub(crate) fn machine_clock_right(&mut self, number: usize) -> Result<(), Stop> {
        let now = self.now;
        self.machines[number].clock.correct(now);
        self.checks.copies.forget_orders(number);
        self.wake_after(number, 1);
        Ok(())
    }

    fn loses_state(&mut self, number: usize) -> Result<(), Stop> {
        let machine = &mut self.machines[number];
        if machine.round.is_some() {
            return Ok(());
        }
        machine.disk.state = State::default();
        self.checks.licences.machines[number].loses_state();
        self.wake_after(number, 1);
        Ok(())
    }

    /// A copy of a machine with both files: on other hardware, or on hardware that looks the same.
    fn clones(&mut self, number: usize) -> Result<(), Stop> {
        if self.machines.len() >= self.options.clients * 5 / 4 || !self.machines[number].is_on {
            return Ok(());
        }
        let now = self.now;
        let copy = self.machines.len();
        let drift = self.dice.below(101) as i64 - 50;
        let mut clock = self.machines[number]
            .clock
            .of_another(copy as u64, drift, now);
        clock.boot(now);
        let is_same = self.dice.chance(500);
        let original = &mut self.machines[number];
        original.note_time(now);
        let mut machine = Machine {
            disk: original.disk.read_again()?,
            clock,
            hardware: original.hardware,
            seen: Default::default(),
            round: None,
            fails_in: None,
            epoch: 0,
            is_on: true,
            ..*original
        };
        if !is_same {
            machine.hardware.tags = tags(machine.id, copy as u64);
        }
        let key = machine.disk.identity.publishers.get(&machine.id);
        let key = key.map(|own| own.asking_key().public().thumbprint());
        let mut model = self.checks.licences.machines[number].clone();
        if !is_same {
            model.moves();
        }
        self.checks.licences.machines.push(model);
        self.machines.push(machine);
        if let Some(key) = key {
            self.checks.copies.copied(&[number, copy], key, now);
        }
        self.note(format_args!("machine {number} is copied as machine {copy}"));
        self.wake_after(copy, 1);
        Ok(())
    }

    /// A machine's files are set back to what a backup holds; the first time, the backup is made.
    fn rolls_back(&mut self, number: usize) -> Result<(), Stop> {
        let now = self.now;
        if !self.machines[number].is_on || self.machines[number].round.is_some() {
            return Ok(());
        }
        let model = &mut self.checks.licences.machines[number];
        let Some(backup) = self.backups.get(&number) else {
            let machine = &mut self.machines[number];
            machine.note_time(now);
            let backup = Backup {
                disk: machine.disk.clone(),
                model: model.frozen(now),
            };
            self.backups.insert(number, backup);
            return Ok(());
        };
        let machine = &mut self.machines[number];
        machine.disk = backup.disk.read_again()?;
        machine.clock.boot(now);
        machine.forget();
        model.set_back(&backup.model, now);
        let own = machine.disk.identity.publishers.get(&machine.id);
        if let Some(own) = own {
            let key = own.asking_key().public().thumbprint();
            self.checks.copies.copied(&[number], key, now);
        }
        self.checks.copies.forget_orders(number);
        self.note(format_args!("machine {number} is set back to its backup"));
        self.wake_after(number, 1);
        Ok(())
    }

    /// Somebody installs a bundle of long ago.
    fn installs_old(&mut self, number: usize) -> Result<(), Stop> {
        let machine = &self.machines[number];
        let bundles = self.old_bundles.iter();
        let fitting = bundles.filter(|(publisher, _)| *publisher == machine.publisher);
        let fitting: Vec<_> = fitting.map(|(_, bundle)| bundle.clone()).collect();
        if fitting.is_empty() || !machine.is_on {
            return Ok(());
        }
        let bundle = self.dice.pick(&fitting).clone();
        let product = bundle.verify()?.policy.claims.product;
        let (dice, now) = (&mut self.dice, self.now);
        let machine = &mut self.machines[number];
        if !machine.holding()?.products.contains_key(&product) {
            return Ok(());
        }
        let id = machine.id;
        let outcome = machine.update(Touches::State, dice, now, |opened, _, _| {
            let held = rounds::holding(&opened.state, id)?;
            let mut holding = held.clone();
            take_bundle(&mut holding, &bundle, opened.now)?;
            opened.state.publishers.insert(id, holding);
            Ok(())
        });
        self.is_written(number, outcome)
    }

    fn dns_fails(&mut self, machine: usize) -> Result<(), Stop> {
        let home = self.machines[machine].home;
        let until = self.now + self.span(MINUTE, 20 * DAY);
        let kind = self.dice.below(3);
        let mut stale = self.records(home);
        for record in &mut stale {
            if self.dice.chance(500) {
                record.target = format!("gone-{}", record.target);
            }
        }
        self.dns[home] = match kind {
            0 => (Dns::Empty, until),
            1 => (Dns::Silent, until),
            _ => (Dns::Stale(stale), until),
        };
        Ok(())
    }

    /// A publisher changes a policy: another threshold, other intervals.
    fn changes_policy(&mut self, at: usize) -> Result<(), Stop> {
        let wall = Timestamp::from_seconds(self.now);
        let products = &self.publishers[at].products;
        let product = self.dice.pick(products).clone();
        let bundle = self.publishers[at].bundle(&product, wall)?;
        if self.old_bundles.len() < 32 {
            self.old_bundles.push((at, bundle));
        }
        let threshold = self.dice.between(1, self.plan.threshold_max) as u32;
        let renewal = Span::from_days(*self.dice.pick(&[7, 7, 14]));
        let retry = Span::from_hours(*self.dice.pick(&[2, 4, 6]));
        let change = |policy: &mut muster_proto::statement::policy::Policy| {
            (policy.threshold, policy.renewal, policy.retry) = (threshold, renewal, retry);
        };
        self.publishers[at].set_policy(&product, change, wall)?;
        let policy = self.publishers[at].policy(&product)?;
        self.checks.licences.published(&policy);
        self.summary
            .intervals
            .extend([renewal.seconds(), retry.seconds()]);
        Ok(())
    }

    /// No fault strikes any more, and people put everything right.
    pub(crate) fn heals(&mut self) -> Result<(), Stop> {
        self.is_quiet = true;
        self.cuts.clear();
        self.host_fails.clear();
        self.authority_fails.clear();
        self.dns.fill((Dns::Right, 0));
        self.note(format_args!("faults end"));
        for publisher in &mut self.publishers {
            publisher.silent_until = 0;
        }
        for number in 0..self.stations.len() {
            self.host_starts(number)?;
            self.host_clock_right(number)?;
            for publisher in 0..self.publishers.len() {
                self.install(number, publisher, false)?;
            }
        }
        for number in 0..self.machines.len() {
            self.machines[number].fails_in = None;
            self.machine_clock_right(number)?;
            self.machine_starts(number)?;
        }
        Ok(())
    }
}
