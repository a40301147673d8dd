//! What machines do: wake, judge, ask hosts one after the other, take answers in, plan the next ask.

use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::client::asking::{self, About, Host};
use muster_proto::client::discover::{self, HostAddr, Known, Place, Srv};
use muster_proto::client::judge::Judgement;
use muster_proto::client::rounds::{self, Wanted};
use muster_proto::client::schedule::{self, Outcome};
use muster_proto::hardware::ComponentTags;
use muster_proto::host::Source;
use muster_proto::ids::{Nonce, ProductId};
use muster_proto::limits::{ASK_HOSTS_MAX, HTTP_ANSWER_SECONDS, HTTP_CONNECT_SECONDS};
use muster_proto::reason::client as reasons;
use muster_proto::time::{Span, Timestamp};

use crate::checks::{Checker, Seen, hold};
use crate::clock::START;
use crate::machine::{Contact, Round, Touches, Written};
use crate::station::SealedAsk;
use crate::world::{Dns, Event, Message, QUIET_SECONDS, Stop, World};

/// A service looks at least so often whether a state has changed.
const LOOK_SECONDS: u64 = 7 * 86_400;
/// Longest that a recorded ask is kept before it is sent again.
const RECORDED_SECONDS_MAX: u64 = 40 * 86_400;

/// Every product as it was judged, and whether an ask is due.
type Tended = (Vec<(ProductId, Judgement)>, bool);

impl World {
    /// A service's look: it judges everything and asks where that is due.
    pub(crate) fn wakes(&mut self, number: usize, epoch: u32) -> Result<(), Stop> {
        let machine = &self.machines[number];
        if machine.epoch != epoch || !machine.is_on || machine.round.is_some() {
            return Ok(());
        }
        let Some((judged, is_due)) = self.tend(number)? else {
            return Ok(());
        };
        let machine = &mut self.machines[number];
        let mut asks = is_due;
        for (product, judgement) in &judged {
            let before = machine.seen.insert(product.clone(), judgement.state);
            asks |= before != Some(judgement.state) && rounds::asks_now(judgement, before);
        }
        if asks {
            return self.begins(number);
        }
        self.rests(number, &judged)
    }

    /// Judges every product, writes down what was noticed, and lets the judgements be judged. Nothing
    /// where the machine failed at that.
    fn tend(&mut self, number: usize) -> Result<Option<Tended>, Stop> {
        let (dice, now) = (&mut self.dice, self.now);
        let machine = &mut self.machines[number];
        let id = machine.id;
        let written = machine.update(Touches::State, dice, now, |opened, hardware, _| {
            let is_due = rounds::is_due(rounds::holding(&opened.state, id)?, opened.now);
            let judged = rounds::tend(&mut opened.state, id, hardware, opened.now)?;
            Ok((judged, is_due))
        })?;
        match written {
            Written::Whole((judged, is_due)) => {
                self.are_judged(number, &judged)?;
                Ok(Some((judged, is_due)))
            }
            _ => {
                self.machine_fails(number);
                Ok(None)
            }
        }
    }

    fn are_judged(&mut self, number: usize, judged: &[(ProductId, Judgement)]) -> Result<(), Stop> {
        let wall = self.machines[number].clock.wall(self.now).seconds();
        for (product, judgement) in judged {
            let seen = Seen {
                machine: number,
                product,
                state: judgement.state,
                wall,
                now: self.now,
            };
            if let Err(mut broken) = self.checks.licences.judged(&seen) {
                broken.detail = format!("{}; {}", broken.detail, judgement.reason);
                return Err(broken.into());
            }
        }
        Ok(())
    }

    /// Sleeps until the next ask, until a state ends, or for some days.
    fn rests(&mut self, number: usize, judged: &[(ProductId, Judgement)]) -> Result<(), Stop> {
        let machine = &self.machines[number];
        let now = machine.moment(self.now);
        let holding = machine.holding()?;
        let next = holding.next_ask.map(|next| schedule::until(next, now));
        let ends = judged.iter().filter_map(|(_, judgement)| judgement.until);
        let ends = ends.map(|end| end.since(now.wall) + Span::from_seconds(1));
        let rest = next.into_iter().chain(ends).min();
        let rest = rest.map_or(LOOK_SECONDS, |rest| rest.seconds().min(LOOK_SECONDS));
        self.wake_after(number, rest.max(1));
        Ok(())
    }

