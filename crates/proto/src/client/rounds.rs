//! What a client does with its two files around its asks: it brings them in line with each other,
//! judges everything that is installed, says what an ask names, takes in what a host handed on, and
//! sets the next ask. Reading and writing the files, and asking itself, are left to the caller.

use std::collections::btree_map::Entry;

use zeroize::Zeroizing;

use crate::ids::{ProductId, PublisherId};
use crate::reason::{Refusal, client as reasons, statement};
use crate::statement::ask::AskedProduct;
use crate::statement::revocations::RevocationSet;
use crate::time::Timestamp;
use crate::wire::Bundle;

use super::LicenceState;
use super::asking::note_keys;
use super::evidence::{Compiled, Reader};
use super::identity::{Identity, Own, OwnProduct};
use super::install::{settle, take_bundle};
use super::judge::{self, Hardware, Judgement};
use super::schedule::{self, Outcome};
use super::state::{Holding, State};
use super::transition::Effect;
use super::trusted_time::Moment;

/// Brings the two files in line. Each knows what the other needs to be built anew: the identity the
/// roots, products and keys of the state, the state the roots and products of the identity. `seed`
/// draws the seed of a client key.
pub fn agree(
    state: &mut State,
    identity: &mut Identity,
    now: Moment,
    seed: &mut dyn FnMut() -> Zeroizing<[u8; 32]>,
) {
    for (publisher, holding) in &state.publishers {
        if let Entry::Vacant(vacant) = identity.publishers.entry(*publisher) {
            let own = vacant.insert(Own::new(holding.root.clone(), &seed()));
            for product in holding.products.keys() {
                own.products.insert(product.clone(), OwnProduct::default());
            }
        }
    }
    for (publisher, own) in &identity.publishers {
        let holding = state.publishers.entry(*publisher);
        let holding = holding.or_insert_with(|| Holding::new(own.root.clone()));
        holding.root = own.root.clone();
        note_keys(own, holding);
        let held: Vec<_> = holding.products.keys().cloned().collect();
        for product in held.iter().filter(|held| !own.products.contains_key(held)) {
            holding.remove(product);
        }
        for (product, kept) in &own.products {
            let installed = holding.place(product, now);
            installed.last5 = kept.key.as_ref().map(|key| key.last5()).or(installed.last5);
        }
    }
}

/// What is held of a publisher.
///
/// # Errors
/// `NOT_INSTALLED`.
pub fn holding(state: &State, publisher: PublisherId) -> Result<&Holding, Refusal> {
    let holding = state.publishers.get(&publisher);
    holding.ok_or_else(|| reasons::NOT_INSTALLED.into())
}

/// Judges every product of a publisher and notes what was noticed for the first time, so that its
/// timer runs from now.
///
/// # Errors
/// `NOT_INSTALLED`, or what is wrong with the revocations held.
pub fn tend(
    state: &mut State,
    publisher: PublisherId,
    hardware: &mut dyn Hardware,
    now: Moment,
) -> Result<Vec<(ProductId, Judgement)>, Refusal> {
    let mut judged = Vec::new();
    let mut marks = Vec::new();
    let held = holding(state, publisher)?;
    let mut reader = Reader::open(state, &held.root)?;
    for product in held.products.keys() {
        let judgement = match reader.evidence(product, Compiled::default()) {
            Err(refusal) => Judgement::nothing(refusal),
            Ok(mut evidence) => {
                let policy = &evidence.policy;
                let base = policy.requires_base.is_empty()
                    || judge::has_base(&mut reader, policy, hardware, now);
                let judgement = judge::tend(&mut evidence, base, hardware, now);
                marks.push((product.clone(), evidence.marks));
                judgement
            }
        };
        judged.push((product.clone(), judgement));
    }
    if let Some(held) = state.publishers.get_mut(&publisher) {
        for (product, marks) in marks {
            if let Some(installed) = held.products.get_mut(&product) {
                installed.marks = marks;
            }
        }
    }
    Ok(judged)
}

/// Whether the hosts of a publisher are to be asked now: the ask planned is due, or none is.
pub fn is_due(holding: &Holding, now: Moment) -> bool {
    holding
        .next_ask
        .is_none_or(|next| schedule::is_due(next, now))
}

/// Whether a judgement makes a service ask now, whatever is planned. `before` is the state that it
/// saw last, none at its start.
pub fn asks_now(judgement: &Judgement, before: Option<LicenceState>) -> bool {
    let before = before.unwrap_or(judgement.state);
    judgement.effects_from(before).contains(&Effect::AskNow)
}

/// What an ask says of products.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The products that are installed, of those named, in ascending order of ids.
    pub products: Vec<AskedProduct>,
    /// Whether a base licence was found where a policy demands one.
    pub base_licence: bool,
}

/// Judges the products named for an ask.
///
/// # Errors
/// As [`tend`].
pub fn wanted<'a>(
    state: &State,
    publisher: PublisherId,
    named: impl Iterator<Item = &'a ProductId>,
    hardware: &mut dyn Hardware,
    now: Moment,
) -> Result<Wanted, Refusal> {
    let held = holding(state, publisher)?;
    let mut reader = Reader::open(state, &held.root)?;
    let mut wanted = Wanted::default();
    for product in named.filter(|product| held.products.contains_key(*product)) {
        let compiled = Compiled::default();
        let judged = judge::judge_product(&mut reader, product, compiled, hardware, now);
        if let Ok(policy) = reader.policy(product) {
            wanted.base_licence |= judge::has_base(&mut reader, &policy.claims, hardware, now);
        }
        wanted.products.push(AskedProduct {
            product: product.clone(),
            state: judged.state,
            minutes_left: judged.until.map(|until| until.since(now.wall).minutes()),
            required: judged.required,
        });
    }
    Ok(wanted)
}

/// The revocations held, and the trusted floor for certificates: the highest that answers and
/// policies have proved.
///
/// # Errors
/// What is wrong with the revocations held.
pub fn known(state: &State, holding: &Holding) -> Result<(RevocationSet, Timestamp), Refusal> {
    let mut reader = Reader::open(state, &holding.root)?;
    let floor = reader.floor();
    Ok((reader.revoked().clone(), floor))
}

/// Takes in the policy of one product that a host handed on. A bundle of another product installs
/// nothing.
///
/// # Errors
/// `NOT_INSTALLED`, `FIELD_WRONG`, or as [`take_bundle`]; nothing is changed then.
pub fn take_policy(
    state: &mut State,
    publisher: PublisherId,
    product: &ProductId,
    bundle: &Bundle,
    now: Moment,
) -> Result<(), Refusal> {
    let mut trial = holding(state, publisher)?.clone();
    let installed = trial.products.len();
    take_bundle(&mut trial, bundle, now)?;
    if trial.products.len() != installed {
        let detail = format!("the host sent another product's policy for {product}");
        return Err(Refusal::new(statement::FIELD_WRONG, detail));
    }
    state.publishers.insert(publisher, trial);
    settle(state, publisher);
    Ok(())
}

/// Sets the next ask by what the last one came to; `random` is any number, all equally likely.
///
/// # Errors
/// As [`tend`].
pub fn plan(
    state: &mut State,
    publisher: PublisherId,
    outcome: Outcome,
    now: Moment,
    random: u32,
) -> Result<(), Refusal> {
    let held = holding(state, publisher)?;
    let intervals = Reader::open(state, &held.root)?.intervals();
    let next = schedule::after(now, schedule::wait(outcome, intervals, random));
    if let Some(held) = state.publishers.get_mut(&publisher) {
        held.next_ask = Some(next);
    }
    Ok(())
}
