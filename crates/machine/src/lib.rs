//! What muster reads of the machine it runs on: its clocks, its components, its name. Every other
//! crate takes these as arguments or asks here, so that there is one place for each operating
//! system's ways, and one wall clock.
//!
//! Components are read under a system root, which is `/` or, for images, containers and tests, a
//! directory that the administrator declared.
#![forbid(unsafe_code)]

pub mod clock;
pub mod disk;
mod linux;
pub mod random;

use std::path::{Path, PathBuf};

use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::ids::PublisherId;

// Every product reads its machine here, and no simulation does.
const _: () = assert!(
    muster_proto::rules::ARE_WHOLE,
    "the features break-rules and cheap-signatures of muster-proto are for simulations alone"
);

/// Where the machine is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    sysroot: PathBuf,
    declared: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            sysroot: PathBuf::from("/"),
            declared: false,
        }
    }
}

/// What could be read of the components, as text; what could not is missing.
pub type Components = Vec<(Component, String)>;

impl Machine {
    /// This machine.
    pub fn real() -> Self {
        Self::default()
    }

    /// A machine declared by a directory that holds its `etc/machine-id`, `sys` and `proc`.
    pub fn declared(sysroot: &Path) -> Self {
        Self {
            sysroot: sysroot.to_path_buf(),
            declared: true,
        }
    }

    /// The machine that an optional `--sysroot DIR` names.
    pub fn at(sysroot: Option<&Path>) -> Self {
        sysroot.map_or_else(Self::real, Self::declared)
    }

    /// Whether the hardware was declared; a policy may refuse that.
    pub fn is_declared(&self) -> bool {
        self.declared
    }

    /// The directory that is read.
    pub fn sysroot(&self) -> &Path {
        &self.sysroot
    }

    /// The components that this user can read.
    pub fn components(&self) -> Components {
        let kinds = Component::ALL.into_iter();
        kinds
            .filter_map(|kind| Some((kind, self.component(kind)?)))
            .collect()
    }

    /// One component, where this user can read it; the others are left alone.
    pub fn component(&self, kind: Component) -> Option<String> {
        linux::component(&self.sysroot, kind)
    }

    /// The components' tags for one publisher.
    pub fn tags(&self, publisher: PublisherId) -> ComponentTags {
        let components = self.components();
        ComponentTags::of(
            publisher,
            components
                .iter()
                .map(|(kind, value)| (*kind, value.as_str())),
        )
    }

    /// Whether the machine is a virtual one.
    pub fn is_virtual(&self) -> bool {
        linux::is_virtual(&self.sysroot)
    }

    /// The machine's host name.
    pub fn host_name(&self) -> Option<String> {
        linux::host_name(&self.sysroot)
    }

    /// The domain of the machine's name, where it has a full one.
    pub fn domain(&self) -> Option<String> {
        linux::domain(&self.sysroot)
    }

    /// The id of the running boot, to tell whether running time can be carried on.
    pub fn boot_id(&self) -> Option<String> {
        linux::boot_id()
    }
}
