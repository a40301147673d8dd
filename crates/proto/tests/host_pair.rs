//! A machine and a host in a box: real statements from the ask's bytes to the verified answer, with
//! a table in memory between them and no socket, file or clock.

use std::collections::BTreeMap;

use muster_proto::client::LicenceState;
use muster_proto::crypto::SecretKey;
use muster_proto::hardware::ComponentTags;
use muster_proto::host::{
    AnswerParts, AskFacts, ClientRow, Decision, Desk, Intervals, Known, PoolNumber, PoolNumbers,
    Source, StoreIdentity, Verdict, answer_claims, hour_of, lease_claims, sort_products,
};
use muster_proto::ids::{ClientId, Nonce, ProductId, StoreId, Thumbprint};
use muster_proto::reason::{Reason, kms as reasons, statement};
use muster_proto::statement::answer::{Answer, Outcome};
use muster_proto::statement::ask::{Ask, AskedProduct, Predecessor, Ticket, succession};
use muster_proto::statement::cert::{Cert, Flags};
use muster_proto::statement::lease::Lease;
use muster_proto::statement::policy::{Method, Methods, Policy, ProductKind};
use muster_proto::statement::revocations::RevocationSet;
use muster_proto::statement::root::Root;
use muster_proto::statement::scope::Scope;
use muster_proto::statement::{Anchor, Claims, Draft, Role, Verified};
use muster_proto::time::{Span, Timestamp};
use zeroize::Zeroizing;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const DAY: Span = Span::from_days(1);

fn id(text: &str) -> ProductId {
    text.parse().expect("an id")
}

/// A key that signs, and where it stands.
struct Signer {
    key: SecretKey,
    parent: Thumbprint,
    chain: Vec<Vec<u8>>,
}

fn sign<C: Claims>(signer: &Signer, root: &Root, claims: &C, chain: &[Vec<u8>]) -> Vec<u8> {
    let draft = Draft::new(
        claims,
        root.publisher(),
        signer.parent,
        &signer.key.public(),
    );
    let signature = signer.key.sign(&draft.to_be_signed());
    draft.finish(signature, chain)
}

fn cert(role: Role, key: &SecretKey, change: impl FnOnce(&mut Cert)) -> Cert {
    let mut cert = Cert {
        role,
        key: key.public(),
        opening_key: [9; 32],
        name: "kms1".into(),
        products: Scope::All,
        sites: Scope::All,
        client_budget: 100,
        depth: 0,
        flags: Flags::NONE,
        policy_bounds: None,
        issued: NOW - DAY,
        not_before: NOW - DAY,
        not_after: NOW + Span::from_days(300),
    };
    change(&mut cert);
    cert
}

fn certify(
    above: &Signer,
    root: &Root,
    seed: u8,
    role: Role,
    change: impl FnOnce(&mut Cert),
) -> (Signer, Cert) {
    let key = SecretKey::from_seed(&[seed; 32]);
    let cert = cert(role, &key, change);
    let draft = Draft::new(&cert, root.publisher(), above.parent, &above.key.public());
    let parent = draft.name();
    let signature = above.key.sign(&draft.to_be_signed());
    let mut chain = vec![draft.finish(signature, &[])];
    chain.extend(above.chain.iter().cloned());
    (Signer { key, parent, chain }, cert)
}

/// A publisher's root and one certified host with a table in memory.
struct Estate {
    root: Root,
    host: Signer,
    cert: Cert,
    policies: BTreeMap<ProductId, Policy>,
    numbers: PoolNumbers,
    desk: Desk,
    rows: BTreeMap<ClientId, ClientRow>,
}