    /// Begins a round.
    fn begins(&mut self, number: usize) -> Result<(), Stop> {
        self.checks.schedules.began(number, self.now)?;
        let machine = &mut self.machines[number];
        let holding = machine.holding()?;
        let left: Vec<ProductId> = holding.products.keys().cloned().collect();
        let last = holding.last.as_ref();
        let known = Known {
            last: last.and_then(|last| last.host.parse().ok()),
            domain: Some(format!("site{}.corp.test", machine.home)),
            ..Known::default()
        };
        machine.round = Some(Round {
            left,
            places: discover::places(&known).into(),
            hosts: Default::default(),
            tried: Vec::new(),
            contact: None,
        });
        self.summary.rounds += 1;
        let epoch = machine.epoch;
        self.goes_on(number, epoch)
    }

    /// Tries the next host, or ends the round.
    pub(crate) fn goes_on(&mut self, number: usize, epoch: u32) -> Result<(), Stop> {
        loop {
            let machine = &mut self.machines[number];
            let Some(round) = machine.round.as_mut().filter(|_| machine.epoch == epoch) else {
                return Ok(());
            };
            round.contact = None;
            if let Some(host) = round.hosts.pop_front() {
                if round.tried.contains(&host) || round.tried.len() >= ASK_HOSTS_MAX {
                    continue;
                }
                round.tried.push(host.clone());
                return self.tries(number, &host);
            }
            match round.places.pop_front() {
                None => return self.finishes(number),
                Some(Place::Host(host, _)) => round.hosts.push_back(host),
                Some(Place::Lookup(..)) => match self.looks_up(number) {
                    Some(hosts) => {
                        let round = self.machines[number].round.as_mut();
                        round.expect("a round is under way").hosts.extend(hosts);
                    }
                    None => {
                        self.after(
                            HTTP_ANSWER_SECONDS,
                            Event::Next {
                                machine: number,
                                epoch,
                            },
                        );
                        return Ok(());
                    }
                },
            }
        }
    }

    /// What DNS answers a machine; nothing where it is silent.
    fn looks_up(&mut self, number: usize) -> Option<Vec<HostAddr>> {
        let home = self.machines[number].home;
        let records = match &self.dns[home] {
            (Dns::Silent, until) if *until > self.now => return None,
            (Dns::Empty, until) if *until > self.now => Vec::new(),
            (Dns::Stale(records), until) if *until > self.now => records.clone(),
            _ => self.records(home),
        };
        let dice = &mut self.dice;
        let mut random = |below: u32| dice.below(u64::from(below)) as u32;
        Some(discover::order(&records, &mut random))
    }

    /// The records of a home: hosts of its store first, the others behind them.
    pub(crate) fn records(&self, home: usize) -> Vec<Srv> {
        let record = |station: &crate::station::Station| Srv {
            priority: if station.store == home { 0 } else { 10 },
            weight: 10,
            port: station.place.port(),
            target: station.place.host().to_owned(),
        };
        self.stations.iter().map(record).collect()
    }

    /// Whether a machine's bytes reach a host at all.
    pub(crate) fn reaches(&self, machine: usize, station: usize) -> bool {
        let cuts = |cut: &crate::world::Cut| {
            let (one, of) = cut.share;
            cut.station == station && cut.until > self.now && machine % of == one % of
        };
        !self.cuts.iter().any(cuts)
    }

    /// Whether a message is lost on its way.
    pub(crate) fn is_lost(&mut self) -> bool {
        let chance = match self.storm_until > self.now {
            true => 400,
            false => self.plan.lost,
        };
        !self.is_quiet && self.dice.chance(chance)
    }

