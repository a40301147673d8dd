//! Reasons of the authority (`MUSTER-AUT-…`): its directory and ceremony (from 0001), products and
//! keys (from 0020), the certification of hosts (from 0040) and its HTTP API (from 0070).

use super::reasons;

reasons! {
    NOT_INITIALISED = "MUSTER-AUT-0001",
        "This directory holds no authority",
        "it was never initialised, or another directory is meant",
        "run `muster authority init --publisher NAME`, or give the right --dir";
    ALREADY_INITIALISED = "MUSTER-AUT-0002",
        "This directory already holds another authority",
        "it was initialised with another publisher, root or mode",
        "use another --dir; an authority's root is never replaced";
    AWAITING_ROOT = "MUSTER-AUT-0003",
        "The issuing key is not yet certified by the root",
        "the root's answer to the request file was not applied",
        "sign the request with `muster authority root sign`, then `muster authority apply FILE`";
    ISSUING_ENDED = "MUSTER-AUT-0004",
        "The issuing certificate is not valid now",
        "it has ended, or this machine's clock is wrong",
        "check the clock, then run `muster authority rotate`";
    ISSUING_UNKNOWN = "MUSTER-AUT-0011",
        "There is no such issuing key",
        "it was mistyped, or is another authority's",
        "see `muster authority issuing list`";
    ISSUING_NEWEST = "MUSTER-AUT-0012",
        "The newest issuing key cannot be revoked",
        "nothing else could sign the revocation, and certify hosts anew",
        "run `muster authority rotate` first; then revoke the old key";
    ISSUING_FOREIGN = "MUSTER-AUT-0005",
        "The root's answer is not for an issuing key of this authority",
        "it answers the request of another directory, or the key file is missing",
        "apply the answer to the request that this directory wrote";
    ROOT_NOT_HERE = "MUSTER-AUT-0006",
        "The root key is not kept in this directory",
        "this authority's root is offline, as it should be",
        "run `muster authority rotate --out REQ`, sign REQ with the root, then apply its answer";
    SECRET_DAMAGED = "MUSTER-AUT-0007",
        "A file with a secret is damaged or of another kind",
        "it was cut or altered, or another file was given",
        "restore the file from a backup";
    SIGNER_FAILED = "MUSTER-AUT-0008",
        "The signing key could not be used",
        "its file or device is missing or did not answer",
        "check the key's file or device, then repeat the command: nothing is charged twice";
    ROOT_REQUEST = "MUSTER-AUT-0009",
        "The root signs requests of issuing keys only",
        "the file is another request, or a host's",
        "give the file that `muster authority init --offline` or `rotate --out` wrote";
    TERMS_WRONG = "MUSTER-AUT-0010",
        "A term of the certificate is not allowed",
        "a duration or number is zero or out of range",
        "correct the named term";
    CLOCK_BEHIND = "MUSTER-AUT-0013",
        "This machine's clock stands before a time at which something was signed here",
        "the clock was set back or its battery is empty",
        "set the clock before anything is signed by it";
    ISSUING_ENDS = "MUSTER-AUT-0014",
        "The issuing certificate ends soon",
        "it is nearly five years old, or the root gave it a shorter life",
        "make a new issuing key: `muster authority rotate`";
    OTHER_PUBLISHER = "MUSTER-AUT-0015",
        "The database holds another publisher's authority",
        "the URL of another publisher's store was given, or another directory",
        "give a database of its own to each publisher; copies of one directory share theirs";
    STORE_ON_SERVER = "MUSTER-AUT-0016",
        "The store is on a database server, which makes its own backups",
        "`backup` and `restore` are for the file of a store; half a copy would be worth nothing",
        "use pg_basebackup with the log archived, or pg_dump; after a restore run `muster authority restored`";
    STORE_MISSING = "MUSTER-AUT-0017",
        "The authority's keys are here, but its store is missing",
        "the store was deleted or emptied, or only the key files were copied to this machine",
        "restore a backup (`muster authority restore FILE`, or the database server's own); a new store would give out serials a second time";

    PRODUCT_UNKNOWN = "MUSTER-AUT-0020",
        "There is no product of this id",
        "the id was mistyped, or the product was never added",
        "see `muster authority product list`";
    PRODUCT_EXISTS = "MUSTER-AUT-0021",
        "A product of this id exists with another policy",
        "it was added before",
        "use `muster authority product set` to change its policy";
    GROUPS_SPENT = "MUSTER-AUT-0022",
        "Every product group number is given out",
        "one authority serves at most 8,191 products",
        "make an authority for a further publisher id";
    SERIALS_SPENT = "MUSTER-AUT-0023",
        "Every serial of this product and channel is given out",
        "more than four billion keys were issued",
        "add another product";
    KEY_COUNT = "MUSTER-AUT-0024",
        "The number of keys, hosts or activations is out of range",
        "it is zero, or larger than one command or key may have",
        "choose a number within the named bounds";
    KEY_NOT_FOUND = "MUSTER-AUT-0025",
        "There is no product key of this serial or last five symbols",
        "it was mistyped, or is a key of another authority",
        "see `muster authority key list`";
    KEY_AMBIGUOUS = "MUSTER-AUT-0026",
        "Several product keys end in these five symbols",
        "the last group of a key is not unique",
        "name one of the listed serials instead";
    SELECTOR_WRONG = "MUSTER-AUT-0027",
        "This is neither the last five symbols of a key nor a serial",
        "a whole key or something else was given",
        "give five symbols, as in 7Q2WK, or a serial, as in kms-host/1/17";
    CHANGED_MEANWHILE = "MUSTER-AUT-0028",
        "Another command changed the same product at the same time",
        "two administrators work on one product",
        "look at the product, then repeat the command if it is still wanted";
    NO_PRODUCTS = "MUSTER-AUT-0029",
        "This authority has no product yet",
        "none was added",
        "add one: `muster authority product add ID --name NAME --kind client|server`";

    ROLE_NOT_CERTIFIED = "MUSTER-AUT-0040",
        "The authority does not certify keys of this role",
        "an issuing key is certified by the root, and VM hosts not by this release",
        "give the request of a KMS host";
    KEY_UNREADABLE = "MUSTER-AUT-0041",
        "A sealed product key in the request does not open",
        "it was sealed to another authority, taken from another request, or altered",
        "make the request again on the host, with this publisher's root";
    NOTHING_ASKED = "MUSTER-AUT-0042",
        "The request names neither a product key nor a certificate to renew",
        "it was made by something that is not muster",
        "install a host product key: muster kms install-key";
    CHANNEL_LATER = "MUSTER-AUT-0043",
        "Product keys of this channel cannot be redeemed yet",
        "the key is genuine, but this release redeems KMS host keys only",
        "use a key of channel kms-host, or a release that serves this channel";
    KEY_REVOKED = "MUSTER-AUT-0044",
        "The product key has been revoked",
        "the publisher withdrew it, perhaps because it leaked",
        "ask the publisher for another key";
    HOSTS_SPENT = "MUSTER-AUT-0045",
        "The product key has activated as many hosts as it may",
        "each other machine takes a place, and every place is taken",
        "ask the publisher to free the place of a host that is gone, or for another key";
    ACTIVATIONS_SPENT = "MUSTER-AUT-0046",
        "The product key has activated this host as often as it may",
        "the host was activated anew again and again instead of renewing",
        "ask the publisher to free the host's place, or for another key";
    SIGNING_KEY_USED = "MUSTER-AUT-0047",
        "The signing key in the request was certified before",
        "a new request was made with an old key, or the key was copied",
        "make the request again: every certificate has a signing key of its own";
    PREVIOUS_UNKNOWN = "MUSTER-AUT-0048",
        "The certificate to renew was not issued by this authority",
        "the authority's directory was restored from an old backup, or is another one",
        "activate the host again with its product key";
    PREVIOUS_ENDED = "MUSTER-AUT-0049",
        "The certificate has ended and can no longer be renewed",
        "the host did not renew in the second half of its life",
        "activate the host again with its product key: muster kms install-key";
    RENEWAL_EARLY = "MUSTER-AUT-0050",
        "The certificate is not yet in the second half of its life",
        "renewal was asked for too early",
        "renew at the time named, or install a product key to widen the certificate";
    FORKED = "MUSTER-AUT-0051",
        "This certificate has already been renewed or replaced by another request",
        "the host's directory was copied or restored, and two machines use it",
        "find the other machine; then activate this one again with its product key";
    HOST_REVOKED = "MUSTER-AUT-0052",
        "The host's certificate has been revoked",
        "the publisher withdrew this host",
        "ask the publisher; with a good product key: muster kms remove-key LAST5 of the old one, then muster kms install-key";
    HOST_UNKNOWN = "MUSTER-AUT-0053",
        "There is no host of this number",
        "it was mistyped, or is a host of another authority",
        "see `muster authority host list`";
    SITES_MIXED = "MUSTER-AUT-0054",
        "The product keys are of different sites",
        "a host serves exactly one site",
        "use keys of one site on one host";
    PRODUCTS_TOO_MANY = "MUSTER-AUT-0055",
        "The certificate would name more products than one may",
        "too many product keys were installed on one host",
        "install the further products on another host";
    OUTSIDE_ISSUING = "MUSTER-AUT-0056",
        "The issuing key may not certify this",
        "the root certified it for other products or sites, or without this permission",
        "have the root certify an issuing key with wider terms";

    ROUTE_UNKNOWN = "MUSTER-AUT-0070",
        "The authority has nothing at this path",
        "the URL was mistyped, or meant for another release",
        "see /openapi.json for the paths";
    METHOD_WRONG = "MUSTER-AUT-0071",
        "The authority does not answer this method at this path",
        "GET and POST were mixed up",
        "see /openapi.json for the methods";
    QUERY_WRONG = "MUSTER-AUT-0072",
        "The query of the URL cannot be read",
        "a number was expected, or a name is not known",
        "see /openapi.json for the parameters";
    TOO_MANY_REQUESTS = "MUSTER-AUT-0073",
        "Too many requests came from this address",
        "a script, or many machines behind one address",
        "wait a minute, then try again";
    BODY_SIZE = "MUSTER-AUT-0074",
        "The body of the request is empty or larger than it may be",
        "another file was sent",
        "send the request file that `muster kms install-key` or `renew` made";
    PLAIN_LISTEN = "MUSTER-AUT-0075",
        "Plain HTTP is served on this machine's own addresses only",
        "--listen names another address and no TLS certificate was given",
        "give --tls-cert and --tls-key, or --insecure-http where the network is trusted";
}
