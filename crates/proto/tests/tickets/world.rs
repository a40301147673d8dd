//! One world of the exploration: stores, machines, and everything that was ever sent; and the steps
//! that lead from it to others.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use muster_proto::client::LicenceState;
use muster_proto::host::{
    AskFacts, AskedPool, ClientKey, ClientRow, Desk, Known, Limiter, PoolNumber, PredecessorFacts,
    Seat, Source, StoreIdentity, Verdict,
};
use muster_proto::ids::{ClientId, Nonce, PublisherId, StoreId, Thumbprint};
use muster_proto::statement::ask::Ticket;
use muster_proto::time::{Span, Timestamp};
use zeroize::Zeroizing;

pub(crate) const POOL: PoolNumber = PoolNumber(2);
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub(crate) const UNTIL: u32 = u32::MAX;

pub(crate) type TicketBytes = [u8; 28];

/// How far a world may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The store of each host.
    pub(crate) hosts: &'static [usize],
    pub(crate) machines: usize,
    /// Nonces each machine may draw, its copies' included.
    pub(crate) asks: u8,
    pub(crate) copies: u8,
    pub(crate) restores: u8,
    /// Whether greetings may name another store than the host's, to machines that have met it.
    pub(crate) lies: bool,
    pub(crate) client: Client,
}

/// How clients behave: as they should, or with one fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Right,
    /// Draws a new nonce for every retry.
    ForgetsNonces,
    /// Keeps one nonce for all stores and drops it at any answer.
    OneNonceForAll,
    /// Keeps one ticket, the newest, for all stores.
    OneTicketForAll,
    /// Drops its leases when it is told to make a new key.
    DropsLeases,
    /// Never obeys.
    Disobeys,
    /// Ends its pending nonces at an answer of another store than the ask was prepared for.
    EndsOtherNonces,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) stores: Vec<Store>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) sent: BTreeSet<Message>,
    pub(crate) replies: BTreeSet<Reply>,
    pub(crate) next_key: u8,
    pub(crate) next_nonce: u8,
    pub(crate) copies: u8,
    pub(crate) restores: u8,
    pub(crate) was_restored: bool,
}

#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) rows: BTreeMap<u8, Row>,
    pub(crate) backup: Option<BTreeMap<u8, Row>>,
}

