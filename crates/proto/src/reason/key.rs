//! Reasons of product keys (`MUSTER-KEY-…`).

use super::reasons;

reasons! {
    LENGTH = "MUSTER-KEY-0001",
        "The product key does not have the right number of symbols",
        "a symbol was left out or typed twice, or something else was pasted",
        "type or paste the whole key again: five groups of five symbols";
    SYMBOL = "MUSTER-KEY-0002",
        "A character is not in the alphabet of product keys",
        "it was misread (keys have no I, L, O and U), or this is no product key at all",
        "look at the named symbol again";
    ONE_WRONG = "MUSTER-KEY-0003",
        "A symbol of the product key is wrong, most likely the named one",
        "it was misread or mistyped; several wrong symbols can look like one",
        "look at the named symbol first, then at the whole key";
    SEVERAL_WRONG = "MUSTER-KEY-0004",
        "More than one symbol of the product key is wrong",
        "two symbols changed places, or several were mistyped",
        "compare the whole key with its source and type it again";
    VERSION = "MUSTER-KEY-0005",
        "The product key is of a version that this program does not know",
        "the key is newer than the program",
        "update the program";
    CHANNEL = "MUSTER-KEY-0006",
        "The product key is of a channel that this program does not know",
        "the key is newer than the program",
        "update the program";
    UNKNOWN = "MUSTER-KEY-0007",
        "The authority does not know this product key",
        "a key of another publisher, or one that was never issued",
        "compare the key with its source, and check that this is its publisher's authority";
    WRONG_PRODUCT = "MUSTER-KEY-0008",
        "The product key is for another product",
        "the key of another product or edition was used",
        "use a key of this product, or the policy of the key's product";
    WRONG_CHANNEL = "MUSTER-KEY-0009",
        "The product key is of a channel that cannot be used here",
        "a machine's key was used on a host, or a host's key on a machine",
        "use a key of the named channel";
    GROUP_RANGE = "MUSTER-KEY-0010",
        "The product group number is out of range",
        "a product group has thirteen bits",
        "choose a number from 0 to 8191";
    CHANNEL_NAME = "MUSTER-KEY-0011",
        "There is no channel of this name",
        "the name was mistyped",
        "use one of the named channels";
    TOO_MANY_TRIES = "MUSTER-KEY-0012",
        "Too many product keys were tried from this address",
        "a script, or many people behind one address, sent keys that the authority does not know",
        "compare the key with its source, wait a minute, then try again";
}
