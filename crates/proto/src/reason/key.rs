//! Reasons of product keys (`MUSTER-KEY-…`).

use super::reasons;

reasons! {
    LENGTH = "MUSTER-KEY-0001",
        "The product key does not have the right number of symbols",
        "A symbol was left out or typed twice, or something else was pasted",
        "Type or paste the whole key again: five groups of five symbols";
    SYMBOL = "MUSTER-KEY-0002",
        "A character is not in the alphabet of product keys",
        "Keys use digits and letters except I, L, O and U; a misread symbol, or no key at all",
        "Look at the named symbol again";
    ONE_WRONG = "MUSTER-KEY-0003",
        "A symbol of the product key is wrong, most likely the named one",
        "One symbol was misread or mistyped; several wrong ones can look the same",
        "Look at the named symbol first, then at the whole key";
    SEVERAL_WRONG = "MUSTER-KEY-0004",
        "More than one symbol of the product key is wrong",
        "Two symbols changed places, or several were mistyped",
        "Compare the whole key with its source and type it again";
    VERSION = "MUSTER-KEY-0005",
        "The product key is of a version that this program does not know",
        "The key is newer than the program",
        "Update the program";
    CHANNEL = "MUSTER-KEY-0006",
        "The product key is of a channel that this program does not know",
        "The key is newer than the program",
        "Update the program";
    UNKNOWN = "MUSTER-KEY-0007",
        "The authority does not know this product key",
        "A key of another publisher, or one that was never issued",
        "Check with whoever gave you the key, and that it is this publisher's authority";
    WRONG_PRODUCT = "MUSTER-KEY-0008",
        "The product key is for another product",
        "A key of another product or edition was used",
        "Use a key of this product, or the policy of the key's product";
    WRONG_CHANNEL = "MUSTER-KEY-0009",
        "The product key is of a channel that cannot be used here",
        "For example a client's key on a host, or a host's key on a client",
        "Use a key of the named channel";
    GROUP_RANGE = "MUSTER-KEY-0010",
        "The product group number is out of range",
        "A product group has thirteen bits",
        "Choose a number from 0 to 8191";
    CHANNEL_NAME = "MUSTER-KEY-0011",
        "There is no channel of this name",
        "The name was mistyped",
        "Use one of the named channels";
    TOO_MANY_TRIES = "MUSTER-KEY-0012",
        "Too many product keys were tried from this address",
        "A script, or many people behind one address, sent keys that the authority does not know",
        "Wait a minute, then try again with a key that was checked against its source";
}