    fn fails_after(&mut self, number: usize, seconds: u64) -> Result<(), Stop> {
        let epoch = self.machines[number].epoch;
        self.after(
            seconds.max(1),
            Event::Next {
                machine: number,
                epoch,
            },
        );
        Ok(())
    }

    /// Greets a host and asks it.
    fn tries(&mut self, number: usize, addr: &HostAddr) -> Result<(), Stop> {
        let found = self
            .stations
            .iter()
            .position(|station| station.place == *addr);
        let Some(station) = found.filter(|at| self.reaches(number, *at)) else {
            return self.fails_after(number, HTTP_CONNECT_SECONDS);
        };
        if !self.stations[station].is_up {
            return self.fails_after(number, 1);
        }
        if self.is_lost() {
            return self.fails_after(number, HTTP_ANSWER_SECONDS);
        }
        let Some(host) = self.greets(number, station)? else {
            return self.fails_after(number, 1);
        };
        self.fetches_missing(number, station)?;
        self.asks(number, station, host, Vec::new(), (false, false))
    }

    /// A host's verified greeting; none where it is refused.
    pub(crate) fn greets(&mut self, number: usize, station: usize) -> Result<Option<Host>, Stop> {
        let machine = &self.machines[number];
        let place = self.stations[station].place.to_string();
        let Some(hello) = self.stations[station].hello(machine.publisher) else {
            return Ok(None);
        };
        let holding = machine.holding()?;
        let (revoked, floor) = rounds::known(&machine.disk.state, holding)?;
        match Host::greet(hello, &place, holding, &revoked, None, floor) {
            Ok(host) => Ok(Some(host)),
            Err(refusal) => {
                let code = refusal.reason.code();
                self.note(format_args!(
                    "machine {number} refuses kms{station}: {code}"
                ));
                Ok(None)
            }
        }
    }

    /// A rebuilt state holds no policy.
    fn fetches_missing(&mut self, number: usize, station: usize) -> Result<(), Stop> {
        let holding = self.machines[number].holding()?;
        let missing = holding
            .products
            .iter()
            .filter(|(_, it)| it.policy.is_none());
        let missing: Vec<ProductId> = missing.map(|(product, _)| product.clone()).collect();
        for product in missing {
            self.fetches_policy(number, station, &product)?;
        }
        Ok(())
    }

    /// Prepares an ask, writes its nonce down, and sends it.
    pub(crate) fn asks(
        &mut self,
        number: usize,
        station: usize,
        host: Host,
        asked: Vec<ProductId>,
        (is_greeted_again, was_ordered): (bool, bool),
    ) -> Result<(), Stop> {
        let (dice, now) = (&mut self.dice, self.now);
        let machine = &mut self.machines[number];
        let id = machine.id;
        let Some(round) = machine.round.as_ref() else {
            return Ok(());
        };
        let mut left = round.left.clone();
        left.retain(|product| !asked.contains(product));
        let written = machine.update(Touches::Both, dice, now, |opened, hardware, dice| {
            let wanted = rounds::wanted(&opened.state, id, left.iter(), hardware, opened.now)?;
            let about = about(wanted, hardware.tags, opened.now.wall);
            let own = opened.identity.publishers.get_mut(&id);
            let own = own.ok_or_else(|| Refusal::from(reasons::NOT_INSTALLED))?;
            asking::prepare(own, &host, &about, Nonce(dice.bytes()))
        })?;
        let Written::Whole(pending) = written else {
            self.machine_fails(number);
            return Ok(());
        };
        self.exchanges += 1;
        let exchange = self.exchanges;
        let ask = SealedAsk {
            audience: host.verified.permit.thumbprint,
            opening_key: host.verified.opening_key,
            source: source_of(number),
            bytes: pending.bytes.clone(),
        };
        let machine = &mut self.machines[number];
        let (publisher, epoch) = (machine.publisher, machine.epoch);
        let place = self.stations[station].place.to_string();
        if let Some(round) = machine.round.as_mut() {
            round.contact = Some(Contact {
                station,
                place,
                host,
                pending,
                exchange,
                asked,
                is_greeted_again,
                was_ordered,
            });
        }
        self.sends(Message {
            number: exchange,
            station,
            publisher,
            ask,
            from: Some((number, epoch, exchange)),
        });
        let timeout = Event::Timeout {
            machine: number,
            epoch,
            exchange,
        };
        self.after(HTTP_ANSWER_SECONDS, timeout);
        Ok(())
    }

