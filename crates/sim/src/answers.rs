//! What machines make of answers: verify them, take them in, fetch what is newer, and go on.

use muster_proto::Refusal;
use muster_proto::client::asking::{self, Applied, Effect, Receipt};
use muster_proto::client::evidence::Reader;
use muster_proto::client::trusted_time::TrustedTime;
use muster_proto::client::{install, rounds};
use muster_proto::ids::{ProductId, PublisherId, StoreId, Thumbprint};
use muster_proto::reason::{client as reasons, kms, statement};
use muster_proto::statement::lease::Lease;
use muster_proto::statement::policy::Policy;
use muster_proto::statement::{Envelope, Typ};

use crate::checks::Grant;
use crate::machine::{Contact, Opened, Touches, Written};
use crate::world::{Stop, World};

/// What was taken from one answer.
struct Taken {
    applied: Applied,
    grants: Vec<Grant>,
    store: StoreId,
    issued: u64,
    wall: u64,
    floor: u64,
    client: Thumbprint,
}

impl World {
    /// An answer reaches a machine; one that nobody waits for any more is dropped.
    pub(crate) fn answer_arrives(
        &mut self,
        number: usize,
        epoch: u32,
        exchange: u64,
        answer: Result<Vec<u8>, Refusal>,
    ) -> Result<(), Stop> {
        let machine = &mut self.machines[number];
        let is_awaited = |contact: &Contact| contact.exchange == exchange;
        let contact = machine.round.as_mut().filter(|_| machine.epoch == epoch);
        let Some(contact) = contact.and_then(|round| round.contact.take_if(|it| is_awaited(it)))
        else {
            return Ok(());
        };
        match answer {
            Err(refusal) => {
                let is_other = [statement::AUDIENCE, kms::OPENING_KEY_UNKNOWN];
                if is_other.contains(&refusal.reason)
                    && !contact.is_greeted_again
                    && let Some(host) = self.greets(number, contact.station)?
                {
                    let flags = (true, contact.was_ordered);
                    return self.asks(number, contact.station, host, contact.asked, flags);
                }
                self.goes_on(number, epoch)
            }
            Ok(bytes) => self.takes(number, contact, &bytes),
        }
    }

    /// Verifies an answer, takes it in, and does what follows.
    fn takes(&mut self, number: usize, contact: Contact, bytes: &[u8]) -> Result<(), Stop> {
        let epoch = self.machines[number].epoch;
        let taken = match self.applies(number, &contact, bytes)? {
            Ok(Some(taken)) => taken,
            Ok(None) => return Ok(()),
            Err(refusal) => {
                let code = refusal.reason.code();
                self.note(format_args!("machine {number} refuses an answer: {code}"));
                return self.goes_on(number, epoch);
            }
        };
        let code = taken.reason.reason.code();
        self.note(format_args!(
            "machine {number} from kms{}: {code}",
            contact.station
        ));
        let is_ordered = taken.effects.contains(&Effect::AskAgain);
        let station = contact.station;
        self.follows(number, station, &taken.effects)?;
        let Some(round) = self.machines[number].round.as_mut() else {
            return Ok(());
        };
        round
            .left
            .retain(|product| !taken.granted.contains(product));
        if is_ordered && !contact.was_ordered {
            let flags = (contact.is_greeted_again, true);
            return self.asks(number, station, contact.host, Vec::new(), flags);
        }
        if taken.rest_is_next {
            let mut asked = contact.asked;
            asked.extend(taken.asked);
            let flags = (contact.is_greeted_again, contact.was_ordered);
            return self.asks(number, station, contact.host, asked, flags);
        }
        if round.left.is_empty() {
            return self.finishes(number);
        }
        self.goes_on(number, epoch)
    }

    /// Takes an answer into the files; nothing where the machine failed at it.
    fn applies(
        &mut self,
        number: usize,
        contact: &Contact,
        bytes: &[u8],
    ) -> Result<Result<Option<Applied>, Refusal>, Stop> {
        let told = self.checks.counts.told(contact.exchange);
        let counted = |product: &ProductId| {
            let found = told.iter().find(|(of, _)| of == product);
            found.map_or(0, |(_, count)| *count)
        };
        let model = &self.checks.licences.machines[number];
        let lived = (model.on(self.now), model.failures());
        let (dice, now) = (&mut self.dice, self.now);
        let machine = &mut self.machines[number];
        let id = machine.id;
        let outcome = machine.update(Touches::Both, dice, now, |opened, _, dice| {
            take_in(opened, id, contact, bytes, &dice.bytes(), &|lease| Grant {
                product: lease.product.clone(),
                count: lease.count,
                counted: counted(&lease.product),
                issued: lease.issued.seconds(),
                expires: lease.expires.seconds(),
                wall: 0,
                keys: contact.host.verified.permit.keys.clone(),
                on: lived.0,
                failures: lived.1,
            })
        });
        let (taken, is_whole) = match outcome {
            Err(refusal) => return Ok(Err(refusal)),
            Ok(Written::Whole(taken)) => (taken, true),
            Ok(Written::StateAlone(taken)) => (taken, false),
            Ok(Written::Nothing) => {
                self.machine_fails(number);
                return Ok(Ok(None));
            }
        };
        self.are_taken(number, &taken, is_whole)?;
        if !is_whole {
            self.machine_fails(number);
            return Ok(Ok(None));
        }
        Ok(Ok(Some(taken.applied)))
    }

