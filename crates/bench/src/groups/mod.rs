//! The groups of rows: rows of one group are measured in the same rounds.

pub(crate) mod connect;
pub(crate) mod kept;
pub(crate) mod large;
pub(crate) mod library;
pub(crate) mod load;
pub(crate) mod shared;
pub(crate) mod wire;

use crate::estate::Estate;
use crate::failure::{Failure, Outcome};
use crate::report::Row;
use crate::scale::Scale;

/// What every group is given.
pub(crate) struct Bench {
    pub(crate) estate: Estate,
    pub(crate) scale: Scale,
}

/// The groups, in the order of their cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Library,
    Wire,
    Connect,
    Load,
    Kept,
    Shared,
    Large,
}

impl Group {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Library,
        Self::Wire,
        Self::Connect,
        Self::Load,
        Self::Kept,
        Self::Shared,
        Self::Large,
    ];

    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Library => "library",
            Self::Wire => "wire",
            Self::Connect => "connect",
            Self::Load => "load",
            Self::Kept => "kept",
            Self::Shared => "shared",
            Self::Large => "large",
        }
    }

    /// Its rows.
    const fn rows(self) -> &'static [&'static str] {
        match self {
            Self::Library => &["library-read-vs-verify", "status-process-vs-true"],
            Self::Wire => &["ask-and-answer-on-wire", "memory-idle"],
            Self::Connect => &[
                "ask-new-connection-vs-parts",
                "ask-new-connection-vs-tls",
                "ask-p99-vs-p50",
            ],
            Self::Load => &[
                "wait-light-p50",
                "wait-light-p99",
                "wait-busy-p50",
                "wait-busy-p99",
            ],
            Self::Kept => &[
                "ask-kept-vs-etcd",
                "ask-kept-vs-postgresql",
                "decide-and-store-vs-etcd",
                "disk-per-client",
            ],
            Self::Shared => &["ask-shared-one-host", "ask-shared-two-hosts"],
            Self::Large => &["table-10m-vs-10k", "start-10m", "memory-10m"],
        }
    }

    /// Measures the group.
    pub(crate) async fn measure(self, bench: &Bench) -> Outcome<Vec<Row>> {
        match self {
            Self::Library => library::measure(bench).await,
            Self::Wire => wire::measure(bench).await,
            Self::Connect => connect::measure(bench).await,
            Self::Load => load::measure(bench).await,
            Self::Kept => kept::measure(bench).await,
            Self::Shared => shared::measure(bench).await,
            Self::Large => large::measure(bench).await,
        }
    }

    /// The group's rows when it could not be measured: each says why.
    pub(crate) fn missing(self, why: &Failure) -> impl Iterator<Item = Row> {
        self.rows().iter().map(|name| Row::missing(name, why))
    }
}

/// A group by its name.
pub(crate) fn parse(name: &str) -> Outcome<Group> {
    let names = Group::ALL.map(Group::name).join(", ");
    Group::ALL
        .into_iter()
        .find(|group| group.name() == name)
        .ok_or_else(|| Failure(format!("`{name}` is no group; there are: {names}")))
}
