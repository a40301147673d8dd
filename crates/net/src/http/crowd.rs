//! Who holds the connections of a listener, and who gives one up when there are too many.
//!
//! A source is an IPv4 address or an IPv6 /64. A source that has its share gives up one of its own
//! connections for its newest; when the listener is full, the source with the most connections does.
//! What goes is never a request that is being answered: first what has not brought a whole request
//! yet, and of that the oldest; then what waits between two requests, the longest first. So silent,
//! slow and forgotten connections take places from their own source and from nobody else, and a
//! newcomer needs no luck.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Of how many sources one that can give up a connection is looked for, heaviest first.
const SOURCES_ASKED: usize = 16;
/// In place of a number: a request of the connection is being answered.
const BUSY: u64 = 0;
/// In place of a number: the connection was given up.
const GONE: u64 = u64::MAX;

/// The connections of one listener. It holds no more entries than there are connections.
pub(super) struct Crowd {
    held: Mutex<Held>,
    connections_max: usize,
    per_source_max: usize,
}

#[derive(Default)]
struct Held {
    sources: HashMap<IpAddr, Source>,
    /// By number of connections; of those alike, who came latest stands first.
    by_count: BTreeSet<(usize, Reverse<u64>, IpAddr)>,
    connections: usize,
    /// The last number given: connections and the ends of their requests are numbered in order.
    last: u64,
}

/// The connections of one source.
#[derive(Default)]
struct Source {
    connections: usize,
    /// The number of its newest connection.
    newest: u64,
    /// Those that have not brought a whole request yet.
    fresh: BTreeMap<u64, Arc<Notify>>,
    /// Those between two requests.
    kept: BTreeMap<u64, Arc<Notify>>,
}

/// What became of a new connection.
pub(super) enum Admission {
    /// It has a place.
    Placed(Seat),
    /// It has the place of another, which is being closed.
    Displaced(Seat),
    /// Its source has its share, all of it in requests.
    Refused,
}

impl Crowd {
    pub(super) fn new(connections_max: usize, per_source_max: usize) -> Arc<Self> {
        Arc::new(Self {
            held: Mutex::default(),
            connections_max,
            per_source_max,
        })
    }

    /// Takes a connection in. Where the listener is full and every connection in a request, there is
    /// one too many until one of them ends.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Admission {
        let source = source_of(peer);
        let mut held = self.lock();
        let own = held.connections_of(source);
        let displaced = if own >= self.per_source_max {
            if !held.give_up(source) {
                return Admission::Refused;
            }
            true
        } else {
            held.connections >= self.connections_max && held.make_room(source, own)
        };
        let cut = Arc::new(Notify::new());
        let seat = Seat {
            number: AtomicU64::new(held.add(source, &cut)),
            crowd: Arc::clone(self),
            source,
            cut,
        };
        match displaced {
            true => Admission::Displaced(seat),
            false => Admission::Placed(seat),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // A panic while it is held leaves it whole enough to go on.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn connections_of(&self, source: IpAddr) -> usize {
        self.sources.get(&source).map_or(0, |it| it.connections)
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn add(&mut self, source: IpAddr, cut: &Arc<Notify>) -> u64 {
        let number = self.number();
        self.change(source, |it| {
            it.connections += 1;
            it.newest = number;
            it.fresh.insert(number, Arc::clone(cut));
        });
        self.connections += 1;
        number
    }

    fn remove(&mut self, source: IpAddr) {
        self.change(source, |it| it.connections -= 1);
        self.connections -= 1;
    }

    /// Changes a source and keeps the order of sources.
    fn change(&mut self, source: IpAddr, change: impl FnOnce(&mut Source)) {
        let it = self.sources.entry(source).or_default();
        let place = |it: &Source| (it.connections, Reverse(it.newest), source);
        self.by_count.remove(&place(it));
        change(it);
        if it.connections == 0 {
            self.sources.remove(&source);
        } else {
            self.by_count.insert(place(it));
        }
    }

    /// The source with the most connections gives one up: the newcomer's own where it would have
    /// the most with this one, otherwise one that has more.
    fn make_room(&mut self, newcomer: IpAddr, own: usize) -> bool {
        let heavier = self.by_count.iter().rev();
        let heavier = heavier.take_while(|(connections, ..)| *connections > own);
        let mut asked: Vec<IpAddr> = heavier
            .take(SOURCES_ASKED)
            .map(|&(.., source)| source)
            .collect();
        asked.push(newcomer);
        asked.into_iter().any(|source| self.give_up(source))
    }

    /// Closes the connection of a source that can best be spared; tells whether there is one.
    fn give_up(&mut self, source: IpAddr) -> bool {
        let Some(it) = self.sources.get_mut(&source) else {
            return false;
        };
        let spared = it.fresh.pop_first().or_else(|| it.kept.pop_first());
        let Some((_, cut)) = spared else {
            return false;
        };
        cut.notify_one();
        self.remove(source);
        true
    }
}

/// The place of one connection; dropping it gives the place back.
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    source: IpAddr,
    /// Where it stands in its source; changed only under the crowd's lock.
    number: AtomicU64,
    cut: Arc<Notify>,
}

impl Seat {
    /// Ends when the place was given to another.
    pub(super) async fn given_up(&self) {
        self.cut.notified().await;
    }

