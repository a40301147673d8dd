//! Images: the grace that a policy allows for them, and forgetting who this machine is.

use muster_proto::Refusal;
use muster_proto::client::LicenceState;
use muster_proto::client::identity::Own;
use muster_proto::client::rounds;
use muster_proto::client::state::Holding;
use muster_proto::reason::client as reasons;
use muster_proto::time::Span;

use crate::activate::tend;
use crate::control::{Client, ProductName, Which, wanted};
use crate::vault::Opened;

impl Client {
    /// Gives the grace that the policies allow for images.
    ///
    /// # Errors
    /// `NOT_INSTALLED`, `REARM_NOT_ALLOWED`, `REARM_SPENT`, `REARM_NEEDLESS`; then nothing is
    /// rearmed.
    pub fn rearm(&self, which: &Which) -> Result<Vec<ProductName>, Refusal> {
        self.vault().update(|opened| {
            let names = wanted(opened, which)?;
            for name in &names {
                let judged = tend(opened, self, name.publisher)?;
                let judged = judged.iter().find(|(product, _)| *product == name.product);
                let licensed = judged.is_some_and(|(_, it)| it.state == LicenceState::Licensed);
                rearm_one(opened, name, licensed)?;
            }
            Ok(names)
        })
    }

    /// Forgets keys of this machine, tickets, leases and moments, and keeps what is installed and
    /// set, and a rearm that is spent: for an image before it is copied.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn reset_identity(&self) -> Result<(), Refusal> {
        self.vault().update(|opened| {
            for own in opened.identity.publishers.values_mut() {
                let seed = muster_machine::random::bytes::<32>();
                *own = Own {
                    hosts: std::mem::take(&mut own.hosts),
                    products: std::mem::take(&mut own.products),
                    ..Own::new(own.root.clone(), &seed)
                };
            }
            for (publisher, holding) in &mut opened.state.publishers {
                let fresh = Holding {
                    revocations: std::mem::take(&mut holding.revocations),
                    revocations_offered: holding.revocations_offered,
                    products: std::mem::take(&mut holding.products),
                    removed: std::mem::take(&mut holding.removed),
                    ..Holding::new(holding.root.clone())
                };
                *holding = fresh;
                for installed in holding.products.values_mut() {
                    installed.lease = None;
                    installed.counted = None;
                    installed.refused = None;
                    installed.failed = None;
                    // Graces that have begun go on, or every reset would give them again.
                    installed.marks = installed.marks.lasting();
                }
                if let Some(own) = opened.identity.publishers.get(publisher) {
                    muster_proto::client::asking::note_keys(own, holding);
                }
            }
            Ok(())
        })
    }
}

fn rearm_one(opened: &mut Opened, name: &ProductName, licensed: bool) -> Result<(), Refusal> {
    let refuse = |reason| Err(Refusal::new(reason, name.product.as_str()));
    if licensed {
        return refuse(reasons::REARM_NEEDLESS);
    }
    let grace = {
        let holding = rounds::holding(&opened.state, name.publisher)?;
        let mut reader =
            muster_proto::client::evidence::Reader::open(&opened.state, &holding.root)?;
        reader.policy(&name.product)?.claims.extended_grace
    };
    if grace == Span::ZERO {
        return refuse(reasons::REARM_NOT_ALLOWED);
    }
    let now = opened.now;
    let holding = opened.state.publishers.get_mut(&name.publisher);
    let installed = holding.and_then(|holding| holding.products.get_mut(&name.product));
    let Some(installed) = installed else {
        return refuse(reasons::NOT_INSTALLED);
    };
    if installed.marks.rearm_spent {
        return refuse(reasons::REARM_SPENT);
    }
    installed.marks.rearmed = Some(now);
    installed.marks.rearm_spent = true;
    Ok(())
}