/// What of a row can differ in a world without time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) generation: u32,
    pub(crate) last_nonce: [u8; 8],
    pub(crate) is_counted: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Machine {
    pub(crate) key: u8,
    pub(crate) predecessor: Option<(u8, TicketBytes)>,
    /// By store: the nonce that was sent and is not answered.
    pub(crate) nonces: Vec<Option<u8>>,
    /// By store: the newest ticket.
    pub(crate) tickets: Vec<Option<TicketBytes>>,
    pub(crate) has_lease: bool,
    /// Never copied.
    pub(crate) is_honest: bool,
    pub(crate) obeyed: u8,
    pub(crate) asks: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Message {
    pub(crate) machine: usize,
    pub(crate) host: usize,
    /// The store that the greeting named.
    pub(crate) prepared: usize,
    pub(crate) key: u8,
    pub(crate) nonce: u8,
    pub(crate) ticket: Option<TicketBytes>,
    pub(crate) predecessor: Option<(u8, TicketBytes)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Reply {
    pub(crate) machine: usize,
    pub(crate) store: usize,
    pub(crate) prepared: usize,
    pub(crate) key: u8,
    pub(crate) nonce: u8,
    pub(crate) says: Says,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Says {
    Granted(TicketBytes),
    /// Not counted; the ticket to ask anew with.
    Wait(TicketBytes),
    NewKey(TicketBytes),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Send {
        machine: usize,
        host: usize,
        prepared: usize,
    },
    Deliver {
        nth: usize,
    },
    Receive {
        nth: usize,
    },
    Copy {
        machine: usize,
    },
    Backup {
        store: usize,
    },
    Restore {
        store: usize,
    },
}

/// A promise that did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    HonestMachineOrdered,
    LicenceTaken,
    CopiesNotToldApart,
    CountWrong,
}

pub(crate) fn key_thumbprint(key: u8) -> Thumbprint {
    Thumbprint([key + 1; 32])
}

pub(crate) fn client_id(key: u8) -> ClientId {
    key_thumbprint(key).into()
}

pub(crate) fn desks(stores: usize) -> Vec<Desk> {
    let identity = |number: usize| StoreIdentity {
        id: StoreId([number as u8 + 1; 8]),
        key: Zeroizing::new([number as u8 + 101; 32]),
    };
    let limiter = || Limiter::new(u32::MAX, 1);
    let stores = 0..stores;
    stores
        .map(|number| Desk::with_limiter(identity(number), limiter()))
        .collect()
}

pub(crate) fn to_row(row: &Row) -> ClientRow {
    let seat = Seat {
        pool: POOL,
        until_hour: UNTIL,
    };
    ClientRow {
        generation: row.generation,
        last_nonce: row.last_nonce,
        first_seen: NOW,
        last_seen: NOW,
        state: LicenceState::Unlicensed,
        seats: if row.is_counted { vec![seat] } else { vec![] },
    }
}

pub(crate) fn from_row(row: &ClientRow) -> Row {
    Row {
        generation: row.generation,
        last_nonce: row.last_nonce,
        is_counted: !row.seats.is_empty(),
    }
}

pub(crate) fn facts(message: &Message) -> AskFacts {
    let predecessor = message.predecessor.map(|(key, order)| PredecessorFacts {
        client: client_id(key),
        thumbprint: key_thumbprint(key),
        order: Ticket::from_bytes(&order),
    });
    AskFacts {
        // Which store decides is the exploration's own choice.
        store: StoreId([1; 8]),
        client: ClientKey {
            publisher: PublisherId([1; 16]),
            client: client_id(message.key),
        },
        thumbprint: key_thumbprint(message.key),
        nonce: Nonce([message.nonce; 16]),
        source: Source::V4([192, 0, 2, 1]),
        pools: vec![AskedPool {
            pool: POOL,
            window: Span::from_days(30),
        }],
        ticket: message.ticket.as_ref().map(Ticket::from_bytes),
        predecessor,
        state: LicenceState::Unlicensed,
        client_budget: u32::MAX,
    }
}

impl Store {
    pub(crate) fn count(&self) -> u32 {
        self.rows.values().filter(|row| row.is_counted).count() as u32
    }

    pub(crate) fn decide(&mut self, desk: &mut Desk, message: &Message) -> Says {
        let row = |key: u8| self.rows.get(&key).map(to_row);
        let known = Known {
            client: row(message.key),
            predecessor: message.predecessor.and_then(|(key, _)| row(key)),
            counts: vec![(POOL, self.count())],
            publisher_clients: self.count(),
        };
        let decision = desk.decide(&known, &facts(message), NOW);
        let predecessor = message.predecessor.map(|(key, _)| key);
        if let (Some((_, row)), Some(key)) = (&decision.change.predecessor, predecessor) {
            self.rows.insert(key, from_row(row));
        }
        if let Some((_, row)) = &decision.change.client {
            self.rows.insert(message.key, from_row(row));
        }
        match decision.verdict {
            Verdict::Granted { ticket } => {
                assert_eq!(
                    decision.counts,
                    [(POOL, self.count())],
                    "the count told is true"
                );
                assert!(self.rows[&message.key].is_counted, "the asker is counted");
                Says::Granted(ticket.to_bytes())
            }
            Verdict::Wait {
                ticket: Some(ticket),
            } => Says::Wait(ticket.to_bytes()),
            Verdict::NewKey { order } => Says::NewKey(order.to_bytes()),
            other => panic!("neither limit nor budget is reached: {other:?}"),
        }
    }
}

impl World {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let stores = 1 + bounds.hosts.iter().max().expect("a world has a host");
        let machine = |key: usize| Machine {
            key: key as u8,
            predecessor: None,
            nonces: vec![None; stores],
            tickets: vec![None; stores],
            has_lease: false,
            is_honest: true,
            obeyed: 0,
            asks: 0,
        };
        Self {
            stores: vec![Store::default(); stores],
            machines: (0..bounds.machines).map(machine).collect(),
            sent: BTreeSet::new(),
            replies: BTreeSet::new(),
            next_key: bounds.machines as u8,
            next_nonce: 1,
            copies: bounds.copies,
            restores: bounds.restores,
            was_restored: false,
        }
    }

    pub(crate) fn steps(&self, bounds: &Bounds) -> Vec<Step> {
        let mut steps = Vec::new();
        for machine in 0..self.machines.len() {
            for host in 0..bounds.hosts.len() {
                steps.extend(self.sends(bounds, machine, host));
            }
            if self.copies > 0 {
                steps.push(Step::Copy { machine });
            }
        }
        steps.extend((0..self.sent.len()).map(|nth| Step::Deliver { nth }));
        steps.extend((0..self.replies.len()).map(|nth| Step::Receive { nth }));
        for (store, kept) in self.stores.iter().enumerate() {
            if self.restores > 0 && kept.backup.is_none() {
                steps.push(Step::Backup { store });
            }
            if self.restores > 0 && kept.backup.is_some() {
                steps.push(Step::Restore { store });
            }
        }
        steps
    }

    /// A machine's asks to a host, by what the greeting names.
    fn sends(&self, bounds: &Bounds, machine: usize, host: usize) -> Vec<Step> {
        let asker = &self.machines[machine];
        let store = bounds.hosts[host];
        let may_lie = bounds.lies && asker.tickets[store].is_some();
        let named = (0..self.stores.len()).filter(|named| *named == store || may_lie);
        let may_ask = |prepared: &usize| {
            self.open_nonce(bounds, machine, *prepared).is_some() || asker.asks < bounds.asks
        };
        named
            .filter(may_ask)
            .map(|prepared| Step::Send {
                machine,
                host,
                prepared,
            })
            .collect()
    }

    pub(crate) fn open_nonce(&self, bounds: &Bounds, machine: usize, store: usize) -> Option<u8> {
        let nonces = &self.machines[machine].nonces;
        match bounds.client {
            Client::ForgetsNonces => None,
            Client::OneNonceForAll => nonces[0],
            _ => nonces[store],
        }
    }

    pub(crate) fn step(
        &mut self,
        bounds: &Bounds,
        desks: &mut [Desk],
        step: Step,
    ) -> Result<(), Broken> {
        match step {
            Step::Send {
                machine,
                host,
                prepared,
            } => {
                let message = self.send(bounds, machine, host, prepared);
                self.sent.insert(message);
            }
            Step::Deliver { nth } => {
                let message = *self.sent.iter().nth(nth).expect("it was sent");
                let reply = self.deliver(bounds, desks, &message);
                self.replies.insert(reply);
            }
            Step::Receive { nth } => {
                let reply = *self.replies.iter().nth(nth).expect("it was said");
                self.receive(bounds, &reply)?;
            }
            Step::Copy { machine } => {
                self.copies -= 1;
                self.machines[machine].is_honest = false;
                self.machines.push(self.machines[machine].clone());
            }
            Step::Backup { store } => {
                self.stores[store].backup = Some(self.stores[store].rows.clone());
            }
            Step::Restore { store } => {
                self.restores -= 1;
                self.was_restored = true;
                let backup = self.stores[store].backup.clone();
                self.stores[store].rows = backup.expect("there is a backup");
            }
        }
        self.forget_stale_replies();
        Ok(())
    }

    pub(crate) fn send(
        &mut self,
        bounds: &Bounds,
        machine: usize,
        host: usize,
        prepared: usize,
    ) -> Message {
        let nonce = self
            .open_nonce(bounds, machine, prepared)
            .unwrap_or_else(|| {
                self.next_nonce += 1;
                self.machines[machine].asks += 1;
                self.next_nonce - 1
            });
        let asker = &mut self.machines[machine];
        match bounds.client {
            Client::OneNonceForAll => asker.nonces.fill(Some(nonce)),
            _ => asker.nonces[prepared] = Some(nonce),
        }
        let ticket = match bounds.client {
            Client::OneTicketForAll => asker.tickets[0],
            _ => asker.tickets[prepared],
        };
        Message {
            machine,
            host,
            prepared,
            key: asker.key,
            nonce,
            ticket,
            predecessor: asker.predecessor,
        }
    }

    pub(crate) fn deliver(
        &mut self,
        bounds: &Bounds,
        desks: &mut [Desk],
        message: &Message,
    ) -> Reply {
        let store = bounds.hosts[message.host];
        let says = self.stores[store].decide(&mut desks[store], message);
        Reply {
            machine: message.machine,
            store,
            prepared: message.prepared,
            key: message.key,
            nonce: message.nonce,
            says,
        }
    }

    /// What a client does with an answer: it believes one to its open nonce. An order is obeyed, and
    /// a nonce ended, only by the store that the ask was prepared for; a ticket is kept for the
    /// store that gave it.
    pub(crate) fn receive(&mut self, bounds: &Bounds, reply: &Reply) -> Result<(), Broken> {
        if self.is_stale(reply) {
            return Ok(());
        }
        let next_key = self.next_key;
        let machine = &mut self.machines[reply.machine];
        let had_lease = machine.has_lease;
        match bounds.client {
            Client::OneNonceForAll => machine.nonces.fill(None),
            Client::EndsOtherNonces => {
                machine.nonces[reply.store] = None;
                machine.nonces[reply.prepared] = None;
            }
            _ if reply.store == reply.prepared => machine.nonces[reply.store] = None,
            _ => {}
        }
        let is_expected = reply.store == reply.prepared;
        match reply.says {
            Says::Granted(ticket) | Says::Wait(ticket) => {
                match bounds.client {
                    Client::OneTicketForAll => machine.tickets[0] = Some(ticket),
                    _ => machine.tickets[reply.store] = Some(ticket),
                }
                if matches!(reply.says, Says::Granted(_)) {
                    machine.predecessor = None;
                    machine.has_lease = true;
                }
            }
            Says::NewKey(_) if !is_expected => {}
            Says::NewKey(_) if machine.is_honest => return Err(Broken::HonestMachineOrdered),
            Says::NewKey(_) if machine.obeyed == 3 || bounds.client == Client::Disobeys => {}
            Says::NewKey(order) => {
                machine.obeyed += 1;
                machine.predecessor = Some((machine.key, order));
                machine.key = next_key;
                machine.nonces.fill(None);
                machine.tickets.fill(None);
                // The old key's leases stay until there is one for the new key.
                machine.has_lease &= bounds.client != Client::DropsLeases;
                self.next_key += 1;
            }
        }
        if had_lease && !self.machines[reply.machine].has_lease {
            return Err(Broken::LicenceTaken);
        }
        Ok(())
    }

    pub(crate) fn is_stale(&self, reply: &Reply) -> bool {
        let machine = &self.machines[reply.machine];
        machine.key != reply.key || machine.nonces[reply.prepared] != Some(reply.nonce)
    }

    /// Nonces are never drawn twice, so a stale reply changes nothing at any later time.
    pub(crate) fn forget_stale_replies(&mut self) {
        let stale: Vec<Reply> = self
            .replies
            .iter()
            .filter(|reply| self.is_stale(reply))
            .copied()
            .collect();
        for reply in stale {
            self.replies.remove(&reply);
        }
    }
}

/// What a row keeps of a nonce.
pub(crate) fn nonce_mark(nonce: u8) -> [u8; 8] {
    let hash = muster_proto::crypto::sha256(&[nonce; 16]);
    hash[..8].try_into().expect("a hash has eight bytes")
}

/// Two hashes of 64 bits: none of a few million worlds is taken for another.
pub(crate) fn fingerprint(of: &impl Hash) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        of.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}
