//! What hosts do beside answering: their hourly and daily rounds, being certified, failing, starting.

use muster_proto::Refusal;
use muster_proto::authority::KeyId;
use muster_proto::ids::Thumbprint;
use muster_proto::reason::authority as reasons;
use muster_proto::statement::request::Request;
use muster_proto::time::Timestamp;

use crate::checks::{Checker, Granted, hold};
use crate::world::{Event, GoodClock, Stop, World};

const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;
/// How far a host's clock may jump: a day, and what it may drift in between.
const JUMP_SECONDS: i64 = 86_400 + 3_600;

impl World {
    /// A host's hourly round, and once a day its round with the authorities.
    pub(crate) fn host_hour(&mut self, number: usize) -> Result<(), Stop> {
        self.after(HOUR, Event::HostHour { station: number });
        if !self.stations[number].is_up {
            return Ok(());
        }
        let (dice, now) = (&mut self.dice, self.now);
        if self.stations[number].upkeep(dice, now) {
            self.clock_is_good(number)?;
            self.clock_was_good(number);
        }
        if (self.now / HOUR + number as u64).is_multiple_of(24) {
            for publisher in 0..self.publishers.len() {
                self.refreshes(number, publisher)?;
            }
            self.backs_up(number);
        }
        Ok(())
    }

    /// A host that signs now has a clock that has not jumped.
    pub(crate) fn clock_is_good(&self, number: usize) -> Result<(), Stop> {
        let clock = &self.stations[number].clock;
        let good = &self.good_clocks[number];
        let moved = clock.error(self.now) - good.error;
        // Another start tells nothing about the time before, but that it does not go back.
        let is_good = match good.boot == clock.boot_id() {
            true => moved.abs() <= JUMP_SECONDS,
            false => clock.wall(self.now).seconds() + JUMP_SECONDS as u64 >= good.wall,
        };
        hold(Checker::JumpedClockSignsNothing, is_good, || {
            format!("kms{number}'s clock has moved by {moved} s since it was good")
        })?;
        Ok(())
    }

    /// A host has noted its clock, or somebody confirmed it.
    fn clock_was_good(&mut self, number: usize) {
        let (clock, now) = (&self.stations[number].clock, self.now);
        self.good_clocks[number] = GoodClock::of(clock, now);
    }

    /// A copy of the store and of the keys, now and then.
    fn backs_up(&mut self, number: usize) {
        if !(self.now / DAY).is_multiple_of(5) {
            return;
        }
        let at = self.stations[number].store;
        let store = &mut self.stores[at];
        let model = self.checks.counts.stores[at].clone();
        store.backups.push((store.kms.copy(), model));
        if store.backups.len() > 4 {
            store.backups.remove(0);
        }
        for (publisher, keys) in self.stations[number].keys.iter().enumerate() {
            if let Some(keys) = keys
                .as_ref()
                .filter(|_| (self.now / DAY).is_multiple_of(25))
            {
                self.old_keys.insert((number, publisher), keys.clone());
            }
        }
    }

    /// Takes in what the authority has that is newer, and renews what is due.
    fn refreshes(&mut self, number: usize, at: usize) -> Result<(), Stop> {
        let wall = Timestamp::from_seconds(self.now);
        let own = self.stations[number].clock.wall(self.now);
        if self.publishers[at].silent_until > self.now || self.is_lost() {
            return Ok(());
        }
        let Some(keys) = &self.stations[number].keys[at] else {
            return self.install(number, at, false);
        };
        let publisher = &self.publishers[at];
        let products = keys.cert.products.named();
        let bundles = products.map(|product| publisher.bundle(product, wall));
        let bundles = bundles.collect::<Result<Vec<_>, Refusal>>()?;
        let list = publisher.revocations(wall)?;
        let kms = &self.stores[self.stations[number].store].kms;
        let taken = self.stations[number].take_news(kms, at, &list, bundles);
        if let Err(refusal) = taken {
            let code = refusal.reason.code();
            self.note(format_args!("kms{number} takes no news: {code}"));
        }
        let Some(keys) = &self.stations[number].keys[at] else {
            return Ok(());
        };
        let may_sign = keys.check_may_sign(own).is_ok();
        let is_renewable = keys.is_renewable(own);
        if is_renewable && self.certify(number, at, Vec::new())? {
            return Ok(());
        }
        let keys = self.stations[number].keys[at].as_ref();
        let ends = keys.map_or(own, |keys| keys.cert.not_after);
        let is_urgent = !may_sign || (is_renewable && ends.since(own).seconds() < 60 * DAY);
        if is_urgent {
            let after = self.dice.between(1, 3) * DAY;
            let event = Event::Install {
                station: number,
                publisher: at,
                is_anew: false,
            };
            self.after(after, event);
        }
        Ok(())
    }

    /// An administrator installs the host product keys of a publisher.
    pub(crate) fn install(&mut self, number: usize, at: usize, is_anew: bool) -> Result<(), Stop> {
        if is_anew {
            self.stations[number].keys[at] = None;
        }
        let own = self.stations[number].clock.wall(self.now);
        let keys = self.stations[number].keys[at].as_ref();
        let is_good = |keys: &crate::station::Keys| {
            let long = keys.cert.not_after.since(own).seconds() > 60 * DAY;
            keys.check_may_sign(own).is_ok() && long
        };
        let station = &self.stations[number];
        if !station.is_up || keys.is_some_and(is_good) {
            return Ok(());
        }
        if self.publishers[at].silent_until > self.now {
            return Ok(());
        }
        // What cannot sign any more is no proof of anything.
        if keys.is_some_and(|keys| keys.check_may_sign(own).is_err()) {
            self.stations[number].keys[at] = None;
        }
        let named = self.publishers[at].keys.clone();
        self.certify(number, at, named)?;
        Ok(())
    }

