//! What a host fetches from its authorities by itself, daily: revocations, newer policies, and its
//! own renewal once half of a certificate's life has passed. An authority that cannot be reached is
//! named in the log and costs nothing: what the host holds stays in force.

use muster_proto::Refusal;
use muster_proto::authority::answer::RevocationList;
use muster_proto::ids::PublisherId;
use muster_proto::reason::{kms as reasons, statement, store};
use muster_proto::wire::Bundle;

use crate::admin::{Admin, AuthorityAccess, Renewal, client, get};
use crate::enrol::take_revocations;
use crate::keys::{PublisherKeys, StoredKeys};

impl Admin {
    /// Takes in what authorities with a known address tell, and renews what is due: the service's
    /// daily round.
    pub async fn refresh(&self, access: &AuthorityAccess) -> Result<(), Refusal> {
        self.news(access).await?;
        for (publisher, outcome) in self.renew(access, false).await? {
            match outcome {
                Ok(Renewal::Done(renewed)) => {
                    tracing::info!(%publisher, "renewed until {}", renewed.not_after);
                }
                Ok(_) => {}
                // By files, then: nothing is wrong with a host that knows no authority.
                Err(refusal) if refusal.reason == reasons::NO_AUTHORITY => {}
                Err(refusal) => {
                    tracing::warn!(%publisher, code = refusal.reason.code(), "{refusal}");
                }
            }
        }
        Ok(())
    }

    /// Takes in newer revocations and policies, due for renewal or not.
    pub async fn news(&self, access: &AuthorityAccess) -> Result<(), Refusal> {
        for stored in self.records.all_keys().await?.1 {
            let publisher = stored.root()?.publisher();
            let url = access.url.as_deref().or(stored.authority());
            let (Some(url), true) = (url, stored.is_certified()) else {
                continue;
            };
            let news = repeat(|| self.news_of(publisher, url, access));
            if let Err(refusal) = news.await {
                tracing::warn!(%publisher, code = refusal.reason.code(), "{refusal}");
            }
        }
        Ok(())
    }

    async fn news_of(
        &self,
        publisher: PublisherId,
        url: &str,
        access: &AuthorityAccess,
    ) -> Result<(), Refusal> {
        let authority = client(url, access)?;
        let (revision, stored) = self.records.keys(publisher).await?;
        let mut stored = stored.ok_or(Refusal::from(reasons::NOT_CERTIFIED))?;
        let keys = PublisherKeys::load(stored.clone())?;
        let mut said = Vec::new();
        let path = format!("/v1/revocations?from={}", keys.revoked.number());
        let list = RevocationList::decode(&get(&authority, &path).await?)?;
        if take_revocations(&mut stored, &list)? {
            said.push(format!("took revocations up to {}", list.number));
        }
        for product in keys.policies.keys() {
            let path = format!("/v1/products/{product}/policy");
            let bundle = Bundle::decode(&get(&authority, &path).await?)?;
            if take_policy(&mut stored, &keys, &bundle)? {
                said.push(format!("took a newer policy of {product}"));
            }
        }
        if said.is_empty() {
            return Ok(());
        }
        let (said, now) = (said.join(", "), self.records.now());
        self.records
            .put_keys(revision, &stored, said.clone(), now)
            .await?;
        tracing::info!(%publisher, "{said}");
        Ok(())
    }
}

/// How often something is tried that others change the store under.
const TRIES: usize = 5;

/// Tries again where the store was changed meanwhile, by a command or by another of the service's own
/// rounds: what is read anew is right again, and the next round is a day away. What an authority
/// granted is granted once, however often it is asked for.
pub(crate) async fn repeat<T, F: Future<Output = Result<T, Refusal>>>(
    mut once: impl FnMut() -> F,
) -> Result<T, Refusal> {
    for _ in 1..TRIES {
        match once().await {
            Err(refusal) if refusal.reason == store::CHANGED_MEANWHILE => {}
            outcome => return outcome,
        }
    }
    once().await
}

/// Puts a newer policy in the place of the one held; never an older one.
fn take_policy(
    stored: &mut StoredKeys,
    keys: &PublisherKeys,
    bundle: &Bundle,
) -> Result<bool, Refusal> {
    if bundle.root != keys.root {
        return Err(statement::ROOT_UNKNOWN.into());
    }
    let policy = bundle.verify()?.policy.claims;
    let held = keys
        .policies
        .get(&policy.product)
        .map_or(0, |held| held.version);
    if policy.version <= held {
        return Ok(false);
    }
    for bytes in &mut stored.bundles {
        if Bundle::decode(bytes)?.verify()?.policy.claims.product == policy.product {
            *bytes = bundle.encode();
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{Future, ready};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// The outcome of something that is refused so often before it is done, and how often it was tried.
    fn tried(refused: usize, refusal: &Refusal) -> (Result<(), Refusal>, usize) {
        let tries = Cell::new(0);
        let once = || {
            tries.set(tries.get() + 1);
            let is_refused = tries.get() <= refused;
            ready(if is_refused {
                Err(refusal.clone())
            } else {
                Ok(())
            })
        };
        let outcome = pin!(repeat(once)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(outcome) = outcome else {
            panic!("nothing is waited for");
        };
        (outcome, tries.get())
    }

    #[test]
    fn what_others_changed_meanwhile_is_tried_again_and_nothing_else() {
        let changed = store::CHANGED_MEANWHILE.into();
        assert_eq!(tried(0, &changed), (Ok(()), 1));
        assert_eq!(tried(TRIES - 1, &changed), (Ok(()), TRIES));
        let (outcome, tries) = tried(usize::MAX, &changed);
        assert_eq!(outcome.unwrap_err().reason, store::CHANGED_MEANWHILE);
        assert_eq!(tries, TRIES, "it ends");
        let silent = reasons::NO_AUTHORITY.into();
        assert_eq!(tried(1, &silent).1, 1);
    }
}
