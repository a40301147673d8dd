//! What an administrator sets: hosts, domain, method, site, whether the machine tells its name, and
//! the time.

use muster_proto::Refusal;
use muster_proto::client::discover::HostAddr;
use muster_proto::client::identity::Identity;
use muster_proto::client::state::State;
use muster_proto::ids::SiteId;
use muster_proto::limits::{CONFIGURED_HOSTS_MAX, HOST_BYTES_MAX};
use muster_proto::reason::client as reasons;
use muster_proto::statement::policy::Method;
use muster_proto::time::{Span, Timestamp};

use crate::control::{Client, Which, wanted};
use crate::sdk;

/// What is known of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeReport {
    /// The machine's clock.
    pub wall: Timestamp,
    /// What answers have proved.
    pub floor: Timestamp,
    /// Whether the clock is behind it.
    pub behind: Option<Span>,
    /// The last host's time, and the machine's when it answered.
    pub last: Option<(Timestamp, Timestamp)>,
    /// What came of asking hosts.
    pub asked: Refusal,
}

impl Client {
    /// Sets the hosts for a product, a publisher, or all.
    ///
    /// # Errors
    /// `HOST_NAME_WRONG` for too many, `NOT_INSTALLED`.
    pub fn set_host(&self, hosts: &[HostAddr], which: &Which) -> Result<(), Refusal> {
        if hosts.len() > CONFIGURED_HOSTS_MAX {
            let detail = format!("at most {CONFIGURED_HOSTS_MAX}");
            return Err(Refusal::new(reasons::HOST_NAME_WRONG, detail));
        }
        self.vault().update(|opened| {
            ask_soon(&mut opened.state);
            if *which == Which::default() {
                opened.identity.settings.hosts = hosts.to_vec();
                return Ok(());
            }
            let names = match &which.product {
                Some(_) => wanted(opened, which)?,
                None => Vec::new(),
            };
            for (publisher, own) in &mut opened.identity.publishers {
                if which.product.is_none() && which.publisher == Some(*publisher) {
                    own.hosts = hosts.to_vec();
                }
                let of_publisher = names.iter().filter(|name| name.publisher == *publisher);
                for name in of_publisher {
                    if let Some(kept) = own.products.get_mut(&name.product) {
                        kept.hosts = hosts.to_vec();
                    }
                }
            }
            Ok(())
        })
    }

    /// Forgets configured hosts: DNS finds them again. With no product named, all of them.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn clear_host(&self, which: &Which) -> Result<(), Refusal> {
        if *which != Which::default() {
            return self.set_host(&[], which);
        }
        self.settings(|identity| {
            identity.settings.hosts.clear();
            for own in identity.publishers.values_mut() {
                own.hosts.clear();
                own.products
                    .values_mut()
                    .for_each(|kept| kept.hosts.clear());
            }
        })
    }

    /// Sets or clears the domain in which hosts are looked up first.
    ///
    /// # Errors
    /// `HOST_NAME_WRONG`.
    pub fn set_domain(&self, domain: Option<&str>) -> Result<(), Refusal> {
        let domain = domain.map(|domain| domain.trim().trim_matches('.').to_lowercase());
        if let Some(domain) = &domain {
            let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
            let too_long = domain.is_empty() || domain.len() > HOST_BYTES_MAX - 32;
            if too_long || !domain.chars().all(allowed) {
                let shown: String = domain.chars().take(64).collect();
                let detail = format!("{shown:?} is no DNS domain");
                return Err(Refusal::new(reasons::HOST_NAME_WRONG, detail));
            }
        }
        self.settings(|identity| identity.settings.domain = domain)
    }

    /// Allows one method alone, or all.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn set_method(&self, method: Option<Method>) -> Result<(), Refusal> {
        self.settings(|identity| identity.settings.method = method)
    }

    /// Pins the site whose hosts may serve this machine, or allows all.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn set_site(&self, site: Option<SiteId>) -> Result<(), Refusal> {
        self.settings(|identity| identity.settings.site = site)
    }

    /// Whether asks tell the machine's name.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn set_tell_name(&self, tell: bool) -> Result<(), Refusal> {
        self.settings(|identity| identity.settings.tell_name = tell)
    }

    /// Asks hosts for the time and compares it with this machine's. A host's answer makes leases
    /// count again; only time the authority signs moves the floor back, which this release cannot
    /// ask for.
    ///
    /// # Errors
    /// As [`Client::activate`].
    pub async fn set_time(&self) -> Result<TimeReport, Refusal> {
        let asked = self.activate(&Which::default()).await?;
        let state = sdk::load(self.dir())?;
        let floor = state
            .publishers
            .values()
            .map(|holding| holding.floor.at())
            .max();
        let floor = floor.unwrap_or_default();
        let wall = self.vault().clock().wall();
        let newest = state
            .publishers
            .values()
            .filter_map(|holding| holding.last.as_ref());
        let newest = newest.max_by_key(|last| last.at);
        Ok(TimeReport {
            wall,
            floor,
            behind: (wall < floor).then(|| floor.since(wall)),
            last: newest.map(|last| (last.host_time, last.at)),
            asked: match asked.tried.iter().any(|tried| tried.answered) {
                true => asked.reason,
                false => Refusal::new(reasons::NO_AUTHORITY_TIME, asked.reason.to_string()),
            },
        })
    }

    fn settings(&self, change: impl FnOnce(&mut Identity)) -> Result<(), Refusal> {
        self.vault().update(|opened| {
            change(&mut opened.identity);
            ask_soon(&mut opened.state);
            Ok(())
        })
    }
}

/// What was set decides whom to ask: a running service asks again at once.
fn ask_soon(state: &mut State) {
    for holding in state.publishers.values_mut() {
        holding.next_ask = None;
    }
}
