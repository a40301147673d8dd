//! One host: its greeting, the ask, the answer, and what the host holds that is newer, all on one
//! connection. Nothing here decides; every check is `muster_proto::client::asking`'s.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use muster_net::dns::Resolver;
use muster_net::http::{ClientLimits, Connection};
use muster_net::seal;
use muster_proto::Refusal;
use muster_proto::client::asking::{self, About, Applied, Effect, Host, Pending, Receipt};
use muster_proto::client::discover::HostAddr;
use muster_proto::client::install;
use muster_proto::client::rounds;
use muster_proto::client::trusted_time::TrustedTime;
use muster_proto::ids::{Nonce, ProductId, PublisherId};
use muster_proto::limits::{ASK_HOST_SECONDS_MAX, BUNDLE_BYTES_MAX, HOST_WORDS_MAX, PRODUCTS_MAX};
use muster_proto::reason::client as reasons;
use muster_proto::wire::{Bundle, Hello, SealedHead, opening_key_id};
use tokio::time::timeout;

use crate::vault::{Opened, Vault};

/// The media type of a sealed ask.
const SEALED: &str = "application/octet-stream";
/// What one host is asked about.
pub(crate) struct Question<'a> {
    pub(crate) vault: &'a Vault,
    pub(crate) publisher: PublisherId,
    pub(crate) resolver: Option<&'a Resolver>,
    /// Makes the ask's contents from the files as they are when it is sent.
    pub(crate) about: &'a (dyn Fn(&Opened) -> Result<About, Refusal> + Sync),
}