    /// Has a host certified: with product keys, or renewed without. Tells whether it was.
    fn certify(&mut self, number: usize, at: usize, keys: Vec<KeyId>) -> Result<bool, Stop> {
        let (dice, now) = (&mut self.dice, self.now);
        let publisher = &self.publishers[at];
        let station = &mut self.stations[number];
        let pending = station.request(publisher, at, &keys, dice, now);
        let (request, _) = Request::open(&pending.bytes, publisher.id)?;
        let failing = self.authority_fails.remove(&at);
        let wall = Timestamp::from_seconds(now);
        let outcome = publisher.certify(&pending.bytes, &keys, failing, wall);
        let answer = match outcome {
            Ok(answer) => answer,
            Err(refusal) => return self.not_certified(number, at, &refusal),
        };
        let is_committed = failing != Some(crate::publisher::Failing::Decision);
        let activation = answer.filter(|_| !self.is_lost());
        let cert = match &activation {
            Some(activation) => Some(name_of(activation)?),
            None => None,
        };
        if is_committed {
            let granted = Granted {
                request: &pending.bytes,
                keys: &keys,
                hardware: self.stations[number].hardware,
                previous: request.previous.as_ref().map(|previous| previous.cert),
                cert,
            };
            let certified = self.checks.certified.entry(at).or_default();
            certified.granted(&granted)?;
        }
        self.summary.certified += 1;
        let Some(activation) = activation else {
            self.note(format_args!(
                "kms{number} gets no answer from authority {at}"
            ));
            return Ok(false);
        };
        let station = &mut self.stations[number];
        let kms = &self.stores[station.store].kms;
        let publisher = &self.publishers[at];
        match station.complete(kms, publisher, at, &activation, now) {
            Ok(name) => {
                let certified = self.checks.certified.entry(at).or_default();
                certified.handed_out.insert(name);
                self.note(format_args!(
                    "kms{number} is certified by authority {at}: {name}"
                ));
                Ok(true)
            }
            Err(refusal) => {
                let code = refusal.reason.code();
                self.note(format_args!("kms{number} takes no certificate: {code}"));
                Ok(false)
            }
        }
    }

    /// What an administrator does about a refusal.
    fn not_certified(&mut self, number: usize, at: usize, refusal: &Refusal) -> Result<bool, Stop> {
        let (reason, wall) = (refusal.reason, Timestamp::from_seconds(self.now));
        let code = reason.code();
        self.note(format_args!(
            "kms{number} is not certified by authority {at}: {code}"
        ));
        self.summary.refusals += 1;
        self.stations[number].pending[at] = None;
        let spent = [
            reasons::HOSTS_SPENT,
            reasons::ACTIVATIONS_SPENT,
            reasons::KEY_REVOKED,
        ];
        if spent.contains(&reason) {
            for product in 0..self.publishers[at].products.len() {
                self.publishers[at].replace_key(product, wall)?;
            }
        } else if reason != reasons::RENEWAL_EARLY {
            // A certificate that cannot be renewed: the keys are installed anew.
            self.stations[number].keys[at] = None;
        }
        let event = Event::Install {
            station: number,
            publisher: at,
            is_anew: false,
        };
        self.after(DAY, event);
        Ok(false)
    }

    /// A host fails and is started again later.
    pub(crate) fn host_crashes(&mut self, number: usize, why: &str) -> Result<(), Stop> {
        let down = match self.dice.below(10) {
            0 => self.dice.between(HOUR, 10 * DAY),
            _ => self.dice.between(1, HOUR),
        };
        self.host_stops(number, down, why)
    }

    /// A host is down for some time.
    pub(crate) fn host_stops(&mut self, number: usize, down: u64, why: &str) -> Result<(), Stop> {
        self.summary.host_crashes += 1;
        self.stations[number].is_up = false;
        self.note(format_args!("kms{number} is down for {down} s: {why}"));
        self.after(down, Event::HostStarts { station: number });
        Ok(())
    }

    /// A host is started again: its service alone, or the whole machine.
    pub(crate) fn host_starts(&mut self, number: usize) -> Result<(), Stop> {
        if self.stations[number].is_up {
            return Ok(());
        }
        let now = self.now;
        if self.dice.chance(500) {
            self.stations[number].clock.boot(now);
        }
        let store = self.stations[number].store;
        let identity = self.stores[store].identity.clone();
        self.stations[number].start(identity, now);
        self.note(format_args!("kms{number} starts"));
        let wall = Timestamp::from_seconds(now);
        self.checks.counts.stores[store].kept(store, &self.stores[store].kms, wall)?;
        Ok(())
    }

    /// Somebody sets a host's clock right and says so.
    pub(crate) fn host_clock_right(&mut self, number: usize) -> Result<(), Stop> {
        let now = self.now;
        let station = &mut self.stations[number];
        station.clock.correct(now);
        station.confirm_clock(now);
        self.clock_was_good(number);
        self.note(format_args!("kms{number}'s clock is set right"));
        Ok(())
    }
}

/// The name of the certificate in an activation.
fn name_of(
    activation: &muster_proto::authority::answer::Activation,
) -> Result<Thumbprint, Refusal> {
    use muster_proto::statement::{Envelope, Typ};
    let leaf = activation.chain.first();
    let missing = || Refusal::from(reasons::NOTHING_ASKED);
    Ok(Envelope::decode(leaf.ok_or_else(missing)?, Typ::Cert)?.name())
}