    /// A message on its way: lost, late, recorded, or simply sent.
    fn sends(&mut self, message: Message) {
        self.summary.asks += 1;
        let machine = message.from.map(|(machine, ..)| machine);
        if !self.is_quiet && self.dice.chance(self.plan.recorded) {
            let mut copy = message.clone();
            copy.from = None;
            let after = self.dice.between(1, RECORDED_SECONDS_MAX);
            // Whoever records an ask may keep it from arriving too.
            self.after(after, Event::AskArrives(Box::new(copy)));
            self.summary.recorded += 1;
        }
        let is_reached = machine.is_none_or(|machine| self.reaches(machine, message.station));
        if !is_reached || self.is_lost() {
            self.summary.lost += 1;
            return;
        }
        let delay = self.delay();
        self.after(delay, Event::AskArrives(Box::new(message)));
    }

    fn delay(&mut self) -> u64 {
        match !self.is_quiet && self.dice.chance(self.plan.late) {
            true => self.dice.between(3, 90),
            false => self.dice.below(3),
        }
    }

    /// An ask reaches its host.
    pub(crate) fn ask_arrives(&mut self, message: Message) -> Result<(), Stop> {
        let at = message.station;
        let station = &mut self.stations[at];
        if !station.is_up {
            return Ok(());
        }
        let fails = self.host_fails.remove(&at);
        if fails == Some(false) {
            return self.host_crashes(at, "before the commit");
        }
        let store = station.store;
        let kms = &self.stores[store].kms;
        let decided = station.decide(kms, message.publisher, &message.ask, self.now);
        let decided = match decided {
            Err(refusal) => {
                self.replies(&message, Err(refusal));
                return Ok(());
            }
            Ok(decided) => decided,
        };
        self.clock_is_good(at)?;
        let restores = self.checks.counts.stores[store].restores;
        let counted = self.delivered.get(&message.number);
        let is_replay = counted == Some(&restores);
        if decided.decision.change.client.is_some() {
            self.delivered.insert(message.number, restores);
        }
        let ask = match message.from {
            Some(_) => message.number,
            // Nobody waits for what was recorded.
            None => 0,
        };
        self.checks
            .counts
            .decided(store, ask, &decided, (is_replay, self.now))?;
        self.summary.decided(&decided.decision);
        let (code, count) = (
            decided.decision.reason.code(),
            decided
                .decision
                .counts
                .first()
                .map_or(0, |(_, count)| *count),
        );
        let who = decided.ask.client.thumbprint();
        self.note(format_args!("kms{at} decides {who}: {code}, count {count}"));
        if fails == Some(true) {
            return self.host_crashes(at, "after the commit");
        }
        let bytes = self.stations[at].sign(message.publisher, &decided)?;
        self.replies(&message, Ok(bytes));
        Ok(())
    }

    fn replies(&mut self, message: &Message, answer: Result<Vec<u8>, Refusal>) {
        let Some((machine, epoch, exchange)) = message.from else {
            return;
        };
        if !self.reaches(machine, message.station) || self.is_lost() {
            self.summary.lost += 1;
            return;
        }
        let delay = self.delay();
        let event = Event::AnswerArrives {
            machine,
            epoch,
            exchange,
            answer,
        };
        self.after(delay, event);
    }

    /// A machine waits no longer.
    pub(crate) fn waited_enough(
        &mut self,
        number: usize,
        epoch: u32,
        exchange: u64,
    ) -> Result<(), Stop> {
        let machine = &self.machines[number];
        let contact = machine.round.as_ref().and_then(|it| it.contact.as_ref());
        if machine.epoch == epoch && contact.is_some_and(|it| it.exchange == exchange) {
            return self.goes_on(number, epoch);
        }
        Ok(())
    }