    /// A whole request is there: until what is returned is dropped, the place is not given up.
    pub(super) fn begin_request(&self) -> InRequest<'_> {
        let mut held = self.crowd.lock();
        let is_held = self.take_from(&mut held);
        self.stand_at(if is_held { BUSY } else { GONE });
        InRequest(self)
    }

    fn end_request(&self) {
        let mut held = self.crowd.lock();
        if self.number.load(Ordering::Relaxed) != BUSY {
            return;
        }
        let number = held.number();
        if let Some(it) = held.sources.get_mut(&self.source) {
            it.kept.insert(number, Arc::clone(&self.cut));
        }
        self.stand_at(number);
    }

    /// Takes it out of those that can be given up; false when it was.
    fn take_from(&self, held: &mut Held) -> bool {
        let number = self.number.load(Ordering::Relaxed);
        let Some(it) = held.sources.get_mut(&self.source) else {
            return false;
        };
        it.fresh.remove(&number).is_some() || it.kept.remove(&number).is_some()
    }

    fn stand_at(&self, number: u64) {
        self.number.store(number, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = self.crowd.lock();
        if self.take_from(&mut held) || self.number.load(Ordering::Relaxed) == BUSY {
            held.remove(self.source);
        }
    }
}

/// A request that is being answered.
pub(super) struct InRequest<'a>(&'a Seat);

impl Drop for InRequest<'_> {
    fn drop(&mut self) {
        self.0.end_request();
    }
}

fn source_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn admit(crowd: &Arc<Crowd>, peer: &str) -> Option<Seat> {
        match crowd.admit(peer.parse().unwrap()) {
            Admission::Placed(seat) | Admission::Displaced(seat) => Some(seat),
            Admission::Refused => None,
        }
    }

    fn is_given_up(seat: &Seat) -> bool {
        let mut given_up = pin!(seat.given_up());
        let mut context = Context::from_waker(Waker::noop());
        let is_given_up = given_up.as_mut().poll(&mut context).is_ready();
        if is_given_up {
            // Asked again, it says so again.
            seat.cut.notify_one();
        }
        is_given_up
    }

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_64() {
        let crowd = Crowd::new(100, 1);
        for (first, same, other) in [
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"),
        ] {
            let first = admit(&crowd, first).unwrap();
            let _other = admit(&crowd, other).unwrap();
            assert!(!is_given_up(&first));
            let _same = admit(&crowd, same).unwrap();
            assert!(is_given_up(&first));
        }
    }

    #[test]
    fn a_source_gives_up_its_oldest_silent_connection_first() {
        let crowd = Crowd::new(100, 3);
        let seats: Vec<Seat> = (0..3)
            .map(|_| admit(&crowd, "192.0.2.1").unwrap())
            .collect();
        drop(seats[0].begin_request());
        let busy = seats[1].begin_request();
        let given_up = |seats: &[Seat]| -> Vec<bool> { seats.iter().map(is_given_up).collect() };
        let fourth = admit(&crowd, "192.0.2.1").unwrap();
        assert_eq!(given_up(&seats), [false, false, true], "without a request");
        let fifth = admit(&crowd, "192.0.2.1").unwrap();
        assert!(is_given_up(&fourth), "it has brought none either");
        let in_request = fifth.begin_request();
        let sixth = admit(&crowd, "192.0.2.1").unwrap();
        assert_eq!(
            given_up(&seats),
            [true, false, true],
            "between two requests"
        );
        let in_request = (in_request, sixth.begin_request());
        assert!(admit(&crowd, "192.0.2.1").is_none(), "all are in requests");
        drop(busy);
        assert!(admit(&crowd, "192.0.2.1").is_some());
        drop(in_request);
    }

    #[test]
    fn a_full_listener_takes_from_the_source_with_the_most() {
        let crowd = Crowd::new(6, 4);
        let many: Vec<Seat> = (0..4)
            .map(|_| admit(&crowd, "192.0.2.1").unwrap())
            .collect();
        let few: Vec<Seat> = (0..2)
            .map(|_| admit(&crowd, "192.0.2.2").unwrap())
            .collect();
        let count = |seats: &[Seat]| seats.iter().filter(|seat| is_given_up(seat)).count();
        let honest = admit(&crowd, "192.0.2.3").unwrap();
        assert_eq!((count(&many), count(&few)), (1, 0));
        // The heavy one comes again and again, and only takes from itself.
        let more: Vec<Seat> = (0..9)
            .map(|_| admit(&crowd, "192.0.2.1").unwrap())
            .collect();
        assert_eq!((count(&many), count(&more), count(&few)), (4, 6, 0));
        assert!(!is_given_up(&honest));
    }

    #[test]
    fn of_many_sources_with_one_each_the_oldest_goes() {
        let crowd = Crowd::new(3, 4);
        let seats =
            ["192.0.2.1", "192.0.2.9", "192.0.2.5"].map(|peer| admit(&crowd, peer).unwrap());
        let _newcomer = admit(&crowd, "192.0.2.7");
        assert_eq!(seats.each_ref().map(is_given_up), [true, false, false]);
    }

    #[test]
    fn who_left_takes_no_memory() {
        let crowd = Crowd::new(1, 1);
        let first = admit(&crowd, "192.0.2.1").unwrap();
        let second = admit(&crowd, "192.0.2.1").unwrap();
        drop(first);
        drop(second.begin_request());
        drop(second);
        let held = crowd.lock();
        assert!(held.sources.is_empty() && held.by_count.is_empty());
        assert_eq!(held.connections, 0);
    }
}