impl Estate {
    fn new() -> Self {
        let key = SecretKey::from_seed(&[1; 32]);
        let root = Root::new("Contoso", vec![key.public()]).expect("a root");
        let parent = key.public().thumbprint();
        let top = Signer {
            key,
            parent,
            chain: vec![],
        };
        let (issuing, _) = certify(&top, &root, 2, Role::Issuing, |cert| {
            cert.depth = 1;
            cert.flags = Flags::ALL;
        });
        let (host, cert) = certify(&issuing, &root, 3, Role::KmsHost, |cert| {
            cert.products = Scope::only([
                id("cad"),
                id("cam"),
                id("other"),
                id("user"),
                id("base"),
                id("real"),
                id("oem"),
            ]);
            cert.sites = Scope::only(["berlin".parse().expect("a site")]);
        });
        let identity = StoreIdentity {
            id: StoreId([7; 8]),
            key: Zeroizing::new([8; 32]),
        };
        let mut estate = Self {
            root,
            host,
            cert,
            policies: BTreeMap::new(),
            numbers: PoolNumbers::new(),
            desk: Desk::new(identity),
            rows: BTreeMap::new(),
        };
        estate.add_policy("cad", |_| ());
        estate.add_policy("cam", |policy| policy.pool = "cad".parse().expect("a pool"));
        estate
    }

    fn add_policy(&mut self, product: &str, change: impl FnOnce(&mut Policy)) {
        let mut policy = Policy::new(id(product), product, ProductKind::Server, NOW - DAY);
        change(&mut policy);
        let next = PoolNumber(self.numbers.len() as u32 + 2);
        self.numbers.entry(policy.pool.clone()).or_insert(next);
        self.policies.insert(id(product), policy);
    }

    fn anchor<'a>(&'a self, revoked: &'a RevocationSet) -> Anchor<'a> {
        Anchor {
            root: &self.root,
            revoked,
        }
    }

