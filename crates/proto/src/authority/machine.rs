//! When two sets of component tags are of one machine: the 6 x 10 rule counts a machine that comes
//! again as one of ten activations, another one as one of six hosts.

use crate::hardware::{Component, ComponentTags};

/// The components that tell one machine from another of its make. Model, processor and memory are
/// shared by every machine of a purchase and by every guest of a virtualization host.
const IDENTIFYING: [Component; 5] = [
    Component::Installation,
    Component::SystemUuid,
    Component::BoardSerial,
    Component::Disk,
    Component::Network,
];

/// Whether two sets of tags are of one machine, over the components that both could read:
///
/// - more components match than differ, and
/// - of the identifying ones (installation, system uuid, board serial, disk, network) at least one
///   matches, and no more differ than match.
///
/// So a machine that was reinstalled, or got another disk or network card, is still the same; a
/// neighbour of the same make, and a guest cloned with a new uuid and address, is another. Without
/// any readable tag every activation is another machine: the safe side for the publisher.
pub fn same_machine(one: &ComponentTags, two: &ComponentTags) -> bool {
    let all = one.compare(two);
    let (mut same, mut differ) = (0, 0);
    for kind in IDENTIFYING {
        match (one.tag(kind), two.tag(kind)) {
            (Some(one), Some(two)) if one == two => same += 1,
            (Some(_), Some(_)) => differ += 1,
            _ => {}
        }
    }
    all.matches > all.mismatches && same >= 1 && same >= differ
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PublisherId;

    /// A machine by eight letters, one a component; `-` is not readable.
    fn machine(letters: &str) -> ComponentTags {
        let letters: Vec<String> = letters.chars().map(|c| c.to_string()).collect();
        let values = Component::ALL.into_iter().zip(&letters);
        ComponentTags::of(
            PublisherId([1; 16]),
            values
                .filter(|(_, value)| *value != "-")
                .map(|(kind, value)| (kind, value.as_str())),
        )
    }

    #[test]
    fn a_changed_machine_is_the_same_and_a_neighbour_is_not() {
        // installation, uuid, board, model, processor, memory, disk, network
        let first = machine("abcdefgh");
        for (other, same, what) in [
            ("abcdefgh", true, "itself"),
            ("xbcdefgh", true, "reinstalled"),
            ("xbcdefxh", true, "reinstalled on a new disk"),
            ("abcdexgx", true, "more memory and a new card"),
            ("a--def-h", true, "read without root"),
            ("x--def-h", true, "reinstalled and read without root"),
            ("xxxdefxx", false, "a neighbour of the same make"),
            (
                "axxdefxx",
                false,
                "a clone with its own uuid, board and address",
            ),
            ("x--def-x", false, "a neighbour read without root"),
            ("---def--", false, "nothing that identifies"),
            ("--------", false, "nothing readable"),
            ("axxxxxxx", false, "its installation in other hardware"),
        ] {
            assert_eq!(same_machine(&first, &machine(other)), same, "{what}");
            assert_eq!(same_machine(&machine(other), &first), same, "{what}");
        }
        let none = machine("--------");
        assert!(!same_machine(&none, &none), "two unreadable ones");
    }
}