    /// Tells the models what a machine took in.
    fn are_taken(&mut self, number: usize, taken: &Taken, is_whole: bool) -> Result<(), Stop> {
        let licences = &mut self.checks.licences;
        licences.heard(number, taken.issued, taken.wall, taken.floor)?;
        if taken.applied.reason.reason == reasons::HOST_REFUSED {
            licences.machines[number].refused = Some(self.now);
        }
        self.summary.grants += u64::from(!taken.grants.is_empty());
        licences.granted(number, &taken.grants, self.now)?;
        if !taken.grants.is_empty() && is_whole {
            self.checks
                .copies
                .granted(number, taken.store, taken.client)?;
        }
        if taken.applied.effects.contains(&Effect::AskAgain) && is_whole {
            self.summary.rekeyed += 1;
            self.checks.copies.rekeyed(number, self.now)?;
        }
        Ok(())
    }

    /// Fetches what an answer said is newer, from the same host.
    fn follows(&mut self, number: usize, station: usize, effects: &[Effect]) -> Result<(), Stop> {
        for effect in effects {
            match effect {
                Effect::FetchPolicy { product } => {
                    self.fetches_policy(number, station, product)?;
                }
                Effect::FetchRevocations { from } => {
                    self.fetches_revocations(number, station, *from)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(crate) fn fetches_policy(
        &mut self,
        number: usize,
        station: usize,
        product: &ProductId,
    ) -> Result<(), Stop> {
        let publisher = self.machines[number].publisher;
        let keys = self.stations[station].keys[publisher].as_ref();
        let bundle = keys.and_then(|keys| keys.bundles.get(product)).cloned();
        let Some(bundle) = bundle.filter(|_| !self.is_lost()) else {
            return Ok(());
        };
        let (dice, now) = (&mut self.dice, self.now);
        let machine = &mut self.machines[number];
        let id = machine.id;
        let outcome = machine.update(Touches::State, dice, now, |opened, _, _| {
            rounds::take_policy(&mut opened.state, id, product, &bundle, opened.now)
        });
        self.is_written(number, outcome)
    }

    fn fetches_revocations(
        &mut self,
        number: usize,
        station: usize,
        mut from: u64,
    ) -> Result<(), Stop> {
        loop {
            let machine = &mut self.machines[number];
            let keys = self.stations[station].keys[machine.publisher].as_ref();
            let delta = keys.and_then(|keys| keys.revocations_after(from));
            let Some(delta) = delta.map(<[u8]>::to_vec) else {
                return Ok(());
            };
            if self.is_lost() {
                return Ok(());
            }
            let (dice, now) = (&mut self.dice, self.now);
            let machine = &mut self.machines[number];
            let id = machine.id;
            let outcome = machine.update(Touches::State, dice, now, |opened, _, _| {
                let holding = opened.state.publishers.get_mut(&id);
                let holding = holding.ok_or_else(|| Refusal::from(reasons::NOT_INSTALLED))?;
                install::take_revocations(holding, &delta)
            });
            self.is_written(number, outcome)?;
            let learned = self.checks.licences.machines[number].learned;
            if learned <= from || self.machines[number].round.is_none() {
                return Ok(());
            }
            from = learned;
        }
    }

    /// After a change of the state: the machine may have failed, and the models hear what is held.
    pub(crate) fn is_written<T>(
        &mut self,
        number: usize,
        outcome: Result<Written<T>, Refusal>,
    ) -> Result<(), Stop> {
        match outcome {
            Err(refusal) => {
                let code = refusal.reason.code();
                self.note(format_args!("machine {number} takes nothing: {code}"));
            }
            Ok(Written::Whole(_)) => {}
            Ok(_) => self.machine_fails(number),
        }
        self.note_policies(number)
    }

    /// Tells the models which policies and revocations a machine holds.
    pub(crate) fn note_policies(&mut self, number: usize) -> Result<(), Stop> {
        let machine = &self.machines[number];
        let holding = machine.holding()?;
        let reader = Reader::open(&machine.disk.state, &holding.root)?;
        let licences = &mut self.checks.licences;
        licences.machines[number].learned = reader.revoked().number();
        for (product, installed) in &holding.products {
            if let Some(held) = &installed.policy {
                let policy: Policy = Envelope::decode(&held.bytes, Typ::Policy)?.claims()?;
                licences.policy(number, product, policy.version)?;
            }
        }
        Ok(())
    }
}

/// Takes an answer into both files.
fn take_in(
    opened: &mut Opened,
    id: PublisherId,
    contact: &Contact,
    bytes: &[u8],
    seed: &[u8; 32],
    grant: &dyn Fn(&Lease) -> Grant,
) -> Result<Taken, Refusal> {
    let holding = rounds::holding(&opened.state, id)?;
    let (revoked, floor) = rounds::known(&opened.state, holding)?;
    let (pending, host) = (&contact.pending, &contact.host);
    let checked = asking::check(pending, host, &holding.root, &revoked, bytes)?;
    let receipt = Receipt {
        now: opened.now,
        trusted: TrustedTime::judge(opened.now, floor).now,
        place: &contact.place,
        seed,
    };
    let gone = || Refusal::from(reasons::NOT_INSTALLED);
    let own = opened.identity.publishers.get_mut(&id).ok_or_else(gone)?;
    let holding = opened.state.publishers.get_mut(&id).ok_or_else(gone)?;
    let applied = asking::apply(own, holding, pending, host, &checked, &receipt)?;
    let wall = opened.now.wall.seconds();
    let grants = checked.leases().map(|lease| Grant {
        wall,
        ..grant(lease)
    });
    Ok(Taken {
        applied,
        grants: grants.collect(),
        store: checked.answer().store,
        issued: checked.answer().issued.seconds(),
        wall,
        floor: holding.floor.at().seconds(),
        client: pending.client,
    })
}