impl Question<'_> {
    /// Asks one host, within its time. After an order to make a new key it is asked once more.
    pub(crate) async fn ask(&self, addr: &HostAddr) -> Result<Applied, Refusal> {
        let limit = Duration::from_secs(ASK_HOST_SECONDS_MAX);
        let asked = timeout(limit, self.ask_unbounded(addr)).await;
        asked.unwrap_or_else(|_| {
            let detail = format!("{addr}: more than {ASK_HOST_SECONDS_MAX} seconds");
            Err(Refusal::new(reasons::TIME_SPENT, detail))
        })
    }

    async fn ask_unbounded(&self, addr: &HostAddr) -> Result<Applied, Refusal> {
        let mut line = Line::open(addr, self.resolver).await?;
        let mut host = self.greet(&mut line).await?;
        self.fetch_missing_policies(&mut line).await;
        let mut applied = self.in_turns(&mut line, &mut host).await?;
        if applied.effects.contains(&Effect::AskAgain) {
            let again = self.in_turns(&mut line, &mut host).await;
            // The order was obeyed and is stored; the new key asks again later where this failed.
            if let Ok(mut next) = again {
                next.effects.extend(applied.effects);
                applied = next;
            }
        }
        self.follow(&mut line, &applied.effects).await;
        Ok(applied)
    }

    /// Asks until every product was asked for: one ask has room for a few of them. What is granted
    /// is stored with each answer, so a fault on the way loses only what comes after it.
    async fn in_turns(&self, line: &mut Line, host: &mut Host) -> Result<Applied, Refusal> {
        let mut whole = self.exchange(line, host, &[]).await?;
        // Every ask names one product at least, so these are the most there can be.
        for _ in 1..PRODUCTS_MAX {
            if !whole.rest_is_next {
                break;
            }
            match self.exchange(line, host, &whole.asked).await {
                Ok(next) => whole.add(next),
                Err(refusal) => {
                    whole.reason = refusal;
                    break;
                }
            }
        }
        Ok(whole)
    }

    /// Fetches and verifies the greeting.
    async fn greet(&self, line: &mut Line) -> Result<Host, Refusal> {
        let bytes = line.get(&hello_path(self.publisher)).await?;
        let hello = Hello::decode(&bytes)?;
        let opened = self.vault.look()?;
        let holding = rounds::holding(&opened.state, self.publisher)?;
        let (revoked, floor) = rounds::known(&opened.state, holding)?;
        let pinned = opened.identity.settings.site.as_ref();
        Host::greet(&hello, &line.place, holding, &revoked, pinned, floor)
    }

    /// A rebuilt state holds no policy; a lease cannot be judged without one.
    async fn fetch_missing_policies(&self, line: &mut Line) {
        let missing: Vec<ProductId> = match self.vault.look() {
            Err(_) => return,
            Ok(opened) => match rounds::holding(&opened.state, self.publisher) {
                Err(_) => return,
                Ok(holding) => {
                    let without = holding
                        .products
                        .iter()
                        .filter(|(_, it)| it.policy.is_none());
                    without.map(|(product, _)| product.clone()).collect()
                }
            },
        };
        for product in missing {
            self.told(self.fetch_policy(line, &product).await);
        }
    }

    /// One ask and its answer; a host that does not know its own certificate or opening key any
    /// more is greeted again, once.
    async fn exchange(
        &self,
        line: &mut Line,
        host: &mut Host,
        asked: &[ProductId],
    ) -> Result<Applied, Refusal> {
        for last in [false, true] {
            let pending = self.prepare(host, asked)?;
            let head = SealedHead {
                publisher: self.publisher,
                audience: host.verified.permit.thumbprint,
                opening_key: opening_key_id(&host.verified.opening_key),
            };
            let (sealed, answer_key) =
                seal::seal(&host.verified.opening_key, &head.info(), &pending.bytes)?;
            let (status, body) = line.post("/muster/v1/ask", head.join(&sealed)).await?;
            match status {
                200 => {
                    let answer = answer_key.open_answer(&body)?;
                    return self.accept(line, host, &pending, &answer);
                }
                409 if !last => *host = self.greet(line).await?,
                409 => return Err(reasons::HOST_UNKNOWN_TO_ITSELF.into()),
                429 | 503 => return Err(Refusal::new(reasons::HOST_BUSY, said(status, &body))),
                other => return Err(Refusal::new(reasons::HOST_STATUS, said(other, &body))),
            }
        }
        Err(reasons::HOST_UNKNOWN_TO_ITSELF.into())
    }

    /// Signs the ask for what was not yet asked for; its nonce is on the disk before it is sent.
    fn prepare(&self, host: &Host, asked: &[ProductId]) -> Result<Pending, Refusal> {
        self.vault.update(|opened| {
            let mut about = (self.about)(opened)?;
            about
                .products
                .retain(|wanted| !asked.contains(&wanted.product));
            let fresh = Nonce(*muster_machine::random::bytes::<16>());
            let own = opened.identity.publishers.get_mut(&self.publisher);
            let own = own.ok_or_else(|| Refusal::from(reasons::NOT_INSTALLED))?;
            asking::prepare(own, host, &about, fresh)
        })
    }

    fn accept(
        &self,
        line: &Line,
        host: &Host,
        pending: &Pending,
        answer: &[u8],
    ) -> Result<Applied, Refusal> {
        let seed = muster_machine::random::bytes::<32>();
        self.vault.update(|opened| {
            let now = opened.now;
            let publisher = self.publisher;
            let (revoked, floor) =
                rounds::known(&opened.state, rounds::holding(&opened.state, publisher)?)?;
            let gone = || Refusal::from(reasons::NOT_INSTALLED);
            let own = opened
                .identity
                .publishers
                .get_mut(&publisher)
                .ok_or_else(gone)?;
            let holding = opened
                .state
                .publishers
                .get_mut(&publisher)
                .ok_or_else(gone)?;
            let checked = asking::check(pending, host, &holding.root, &revoked, answer)?;
            let receipt = Receipt {
                now,
                trusted: TrustedTime::judge(now, floor).now,
                place: &line.place,
                seed: &seed,
            };
            asking::apply(own, holding, pending, host, &checked, &receipt)
        })
    }

    /// Fetches what the answer said is newer, from the same host. Failing changes nothing: the
    /// next answer says so again.
    async fn follow(&self, line: &mut Line, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::FetchPolicy { product } => {
                    self.told(self.fetch_policy(line, product).await);
                }
                Effect::FetchRevocations { from } => {
                    self.told(self.fetch_revocations(line, *from).await);
                }
                _ => {}
            }
        }
    }

    async fn fetch_policy(&self, line: &mut Line, product: &ProductId) -> Result<(), Refusal> {
        let path = format!("/muster/v1/policy/{}/{product}", self.publisher);
        let bytes = line.get(&path).await?;
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(muster_proto::reason::statement::TOO_LARGE.into());
        }
        let bundle = Bundle::decode(&bytes)?;
        self.vault.update(|opened| {
            rounds::take_policy(
                &mut opened.state,
                self.publisher,
                product,
                &bundle,
                opened.now,
            )
        })
    }

    async fn fetch_revocations(&self, line: &mut Line, mut from: u64) -> Result<(), Refusal> {
        // Deltas are small; a few follow one another when many keys were revoked at once.
        for _ in 0..muster_proto::limits::REVOCATION_DELTAS_MAX {
            let path = format!("/muster/v1/revocations/{}?from={from}", self.publisher);
            let bytes = line.get(&path).await?;
            if bytes.is_empty() {
                return Ok(());
            }
            let reached = self.vault.update(|opened| {
                let holding = opened.state.publishers.get_mut(&self.publisher);
                let holding = holding.ok_or_else(|| Refusal::from(reasons::NOT_INSTALLED))?;
                let new = install::take_revocations(holding, &bytes)?;
                let revoked = rounds::known(
                    &opened.state,
                    rounds::holding(&opened.state, self.publisher)?,
                )?
                .0;
                Ok(new.then_some(revoked.number()))
            })?;
            match reached {
                Some(number) => from = number,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn told(&self, outcome: Result<(), Refusal>) {
        if let Err(refusal) = outcome {
            tracing::warn!(code = refusal.reason.code(), "{refusal}");
        }
    }
}

/// A connection to one host.
struct Line {
    connection: Connection,
    place: String,
}

impl Line {
    async fn open(addr: &HostAddr, resolver: Option<&Resolver>) -> Result<Self, Refusal> {
        let ips = addresses(addr, resolver).await?;
        let sockets: Vec<SocketAddr> = ips
            .into_iter()
            .map(|ip| SocketAddr::new(ip, addr.port()))
            .collect();
        Ok(Self {
            connection: Connection::open(&sockets, ClientLimits::default()).await?,
            place: addr.to_string(),
        })
    }

    /// The body of a 200, or nothing for a 204.
    async fn get(&mut self, path: &str) -> Result<Bytes, Refusal> {
        let (status, body) = self.connection.get(&self.place, path).await?;
        match status {
            200 => Ok(body),
            204 => Ok(Bytes::new()),
            429 | 503 => Err(Refusal::new(reasons::HOST_BUSY, said(status, &body))),
            other => {
                let detail = format!("{} for {path}", said(other, &body));
                Err(Refusal::new(reasons::HOST_STATUS, detail))
            }
        }
    }

    async fn post(&mut self, path: &str, body: Vec<u8>) -> Result<(u16, Bytes), Refusal> {
        self.connection.post(&self.place, path, SEALED, body).await
    }
}

/// Where a host greets.
pub(crate) fn hello_path(publisher: PublisherId) -> String {
    format!("/muster/v1/hello/{publisher}")
}

/// A host's addresses.
pub(crate) async fn addresses(
    addr: &HostAddr,
    resolver: Option<&Resolver>,
) -> Result<Vec<IpAddr>, Refusal> {
    match (addr.address(), resolver) {
        (Some(ip), _) => Ok(vec![ip]),
        (None, Some(resolver)) => resolver.addresses(addr.host()).await,
        (None, None) => Err(muster_proto::reason::dns::DNS_NO_CONFIGURATION.into()),
    }
}

/// A status with the first words that came with it: a host says there why it does not answer.
fn said(status: u16, body: &[u8]) -> String {
    match first_line(body).as_str() {
        "" => status.to_string(),
        line => format!("{status}: {line}"),
    }
}

/// The first line of a body, cut where it is long.
pub(crate) fn first_line(body: &[u8]) -> String {
    let head = String::from_utf8_lossy(&body[..body.len().min(4 * HOST_WORDS_MAX)]).into_owned();
    let line = head.trim_start().lines().next().unwrap_or_default();
    line.chars().take(HOST_WORDS_MAX).collect()
}
