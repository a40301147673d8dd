//! What firmware and kernel tell of the machine: files under a system root, with any text in them.

use std::fs;

use muster_machine::Machine;
use muster_proto::hardware::{Component, ComponentTags};

use crate::estate::Golden;
use crate::input::{Input, parts};

/// The files that are read, in the order in which an input holds their contents.
const FILES: [&str; 10] = [
    "etc/machine-id",
    "etc/hosts",
    "proc/cpuinfo",
    "proc/meminfo",
    "proc/sys/kernel/hostname",
    "sys/class/dmi/id/product_uuid",
    "sys/class/dmi/id/board_serial",
    "sys/class/dmi/id/product_name",
    "sys/block/sda/device/serial",
    "sys/class/net/eth0/address",
];

pub(super) fn run(bytes: &[u8]) {
    if let Ok(tags) = ComponentTags::from_bytes(bytes) {
        assert_eq!(tags.to_bytes(), bytes);
    }
    let root = tempfile::tempdir().expect("a folder");
    let mut input = Input::of(bytes);
    for file in FILES {
        if input.is_empty() {
            break;
        }
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder");
        fs::write(path, input.part()).expect("a file");
    }
    let machine = Machine::declared(root.path());
    for kind in Component::ALL {
        if let Some(value) = machine.component(kind) {
            assert!(!value.trim().is_empty(), "{kind:?} is nothing");
        }
    }
    let publisher = Golden::get().publisher();
    assert_eq!(machine.tags(publisher), machine.tags(publisher));
    if let Some(domain) = machine.domain() {
        assert!(!domain.contains(char::is_whitespace) || machine.host_name().is_some());
    }
    let _ = machine.is_virtual();
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let whole = [
        "0123456789abcdef\n",
        "127.0.0.1 localhost\n127.0.1.1 pc1.corp.test pc1\n",
        "processor : 0\nmodel name\t: Chip 9\nflags : fpu hypervisor\n",
        "MemTotal:       16282348 kB\nMemFree: 1 kB\n",
        "pc1\n",
        "11111111-2222-3333-4444-555555555555\n",
        "B1\n",
        "Model 5\n",
        "D1\n",
        "52:54:00:00:00:01\n",
    ];
    let fillers = ["0"; 10];
    vec![
        parts(whole),
        parts(fillers),
        parts([
            "\n",
            "\u{feff}",
            "CPU part: 0xd08",
            "MemTotal: 18446744073709551615 kB",
        ]),
        ComponentTags::default().to_bytes(),
    ]
}
