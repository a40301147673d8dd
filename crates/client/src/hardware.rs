//! The hardware as this process can read it: nothing is read before it is asked for, and nothing
//! twice.

use muster_machine::Machine;
use muster_proto::client::judge::Hardware;
use muster_proto::hardware::{Component, ComponentTags};
use muster_proto::ids::PublisherId;
use muster_proto::limits::COMPONENT_KINDS;

/// A machine's components for one publisher.
pub(crate) struct MachineHardware<'a> {
    machine: &'a Machine,
    publisher: PublisherId,
    declared: bool,
    /// By kind: what reading it came to, once it was read.
    read: [Option<Option<u16>>; COMPONENT_KINDS],
}

impl<'a> MachineHardware<'a> {
    /// `declared` is what the state remembers; a machine that is declared now counts as well.
    pub(crate) fn new(machine: &'a Machine, publisher: PublisherId, declared: bool) -> Self {
        Self {
            machine,
            publisher,
            declared: declared || machine.is_declared(),
            read: [None; COMPONENT_KINDS],
        }
    }

    fn read_tag(&self, kind: Component) -> Option<u16> {
        let value = self.machine.component(kind)?;
        ComponentTags::of(self.publisher, [(kind, value.as_str())]).tag(kind)
    }
}

impl Hardware for MachineHardware<'_> {
    fn tag(&mut self, kind: Component) -> Option<u16> {
        if let Some(read) = self.read[kind as usize] {
            return read;
        }
        let tag = self.read_tag(kind);
        self.read[kind as usize] = Some(tag);
        tag
    }

    fn is_declared(&self) -> bool {
        self.declared
    }
}
