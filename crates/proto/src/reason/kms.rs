//! Reasons of the KMS host (`MUSTER-KMS-…`): what is decided about an ask (from 0001), products
//! that are not served (from 0020), and the host itself (from 0040).

use super::reasons;

reasons! {
    FIRST_CONTACT = "MUSTER-KMS-0001", "The machine was counted for the first time",
        "this host's store did not know it",
        "nothing: it is counted until its window has passed";
    RENEWED = "MUSTER-KMS-0002", "The machine was counted again",
        "it asked as it should, with its newest ticket",
        "nothing";
    REPEATED = "MUSTER-KMS-0003", "The same ask was answered again",
        "the answer was lost on its way, or the ask arrived twice",
        "nothing: nothing was counted twice";
    CONTINUED = "MUSTER-KMS-0004", "The machine was counted again with a ticket newer than the host's own record",
        "the host's store was restored from a backup",
        "nothing: the record goes on from the ticket";
    COUNTED_AGAIN = "MUSTER-KMS-0005", "The machine was counted again after it had left the count",
        "it had not asked within its window, or another machine had succeeded it",
        "nothing";
    NEW_KEY = "MUSTER-KMS-0006", "Two machines share one identity, and this one was told to make a new key",
        "a machine or its client directory was copied, or set back to an old snapshot",
        "nothing: it asks again under a key of its own, and its licence stays in force meanwhile";
    SUCCEEDED = "MUSTER-KMS-0007", "The machine was counted under its new key, and the old key left the count",
        "it obeyed the order to make a new key",
        "nothing: the old key counts again if a machine still asks with it";
    SUCCEEDED_BESIDE = "MUSTER-KMS-0008", "The machine was counted under its new key beside the old one",
        "it obeyed the order to make a new key, and another machine goes on with the old one",
        "nothing: these are two machines";
    ORDER_NOT_OURS = "MUSTER-KMS-0009", "The machine was counted as a new one; the order it shows is not of this host's store",
        "another host told it to make a new key, or the order is false",
        "nothing: the old key leaves the count when its window has passed";
    BUSY = "MUSTER-KMS-0010", "Too many new machines came from one network address",
        "a large installation at one site, or somebody invents machines",
        "nothing: the machine asks again by itself; muster kms set --new-identities N raises the limit";
    BUDGET_SPENT = "MUSTER-KMS-0011", "The host counts as many machines as it is certified for",
        "more machines are in use than the client budget of the host's certificate",
        "ask the publisher for a larger client budget; machines already counted are not affected";
    NOTHING_SERVED = "MUSTER-KMS-0012", "None of the products asked for is served by this host",
        "each of them was refused with a reason of its own",
        "look at the products' own reasons";
    CLOCK_JUMPED = "MUSTER-KMS-0013", "The host's clock has jumped, and the host signs nothing until it is confirmed",
        "the clock was set by more than a day against the time since the system's start",
        "correct the clock, or confirm that it is right: muster kms confirm-clock";
    INTERVAL_WRONG = "MUSTER-KMS-0014", "An interval is outside its bounds",
        "renewal and retry must be 15 minutes to 30 days",
        "choose an interval within the bounds";
    REPEATED_LATE = "MUSTER-KMS-0015", "The same ask came again after the machine had left the count, and nobody was counted",
        "its answer was lost and the window has passed since, or somebody sends what he recorded",
        "nothing: the machine is counted when it asks anew, after the retry interval";

    PRODUCT_NOT_CERTIFIED = "MUSTER-KMS-0020", "The host is not certified for this product",
        "no host product key for it was installed on this host",
        "install one: muster kms install-key";
    PRODUCT_UNKNOWN = "MUSTER-KMS-0021", "The host holds no policy of this product",
        "its id was mistyped, or it is newer than what the authority told this host",
        "check the product's id; policies come with the host product key of the product, and newer ones daily";
    OTHER_SITE = "MUSTER-KMS-0022", "The product's policy is for another site",
        "the policy names one customer or site, and the host belongs to another",
        "use the host of that site, or the policy of this one";
    METHOD_NOT_ALLOWED = "MUSTER-KMS-0023", "The product's policy does not allow activation by a KMS host",
        "the publisher allows other methods only",
        "activate the product by a method that its policy allows";
    USER_NOT_COUNTED = "MUSTER-KMS-0024", "Identities in a user's own directory are not counted for this product",
        "the client service does not run on the machine, so a user's program asked for itself",
        "install the client service on the machine: muster client serve";
    DECLARED_REFUSED = "MUSTER-KMS-0025", "The product's policy refuses hardware that was only declared",
        "the client was told to read its hardware under another root directory",
        "let the machine read its own hardware: leave --sysroot out";
    BASE_MISSING = "MUSTER-KMS-0026", "The machine lacks the licence that this product builds on",
        "the policy demands a qualifying product, and none is licensed on the machine",
        "license one of the qualifying products first";
    POOLS_TOO_MANY = "MUSTER-KMS-0027", "The machine asks in more count pools than one machine may",
        "very many products of one publisher are installed on it",
        "use a second host or leave out products that are not in use";

    NOT_CERTIFIED = "MUSTER-KMS-0040", "The host is not certified",
        "no host product key was installed in this directory, or the authority's answer was not applied yet",
        "give the right --dir, install a key (muster kms install-key), or apply the answer (muster kms apply)";
    UNKNOWN_PUBLISHER = "MUSTER-KMS-0041", "The host serves no product of this publisher",
        "no host product key of this publisher was installed on this host",
        "install one, or send the machines to another host";
    OPENING_KEY_UNKNOWN = "MUSTER-KMS-0042", "The ask was sealed to a key that this host no longer opens",
        "the key was replaced more than 7 days ago, or the host was moved or certified anew",
        "nothing: the client fetches the host's greeting and asks again";
    NOTHING_PENDING = "MUSTER-KMS-0043", "The host has made no request that this answers",
        "the answer was applied already, or belongs to another host",
        "make a request first: muster kms install-key … --offline --out FILE";
    NO_SUCH_KEY = "MUSTER-KMS-0044", "No host product key with these last five symbols is installed",
        "a typing error, or the key was removed already",
        "see the installed keys: muster kms status";
    NO_AUTHORITY = "MUSTER-KMS-0045", "It is not known where the authority is",
        "the host was certified by files, or the authority has no URL",
        "give --authority URL, or work by files: --offline --out FILE";
    AUTHORITY_REFUSED = "MUSTER-KMS-0046", "The authority refused",
        "its own reason is named in the message",
        "follow that reason: muster explain CODE";
    NOT_RENEWABLE = "MUSTER-KMS-0047", "No certificate is due for renewal",
        "half of its life has not passed yet",
        "nothing: the service renews by itself when it is due";
    ALREADY_SERVING = "MUSTER-KMS-0048", "Another process serves this directory",
        "the service runs already",
        "stop it first, or leave it: commands work beside it";
    CERTIFICATE_ENDS = "MUSTER-KMS-0049", "The host's certificate ends soon",
        "it was not renewed when half of its life had passed",
        "renew it: muster kms renew";
    NO_TSIG_KEY = "MUSTER-KMS-0050", "The zone cannot be updated without a TSIG key",
        "a zone is configured, and no key for it",
        "give --tsig-key FILE, or keep the zone by hand: muster kms dns-records";
    AUTHORITY_ODD = "MUSTER-KMS-0051", "The authority's address answered with something else",
        "another service answers there, or a proxy stands between",
        "check --authority URL; opening its /healthz in a browser shows what answers";
    OPENING_KEY_OLD = "MUSTER-KMS-0052", "The host's opening key is older than it should become",
        "the service has not run for long; it replaces the key by itself every 30 days",
        "start the service: muster kms serve";
    CLOCKS_DIFFER = "MUSTER-KMS-0053",
        "This host's clock and the authority's differ by more than four hours",
        "one of the two is wrong: a battery is empty, the time zone was set in the clock's place, or NTP does not run",
        "compare both with a clock you trust and set the wrong one";
    NOT_SERVING = "MUSTER-KMS-0054", "No service runs on this host's directory",
        "it was not started, it stopped, or it serves another directory (--dir)",
        "start it (muster kms serve); if it stopped by itself, its log says why";
    GREETING_OTHER = "MUSTER-KMS-0055", "What answers on the host's port is not this host",
        "another host or service has the port, or the service has not followed a change yet",
        "see what listens there (ss -ltnp), or start the service again";
    DNS_NOT_PUBLISHED = "MUSTER-KMS-0056", "The zone does not name this host",
        "its record was never registered, was withdrawn, or names another target or port",
        "let the service register it (muster kms serve --dns-zone ZONE --tsig-key FILE), or add it by hand: muster kms dns-records";
    RECORDS_LEFT = "MUSTER-KMS-0057", "Records of this host stand in a zone that is no longer configured",
        "the zone was taken out of the configuration, and its records were left",
        "withdraw them: muster kms retire --dns-zone ZONE, with the server and key of that zone; or configure the zone again";
}