    /// Ends a round: judges, and plans the next ask.
    pub(crate) fn finishes(&mut self, number: usize) -> Result<(), Stop> {
        let (dice, now) = (&mut self.dice, self.now);
        let machine = &mut self.machines[number];
        let id = machine.id;
        let left = machine.round.take().map(|round| round.left);
        let is_answered = left.is_some_and(|left| left.is_empty());
        let written = machine.update(Touches::State, dice, now, |opened, hardware, dice| {
            let judged = rounds::tend(&mut opened.state, id, hardware, opened.now)?;
            let all = judged.iter().all(|(_, judgement)| judgement.is_licensed());
            let outcome = match is_answered && all {
                true => Outcome::Renewed,
                false => Outcome::NotYet,
            };
            rounds::plan(&mut opened.state, id, outcome, opened.now, dice.word())?;
            Ok(judged)
        })?;
        let Written::Whole(judged) = written else {
            self.machine_fails(number);
            return Ok(());
        };
        self.are_judged(number, &judged)?;
        let states: Vec<_> = judged.iter().map(|(_, it)| it.state.name()).collect();
        let states = states.join(" ");
        self.note(format_args!("machine {number} is {states}"));
        self.is_planned(number)?;
        let machine = &mut self.machines[number];
        for (product, judgement) in &judged {
            machine.seen.insert(product.clone(), judgement.state);
        }
        self.rests(number, &judged)
    }

    fn is_planned(&mut self, number: usize) -> Result<(), Stop> {
        let machine = &self.machines[number];
        let now = machine.moment(self.now);
        let holding = machine.holding()?;
        let wait = holding
            .next_ask
            .map(|next| schedule::until(next, now).seconds());
        let mut intervals = vec![7 * 86_400, 2 * 3_600];
        for policies in &self.plan.publishers {
            for policy in &policies.0 {
                intervals.extend([policy.renewal.seconds(), policy.retry.seconds()]);
            }
        }
        intervals.extend(&self.summary.intervals);
        self.checks.schedules.planned(number, wait, &intervals)?;
        Ok(())
    }

    /// At the end: whoever was answered in quiet times and counted enough is licensed.
    pub(crate) fn ends_licensed(&mut self, number: usize) -> Result<(), Stop> {
        if self.end - START < 2 * QUIET_SECONDS {
            return Ok(());
        }
        let Some((judged, _)) = self.tend(number)? else {
            return Ok(());
        };
        let quiet = self.end - QUIET_SECONDS;
        for (product, judgement) in &judged {
            let model = &self.checks.licences.machines[number];
            if model.refused.is_some_and(|at| at >= quiet) {
                continue;
            }
            let counted = model.counted_since(product, quiet);
            hold(Checker::EventuallyLicensed, counted.is_some(), || {
                format!("machine {number}, {product}: no grant since the faults stopped")
            })?;
            let counted = counted.unwrap_or(0);
            self.summary.products += 1;
            let is_licensed = judgement.state == LicenceState::Licensed;
            self.summary.licensed += u64::from(is_licensed);
            let threshold = self.checks.licences.threshold(number, product);
            let is_entitled = threshold.is_some_and(|threshold| counted >= threshold);
            hold(
                Checker::EventuallyLicensed,
                is_licensed || !is_entitled,
                || {
                    let state = judgement.state.name();
                    format!("machine {number}, {product}: {state}, counted {counted}")
                },
            )?;
        }
        Ok(())
    }
}

/// A machine's address.
fn source_of(machine: usize) -> Source {
    let [.., high, low] = (machine as u64).to_be_bytes();
    Source::V4([10, 0, high, low])
}

/// What an ask says of a machine.
fn about(wanted: Wanted, components: ComponentTags, now: Timestamp) -> About {
    About {
        products: wanted.products,
        components,
        base_licence: wanted.base_licence,
        in_vm: false,
        version: "muster-sim".to_owned(),
        name: None,
        user_identity: false,
        declared: false,
        now,
    }
}