    /// What a host does with the bytes of an ask: everything but seal, store and socket.
    fn answer(
        &mut self,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<(Vec<u8>, Decision), muster_proto::Refusal> {
        let publisher = self.root.publisher();
        let (ask, name) = Ask::open(bytes, publisher, self.host.parent)?;
        let (served, refused) = sort_products(&ask, &self.cert, &self.policies);
        let budget = self.cert.client_budget;
        let source = Source::V4([192, 0, 2, 1]);
        let decision = if served.is_empty() {
            Decision::refused(reasons::NOTHING_SERVED)
        } else {
            let facts = AskFacts::of(
                self.desk.store().id,
                &ask,
                publisher,
                source,
                &served,
                &self.numbers,
                budget,
            );
            let decision = self.desk.decide(&self.known(&facts, now), &facts, now);
            for (client, row) in [&decision.change.predecessor, &decision.change.client]
                .into_iter()
                .flatten()
            {
                self.rows.insert(*client, row.clone());
            }
            decision
        };
        let leases = lease_claims(&served, &self.numbers, &decision, &ask, budget, 0, now);
        let parts = AnswerParts {
            ask: name,
            store: self.desk.store().id,
            leases: leases
                .iter()
                .map(|lease| sign(&self.host, &self.root, lease, &[]))
                .collect(),
            refused,
            intervals: Intervals::default().effective(&served),
            revocations: 0,
            now,
        };
        let answer = answer_claims(&ask, &decision, parts);
        Ok((
            sign(&self.host, &self.root, &answer, &self.host.chain),
            decision,
        ))
    }

    fn known(&self, facts: &AskFacts, now: Timestamp) -> Known {
        let hour = hour_of(now);
        let count = |pool: PoolNumber| {
            self.rows
                .values()
                .filter(|row| row.counts_in(pool, hour))
                .count() as u32
        };
        Known {
            client: self.rows.get(&facts.client.client).cloned(),
            predecessor: facts
                .predecessor
                .and_then(|named| self.rows.get(&named.client).cloned()),
            counts: facts
                .pools
                .iter()
                .map(|asked| (asked.pool, count(asked.pool)))
                .collect(),
            publisher_clients: self.rows.values().filter(|row| row.counts_at(hour)).count() as u32,
        }
    }

    /// What a client does with the bytes of an answer.
    fn verify(&self, bytes: &[u8], ask: &Ask, name: Thumbprint) -> (Answer, Vec<Lease>) {
        let revoked = RevocationSet::default();
        let answer: Verified<Answer> = self
            .anchor(&revoked)
            .verify(bytes)
            .expect("the answer verifies");
        answer
            .claims
            .check_for(ask.nonce, name)
            .expect("it answers this ask");
        let leases = match &answer.claims.outcome {
            Outcome::Granted { leases } => {
                leases.iter().map(|lease| self.lease(lease, ask)).collect()
            }
            _ => vec![],
        };
        (answer.claims, leases)
    }

    fn lease(&self, bytes: &[u8], ask: &Ask) -> Lease {
        let revoked = RevocationSet::default();
        let lease: Verified<Lease> = self
            .anchor(&revoked)
            .verify_with(bytes, &self.host.chain)
            .expect("the lease verifies");
        assert_eq!(lease.claims.client, ask.client.thumbprint());
        lease.claims
    }

    /// One ask and its verified answer.
    fn exchange(&mut self, machine: &SecretKey, ask: &Ask, now: Timestamp) -> (Answer, Vec<Lease>) {
        let (bytes, name) = self.sign_ask(machine, ask);
        let (answer, _) = self.answer(&bytes, now).expect("the ask is well-formed");
        self.verify(&answer, ask, name)
    }

    fn sign_ask(&self, machine: &SecretKey, ask: &Ask) -> (Vec<u8>, Thumbprint) {
        let draft = Draft::new(
            ask,
            self.root.publisher(),
            machine.public().thumbprint(),
            &machine.public(),
        );
        let name = draft.name();
        let signature = machine.sign(&draft.to_be_signed());
        (draft.finish(signature, &[]), name)
    }

    fn ask(&self, machine: &SecretKey, nonce: u8, products: &[&str]) -> Ask {
        let product = |product: &&str| AskedProduct {
            product: id(product),
            state: LicenceState::Unlicensed,
            minutes_left: None,
            required: Some(5),
        };
        Ask {
            audience: self.host.parent,
            client: machine.public(),
            nonce: Nonce([nonce; 16]),
            products: products.iter().map(product).collect(),
            ticket: None,
            components: ComponentTags::default(),
            predecessor: None,
            base_licence: false,
            in_vm: false,
            version: "test 1".into(),
            name: None,
            user_identity: false,
            declared: false,
            issued: NOW,
        }
    }
}

fn machine(number: u8) -> SecretKey {
    SecretKey::from_seed(&[100 + number; 32])
}

fn reason_of(answer: &Answer) -> Reason {
    answer.known_reason().expect("a known reason")
}

/// An estate with a product for each reason not to serve it.
fn picky() -> Estate {
    let mut estate = Estate::new();
    estate.add_policy("base", |policy| policy.requires_base = vec![id("cad")]);
    estate.add_policy("foreign", |_| ());
    estate.add_policy("oem", |policy| {
        policy.methods = Methods::only([Method::Oem])
    });
    estate.add_policy("other", |policy| {
        policy.site = Some("paris".parse().expect("a site"))
    });
    estate.add_policy("real", |policy| policy.refuse_declared = true);
    estate.add_policy("user", |policy| policy.count_users = true);
    estate.cert.products =
        Scope::only(["base", "cad", "oem", "other", "real", "unknown", "user"].map(id));
    estate
}

#[test]
fn five_machines_reach_their_count_and_renew() {
    let mut estate = Estate::new();
    let mut tickets: Vec<Option<Ticket>> = Vec::new();
    for number in 0..5 {
        let ask = estate.ask(&machine(number), 1, &["cad"]);
        let (answer, leases) = estate.exchange(&machine(number), &ask, NOW);
        assert_eq!(reason_of(&answer), reasons::FIRST_CONTACT);
        assert_eq!(
            (answer.renewal, answer.retry),
            (Span::from_days(7), Span::from_hours(2))
        );
        assert_eq!(leases.len(), 1);
        assert_eq!(
            leases[0].count,
            u32::from(number) + 1,
            "below the threshold the count is true"
        );
        assert_eq!(leases[0].expires, NOW + Span::from_days(180));
        tickets.push(answer.ticket);
    }
    let later = NOW + Span::from_days(7);
    for number in 0..5 {
        let ticket = tickets[usize::from(number)];
        let ask = Ask {
            ticket,
            ..estate.ask(&machine(number), 2, &["cad"])
        };
        let (answer, leases) = estate.exchange(&machine(number), &ask, later);
        assert_eq!(reason_of(&answer), reasons::RENEWED);
        assert_eq!(leases[0].count, 5);
    }
}

#[test]
fn products_of_one_pool_add_up_and_each_gets_its_lease() {
    let mut estate = Estate::new();
    let ask = estate.ask(&machine(0), 1, &["cad", "cam"]);
    let (_, leases) = estate.exchange(&machine(0), &ask, NOW);
    let told: Vec<_> = leases
        .iter()
        .map(|lease| (lease.product.as_str(), lease.count))
        .collect();
    assert_eq!(told, [("cad", 1), ("cam", 1)]);
    let ask = estate.ask(&machine(1), 1, &["cam"]);
    let (_, leases) = estate.exchange(&machine(1), &ask, NOW);
    assert_eq!(leases[0].count, 2);
}

#[test]
fn a_copied_machine_gets_a_key_of_its_own() {
    let mut estate = Estate::new();
    let (original, copy) = (machine(0), machine(9));
    let first = estate.ask(&original, 1, &["cad"]);
    let (answer, _) = estate.exchange(&original, &first, NOW);
    let renewal = Ask {
        ticket: answer.ticket,
        ..estate.ask(&original, 2, &["cad"])
    };
    estate.exchange(&original, &renewal, NOW);
    // The copy holds the key and the first ticket.
    let stale = Ask {
        ticket: answer.ticket,
        ..estate.ask(&original, 3, &["cad"])
    };
    let (ordered, leases) = estate.exchange(&original, &stale, NOW);
    assert_eq!((reason_of(&ordered), leases.len()), (reasons::NEW_KEY, 0));
    let Outcome::NewKey { order } = ordered.outcome else {
        panic!("{ordered:?}")
    };
    let proof = succession(estate.root.publisher(), &original.public(), &copy.public());
    let predecessor = Predecessor {
        key: original.public(),
        order,
        signature: original.sign(&proof),
    };
    let successor = Ask {
        predecessor: Some(predecessor),
        ..estate.ask(&copy, 4, &["cad"])
    };
    let (answer, leases) = estate.exchange(&copy, &successor, NOW);
    assert_eq!(
        (reason_of(&answer), leases[0].count),
        (reasons::SUCCEEDED, 1)
    );
    // The original's last ask once more counts nobody; when it asks anew, it is counted again.
    let again = estate.ask(&original, 2, &["cad"]);
    let (answer, leases) = estate.exchange(&original, &again, NOW);
    assert_eq!(
        (reason_of(&answer), leases.len()),
        (reasons::REPEATED_LATE, 0)
    );
    let anew = Ask {
        ticket: answer.ticket,
        ..estate.ask(&original, 5, &["cad"])
    };
    let (answer, leases) = estate.exchange(&original, &anew, NOW);
    assert_eq!(
        (reason_of(&answer), leases[0].count),
        (reasons::COUNTED_AGAIN, 2)
    );
}

#[test]
fn an_ask_for_another_host_is_refused_before_anything_is_decided() {
    let mut estate = Estate::new();
    let ask = Ask {
        audience: Thumbprint([3; 32]),
        ..estate.ask(&machine(0), 1, &["cad"])
    };
    let (bytes, _) = estate.sign_ask(&machine(0), &ask);
    assert_eq!(
        estate.answer(&bytes, NOW).unwrap_err().reason,
        statement::AUDIENCE
    );
    assert!(estate.rows.is_empty());
}

#[test]
fn each_product_that_is_not_served_has_its_reason() {
    let mut estate = picky();
    let all = [
        "base", "cad", "foreign", "oem", "other", "real", "unknown", "user",
    ];
    let ask = Ask {
        declared: true,
        user_identity: true,
        ..estate.ask(&machine(0), 1, &all)
    };
    let (answer, leases) = estate.exchange(&machine(0), &ask, NOW);
    let served: Vec<_> = leases.iter().map(|lease| lease.product.as_str()).collect();
    assert_eq!(served, ["user"], "only where the policy counts users");
    let refused: Vec<_> = answer
        .refused
        .iter()
        .map(|(product, code)| (product.as_str(), Reason::find(code).expect("a code")))
        .collect();
    assert_eq!(
        refused,
        [
            ("base", reasons::USER_NOT_COUNTED),
            ("cad", reasons::USER_NOT_COUNTED),
            ("foreign", reasons::PRODUCT_NOT_CERTIFIED),
            ("oem", reasons::METHOD_NOT_ALLOWED),
            ("other", reasons::OTHER_SITE),
            ("real", reasons::USER_NOT_COUNTED),
            ("unknown", reasons::PRODUCT_UNKNOWN),
        ]
    );
}

#[test]
fn declared_hardware_and_a_missing_base_are_refused() {
    let mut estate = picky();
    let ask = Ask {
        declared: true,
        ..estate.ask(&machine(0), 1, &["base", "cad", "real"])
    };
    let (answer, leases) = estate.exchange(&machine(0), &ask, NOW);
    assert_eq!(leases.len(), 1);
    let codes: Vec<_> = answer
        .refused
        .iter()
        .map(|(_, code)| code.as_str())
        .collect();
    assert_eq!(
        codes,
        [
            reasons::BASE_MISSING.code(),
            reasons::DECLARED_REFUSED.code()
        ]
    );
    let ask = Ask {
        base_licence: true,
        ticket: answer.ticket,
        ..estate.ask(&machine(0), 3, &["base"])
    };
    assert_eq!(estate.exchange(&machine(0), &ask, NOW).1.len(), 1);
}

#[test]
fn an_ask_of_which_nothing_is_served_counts_nobody() {
    let mut estate = Estate::new();
    let ask = estate.ask(&machine(0), 1, &["nothing"]);
    let (answer, leases) = estate.exchange(&machine(0), &ask, NOW);
    assert_eq!(
        (reason_of(&answer), answer.outcome),
        (reasons::NOTHING_SERVED, Outcome::Refused)
    );
    assert!(leases.is_empty() && answer.ticket.is_none() && estate.rows.is_empty());
}

#[test]
fn more_pools_than_a_machine_may_have_are_refused() {
    let mut estate = Estate::new();
    estate.cert.products = Scope::All;
    let names: Vec<String> = (0..10).map(|number| format!("p{number}")).collect();
    for name in &names {
        estate.add_policy(name, |_| ());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ask = estate.ask(&machine(0), 1, &names);
    let (served, refused) = sort_products(&ask, &estate.cert, &estate.policies);
    assert_eq!((served.len(), refused.len()), (8, 2));
    assert!(
        refused
            .iter()
            .all(|(_, reason)| *reason == reasons::POOLS_TOO_MANY)
    );
}

#[test]
fn a_smaller_budget_never_makes_leases_that_do_not_verify() {
    let mut estate = Estate::new();
    let mut tickets = Vec::new();
    for number in 0..5 {
        let ask = estate.ask(&machine(number), 1, &["cad"]);
        tickets.push(estate.exchange(&machine(number), &ask, NOW).0.ticket);
    }
    // The renewed certificate allows three; the claims are cut to what verifiers accept.
    let ask = Ask {
        ticket: tickets[0],
        ..estate.ask(&machine(0), 2, &["cad"])
    };
    let (served, _) = sort_products(&ask, &estate.cert, &estate.policies);
    let facts = AskFacts::of(
        estate.desk.store().id,
        &ask,
        estate.root.publisher(),
        Source::V6([1; 8]),
        &served,
        &estate.numbers,
        3,
    );
    let decision = estate
        .desk
        .clone()
        .decide(&estate.known(&facts, NOW), &facts, NOW);
    assert!(matches!(decision.verdict, Verdict::Granted { .. }));
    assert_eq!(decision.counts[0].1, 5);
    let leases = lease_claims(&served, &estate.numbers, &decision, &ask, 3, 0, NOW);
    assert_eq!(leases[0].count, 3);
}
