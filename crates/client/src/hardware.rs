//! The hardware as this process can read it: nothing is read before it is asked for, and then all of
//! it once.

use muster_machine::Machine;
use muster_proto::client::judge::Hardware;
use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::ids::PublisherId;

/// A machine's components for one publisher.
pub(crate) struct MachineHardware<'a> {
    machine: &'a Machine,
    publisher: PublisherId,
    declared: bool,
    read: Option<ComponentTags>,
}

impl<'a> MachineHardware<'a> {
    /// `declared` is what the state remembers; a machine that is declared now counts as well.
    pub(crate) fn new(machine: &'a Machine, publisher: PublisherId, declared: bool) -> Self {
        Self {
            machine,
            publisher,
            declared: declared || machine.is_declared(),
            read: None,
        }
    }

    /// All tags.
    pub(crate) fn tags(&mut self) -> ComponentTags {
        let (machine, publisher) = (self.machine, self.publisher);
        *self.read.get_or_insert_with(|| machine.tags(publisher))
    }
}

impl Hardware for MachineHardware<'_> {
    fn tag(&mut self, kind: Component) -> Option<u16> {
        self.tags().tag(kind)
    }

    fn is_declared(&self) -> bool {
        self.declared
    }
}
