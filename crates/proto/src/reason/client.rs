//! Reasons of the client (`MUSTER-CLI-…`): 0001 to 0029 judge a licence, 0030 to 0059 belong to
//! asking, 0060 to 0079 to its two files, 0080 and up to its commands,
//! 0100 and up to the service's local socket.

use super::reasons;

reasons! {
    LICENSED = "MUSTER-CLI-0001", "The product is licensed",
        "a lease that fits this machine is in force",
        "nothing: it is renewed by itself";
    LICENSED_ENDS_SOON = "MUSTER-CLI-0002", "The product is licensed, but its licence ends soon",
        "no host has answered for a long time",
        "see why: muster client activate";
    LICENSED_BY_RUNNING_TIME = "MUSTER-CLI-0003",
        "The product is licensed; this machine's clock and the host's differ by more than four hours",
        "one of the two clocks is wrong, so the lease's life is counted in running time",
        "set the wrong clock; the next renewal then counts by the clock again";
    NOT_INSTALLED = "MUSTER-CLI-0004", "The product is not installed here",
        "no product key was installed for it in this directory, or another directory (--dir) is meant",
        "give the right --dir, or install it: muster client install-key KEY --policy FILE";
    NEVER_LICENSED = "MUSTER-CLI-0005", "No host has granted a lease yet",
        "the machine has not asked yet, or no host answered",
        "see what the last ask said, or ask now: muster client activate names each host and its answer";
    COUNT_BELOW = "MUSTER-CLI-0006", "The host has counted fewer machines than the product needs",
        "too few machines have asked this host within the count window",
        "let more machines ask the same host; this one asks again by itself";
    INITIAL_GRACE = "MUSTER-CLI-0007", "The product is in its grace after installation",
        "it was installed a short while ago and is not activated yet",
        "nothing: the machine goes on asking, or muster client activate";
    EXTENDED_GRACE = "MUSTER-CLI-0008", "The product is in the grace that rearm gave",
        "an administrator rearmed it",
        "activate it before the grace ends: muster client activate";
    LEASE_ENDED = "MUSTER-CLI-0009", "The lease has ended",
        "no host has answered since it was granted",
        "check that a host can be reached, then muster client activate";
    HARDWARE_CHANGED = "MUSTER-CLI-0010", "The lease was granted to other hardware",
        "parts were replaced, or the files were copied from another machine",
        "muster client activate: the host grants a lease for this hardware";
    HARDWARE_DECLARED = "MUSTER-CLI-0011", "The policy refuses hardware that was declared with --sysroot",
        "the machine's components were read from a directory and not from the machine",
        "activate without --sysroot";
    CLOCK_BEHIND = "MUSTER-CLI-0012", "This machine's clock stands before times that are known to have passed",
        "the clock was set back or its battery is empty",
        "set the clock, or let a host answer: muster client activate";
    REVOKED = "MUSTER-CLI-0013", "The publisher revoked the host that granted the lease",
        "the host's key was revoked after it had served this machine",
        "let another host serve this machine: muster client activate";
    SITE_OTHER = "MUSTER-CLI-0014", "The lease comes from another site than the policy names",
        "the product's policy is one customer's own, and a host of someone else answered",
        "name a host of that site: muster client set-host";
    BASE_MISSING = "MUSTER-CLI-0015", "The product needs a licensed base product on the machine",
        "none of the products that the policy names is licensed here",
        "install and activate the base product first";
    METHOD_NOT_ALLOWED = "MUSTER-CLI-0016", "The method of activation is not allowed",
        "the policy or the administrator allows other methods only",
        "muster client set-method, or ask the publisher for a policy that allows it";
    POLICY_TOO_OLD = "MUSTER-CLI-0017", "The policy held here is older than the product demands",
        "the product was updated and no host has offered the newer policy yet",
        "install the policy that came with the product, or let a host answer";
    POLICY_MISSING = "MUSTER-CLI-0018", "The product's policy is not held here",
        "the state file was lost or rebuilt, and no host has offered the policy since",
        "muster client activate fetches it, or install the policy file again";
    HARDWARE_NONE = "MUSTER-CLI-0019", "No component of this machine can be read",
        "a container without hardware, or a --sysroot that holds none",
        "correct --sysroot; in a container the product's policy decides whether it is needed";

    ORDER_OBEYED = "MUSTER-CLI-0030", "Two machines shared this identity; this one has made a new key",
        "the machine was copied from an image that had already asked",
        "nothing: it asks again by itself; leases stay in force";
    ORDER_IGNORED = "MUSTER-CLI-0031", "An order to make a new key was not obeyed",
        "a host orders it again and again; so many orders are never honest",
        "nothing: leases stay in force; check that host, or name another one";
    CHAIN_OLDER = "MUSTER-CLI-0032", "The host showed an older certificate than it did before",
        "the host was restored from a backup, or somebody imitates it",
        "muster kms renew on the host, or ask another host";
    ANSWER_OTHER_HOST = "MUSTER-CLI-0033", "The answer was signed by another host than the one that was asked",
        "a proxy mixes hosts up, or an answer was carried over",
        "nothing: the client tries the next host";
    LEASE_NOT_ASKED = "MUSTER-CLI-0034", "The answer holds a lease that was not asked for",
        "the host answers for another ask or program",
        "upgrade muster on the host";
    LEASE_AHEAD = "MUSTER-CLI-0035", "A lease was issued at another time than the answer that carries it",
        "the host's clock jumped, or it grants more than it may",
        "check the host's clock: muster kms status";
    LEASE_OTHER_COMPONENTS = "MUSTER-CLI-0036", "A lease names other components than the ask",
        "the host answers for another machine",
        "upgrade muster on the host";
    SITE_PINNED = "MUSTER-CLI-0037", "The host belongs to another site than the administrator pinned",
        "DNS led to a host of another site",
        "correct DNS, or pin that site instead: muster client set-site";
    SITE_CHANGED = "MUSTER-CLI-0038", "A host of another site than before serves this machine",
        "the machine or a host moved, or DNS leads elsewhere",
        "nothing if this was meant; else pin the site: muster client set-site";
    HOST_NONE = "MUSTER-CLI-0039", "No host was found",
        "none is set, and DNS names none in this machine's domains or does not answer",
        "see what each lookup said; then correct DNS (muster kms dns-records), or muster client set-host HOST";
    HOST_STATUS = "MUSTER-CLI-0040", "The host answered with an HTTP error",
        "the host holds no key of this publisher (404), or something else listens there",
        "check the address; on the host: muster kms status";
    HOST_BUSY = "MUSTER-CLI-0041", "The host is busy",
        "it has more to do than it takes on at once",
        "nothing: the client asks again";
    HOST_WAIT = "MUSTER-CLI-0042", "The host asks this machine to come back later",
        "it limits new machines, or does not trust its clock at the moment",
        "nothing: the client asks again; on the host: muster kms status";
    HOST_REFUSED = "MUSTER-CLI-0043", "The host refused the ask",
        "the reason it gave is named",
        "muster explain CODE";
    ASK_TOO_LARGE = "MUSTER-CLI-0044", "The ask is larger than a host takes",
        "very many products of one publisher are installed here",
        "remove products that are not used: muster client remove-key";
    HOST_UNKNOWN_TO_ITSELF = "MUSTER-CLI-0045", "The host does not know its own certificate or opening key",
        "it has just renewed them, or several hosts stand behind one address",
        "nothing: the client asks again";
    TIME_SPENT = "MUSTER-CLI-0046", "The host took too long in all",
        "it is overloaded, or answers slowly on purpose",
        "nothing: the client tries the next host";
    HOST_NO_ADDRESS = "MUSTER-CLI-0047", "The host's name has no address",
        "its A or AAAA record is missing, the SRV record is old, or the name is mistyped",
        "add the address in DNS (muster kms serve --host-address registers it), or correct the SRV record or muster client set-host";
    HOST_OTHER_SERVICE = "MUSTER-CLI-0048", "Something other than a KMS host answers at this address and port",
        "another service has the port, or the address or port is mistyped",
        "see where the host listens (on it: muster kms status), then correct DNS, or muster client set-host HOST:PORT";
    CLOCKS_DIFFER = "MUSTER-CLI-0049",
        "This machine's clock and the host's differ by more than four hours",
        "one of the two is wrong: a battery is empty, the time zone was set in the clock's place, or NTP does not run",
        "compare both with a clock you trust and set the wrong one; licences go on by running time meanwhile";

    STATE_FOREIGN = "MUSTER-CLI-0060", "The file is not a client's state",
        "its beginning was altered, or another file stands there",
        "muster client activate sets it aside and builds a new one";
    STATE_VERSION = "MUSTER-CLI-0061", "The state file has a version that this release does not know",
        "a newer release wrote it, or its head was altered",
        "upgrade muster here, or let muster client activate build a new one";
    STATE_CUT = "MUSTER-CLI-0062", "The state file is not as long as it says",
        "it was cut, or something was added to it",
        "muster client activate sets it aside and builds a new one";
    STATE_ALTERED = "MUSTER-CLI-0063", "The state file's checksum does not fit",
        "the disk or somebody altered it",
        "muster client activate sets it aside and builds a new one";
    IDENTITY_FOREIGN = "MUSTER-CLI-0064", "The file is not a client's identity",
        "its beginning was altered, or another file stands there",
        "muster client activate sets it aside and makes a new one";
    IDENTITY_VERSION = "MUSTER-CLI-0065", "The identity file has a version that this release does not know",
        "a newer release wrote it, or its head was altered",
        "upgrade muster here, or let muster client activate make a new one";
    IDENTITY_CUT = "MUSTER-CLI-0066", "The identity file is not as long as it says",
        "it was cut, or something was added to it",
        "muster client activate sets it aside and makes a new one";
    IDENTITY_ALTERED = "MUSTER-CLI-0067", "The identity file's checksum does not fit",
        "the disk or somebody altered it",
        "muster client activate sets it aside and makes a new one";
    STATE_CONTENTS = "MUSTER-CLI-0068", "The state file's contents are not allowed",
        "a program other than muster wrote it",
        "muster client activate sets it aside and builds a new one";
    IDENTITY_CONTENTS = "MUSTER-CLI-0069", "The identity file's contents are not allowed",
        "a program other than muster wrote it",
        "muster client activate sets it aside and makes a new one";
    SET_ASIDE = "MUSTER-CLI-0070", "A damaged file was set aside and built anew",
        "the disk or somebody altered it",
        "keep the file named for a look; it is rebuilt by asking again";
    STATE_LOST = "MUSTER-CLI-0071", "There is no state in this directory",
        "nothing was installed here yet, or the file was removed",
        "muster client install-key KEY --policy FILE";

    HOST_NAME_WRONG = "MUSTER-CLI-0080", "A host cannot be read",
        "it is empty, has a wrong port, or an IPv6 address with a port lacks its brackets",
        "write HOST, HOST:PORT, 192.0.2.1:1688 or [2001:db8::1]:1688";
    ROOT_DIFFERS = "MUSTER-CLI-0081", "The policy file's root is not the one that was insisted on",
        "a file of another publisher, or an altered one",
        "compare the fingerprint with the publisher's by another way";
    PRODUCTS_TOO_MANY = "MUSTER-CLI-0082", "Too many products or publishers are installed here",
        "the files of one client hold a limited number",
        "remove those that are not used: muster client remove-key";
    REARM_NOT_ALLOWED = "MUSTER-CLI-0083", "The policy gives no grace for a rearm",
        "the publisher does not offer it",
        "activate the product: muster client activate";
    REARM_SPENT = "MUSTER-CLI-0084", "The product was rearmed already",
        "one rearm is allowed until the product has been licensed again",
        "activate the product: muster client activate";
    REARM_NEEDLESS = "MUSTER-CLI-0085", "The product is licensed and needs no rearm",
        "a lease is in force",
        "nothing";
    NO_AUTHORITY_TIME = "MUSTER-CLI-0086", "No time signed by the publisher's authority can be had",
        "this release asks KMS hosts only, and their time moves no floor back",
        "set the machine's clock, or let a host answer: muster client activate";
    PRODUCT_AMBIGUOUS = "MUSTER-CLI-0087", "Several installed products fit",
        "more than one publisher has a product of this name, or none was named",
        "name the product and its publisher: --publisher NAME|ID";
    NOTHING_TO_EXPORT = "MUSTER-CLI-0088", "There is no lease to export",
        "no host has granted one to this machine",
        "muster client activate";
    KEY_CHANGED = "MUSTER-CLI-0089", "The product key was changed",
        "another key was installed for the product",
        "nothing";
    INSTALLED = "MUSTER-CLI-0090", "The product key was installed",
        "the key and the policy were checked and stored",
        "muster client activate";
    POLICY_BACKWARDS = "MUSTER-CLI-0091", "The policy is older than one that was installed here before",
        "the product was removed, and an old file is used to install it again",
        "install the newest policy file that the publisher offers";

    SERVICE_NONE = "MUSTER-CLI-0100", "No service of this machine answers for this directory",
        "the service does not run, or this user cannot reach its socket",
        "as root: muster client serve; without it a product keeps its own state in the user's directory";
    SERVICE_ASKED = "MUSTER-CLI-0101", "The machine's service was asked, since this user may not write its directory",
        "the directory is the service's",
        "nothing";
    SERVICE_ASKED_BEFORE = "MUSTER-CLI-0102", "The service asked hosts a short while ago; this is what came of it",
        "callers of the service cause one ask a minute at most, and twelve an hour",
        "nothing: the service asks by itself; or try again in a minute";
    SERVICE_STILL_ASKING = "MUSTER-CLI-0103", "The service is still asking hosts",
        "a host is slow or silent, so the service goes on to the next one",
        "see what came of it in a minute: muster client status";
    SERVICE_BUSY = "MUSTER-CLI-0104", "The service holds as many callers as it takes at once",
        "this user, or all users together, have too many requests under way",
        "try again in a moment";
    SERVICE_SILENT = "MUSTER-CLI-0105", "The service did not answer in time",
        "it is stopped or overloaded, or something else listens on its socket",
        "look at the service: its log, and whether it still runs";
    SERVICE_ENDED = "MUSTER-CLI-0106", "The service closed the connection without an answer",
        "it was stopped or started again at that moment",
        "try again in a moment";
    SERVICE_ODD = "MUSTER-CLI-0107", "What came from the service's socket is no answer",
        "something else listens there, or a newer release of the service",
        "check that the service and the product's library fit together";
    SERVICE_REASON_UNKNOWN = "MUSTER-CLI-0108", "The service gave a reason that this release does not know",
        "the service is of a newer release than the product's library",
        "muster explain CODE, with the muster that the service belongs to";
    REQUEST_LATE = "MUSTER-CLI-0109", "The request did not come in time",
        "the caller connected and sent nothing, or too slowly",
        "send the whole request at once";
    SOCKET_TAKEN = "MUSTER-CLI-0110", "Another service listens on this local socket",
        "muster client serve runs already on this directory",
        "nothing, or end the other one; this service renews, and answers no local products";
    SOCKET_OTHER_FILE = "MUSTER-CLI-0111", "Something else stands where the local socket or its link belongs",
        "a file of that name was put there; it is never removed",
        "move the file named away, then start the service again";
    SOCKET_FAILED = "MUSTER-CLI-0112", "The local socket cannot be opened",
        "its folder is missing or closed to this user, or its path is longer than 107 bytes",
        "follow the system's words in the message; under systemd: RuntimeDirectory=";
}
