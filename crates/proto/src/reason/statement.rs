//! Reasons of signed statements (`MUSTER-STM-…`): their form, their signature, their chain.

use super::reasons;

reasons! {
    NOT_CBOR = "MUSTER-STM-0001", "The bytes are no well-formed statement",
        "the file or message was cut, altered, or is something else",
        "fetch or copy the statement again";
    NOT_DETERMINISTIC = "MUSTER-STM-0002", "The statement is not encoded deterministically",
        "it was re-encoded or altered by something that is not muster",
        "fetch or copy the statement again";
    OUTSIDE_PROFILE = "MUSTER-STM-0003", "The statement uses a form that the profile forbids",
        "it was made or altered by something that is not muster",
        "fetch or copy the statement again";
    TOO_LARGE = "MUSTER-STM-0004", "The statement is larger than its kind may be",
        "it is something else, or was made to exhaust memory",
        "check where the file or message came from";
    FIELD_MISSING = "MUSTER-STM-0005", "A field that the statement must have is missing",
        "it was made by a much older release or altered",
        "have its maker issue it again";
    FIELD_WRONG = "MUSTER-STM-0006", "A field of the statement has a value that is not allowed",
        "a value that was given is out of its bounds, or another program made or altered the statement",
        "correct the field named; of a file, have its maker issue it again";
    UNKNOWN_CRITICAL = "MUSTER-STM-0007", "The statement holds a critical claim this release does not know",
        "it was made for a newer release",
        "upgrade muster on this machine";
    NOT_COSE = "MUSTER-STM-0008", "The bytes are no COSE_Sign1 structure",
        "the file is of another kind, or no file of muster's",
        "check that the right file was given, and where it came from";
    WRONG_TYPE = "MUSTER-STM-0009", "The statement is of another type than the one needed here",
        "two files were mixed up, or somebody tries to use one statement as another",
        "give the file of the kind that is named; `muster inspect FILE` shows what a file is";
    WRONG_ALGORITHM = "MUSTER-STM-0010", "The algorithm named is not the signing key's own",
        "the header was altered",
        "fetch or copy the statement again";
    BAD_KEY = "MUSTER-STM-0011", "A public key in the statement is not valid",
        "it is not canonical, of small order, or not on the curve",
        "have the key's owner make a new one";
    BAD_SIGNATURE = "MUSTER-STM-0012", "The signature does not fit the statement",
        "the statement was altered, or another key signed it",
        "fetch or copy the statement again";
    WRONG_PUBLISHER = "MUSTER-STM-0013", "The statement belongs to another publisher",
        "it is signed under another root than the one pinned here",
        "use the files of this product's publisher";
    WRONG_PARENT = "MUSTER-STM-0014", "The statement names another certificate than the one it stands under",
        "a chain was swapped or put together from parts",
        "fetch the chain again from its owner";
    CHAIN_LENGTH = "MUSTER-STM-0015", "The chain has too few or too many certificates for this statement",
        "a certificate is missing, or a host certified another",
        "fetch the chain again from its owner";
    SIGNER_ROLE = "MUSTER-STM-0016", "This signer may not make statements of this type",
        "a key was used beyond the role it was certified for",
        "do not trust its holder; tell the publisher";
    SIGNER_FLAG = "MUSTER-STM-0017", "The signer's certificate does not grant this kind of statement",
        "the certificate was made without that permission",
        "have the publisher's root certify the key with that permission";
    STRETCHED_PRODUCTS = "MUSTER-STM-0018", "The statement names a product its signer is not certified for",
        "a host serves more than it was certified for",
        "install a host product key for that product on the host";
    STRETCHED_SITES = "MUSTER-STM-0019", "The statement names a site its signer is not certified for",
        "a host or key of another customer or site",
        "use a host that was certified for this site";
    STRETCHED_TIME = "MUSTER-STM-0020", "The statement's time reaches beyond its signer's",
        "a certificate was made to outlive the one above it",
        "have the certificate issued again";
    STRETCHED_DEPTH = "MUSTER-STM-0021", "A certificate that may certify nobody stands above another",
        "a host certified another host",
        "do not trust its holder; tell the publisher";
    STRETCHED_BUDGET = "MUSTER-STM-0022", "The statement claims more clients than its signer is certified for",
        "the host's client budget is spent or was overwritten",
        "ask the publisher for a larger client budget";
    STRETCHED_FLAGS = "MUSTER-STM-0023", "A certificate grants a permission its signer does not have",
        "a certificate was made to hold more than the one above it",
        "have the certificate issued again";
    SIGNER_NOT_YET_VALID = "MUSTER-STM-0024", "The signer's certificate was not yet valid when this was issued",
        "a clock was wrong when the statement was made",
        "correct the signer's clock and have it issued again";
    SIGNER_EXPIRED = "MUSTER-STM-0025", "The signer's certificate had ended when this was issued",
        "the host's certificate was not renewed in time",
        "renew the certificate on the host: muster kms renew";
    REVOKED = "MUSTER-STM-0026", "A key above or in the statement has been revoked",
        "the publisher revoked a host or issuing key",
        "ask another host; on the revoked host, ask the publisher";
    LEASE_TOO_LONG = "MUSTER-STM-0027", "The lease lasts longer than its kind or its policy allows",
        "the host grants more than the policy says",
        "update the policy on the host";
    LEASE_KIND = "MUSTER-STM-0028", "The lease is of a kind its signer may not grant",
        "a VM host signed a KMS lease or the other way round",
        "do not trust its holder; tell the publisher";
    LEASE_OTHER_CLIENT = "MUSTER-STM-0029", "The lease was granted to another client key",
        "the state file was copied from another machine",
        "let this machine ask for itself: muster client activate";
    POLICY_BOUNDS = "MUSTER-STM-0030", "The policy goes beyond the bounds of the key that signed it",
        "an issuing key signed what only the root may",
        "have the root sign the policy, or the key certified with wider bounds";
    CLAIM_TIMES = "MUSTER-STM-0031", "The statement ends before it begins",
        "its maker's clock or input was wrong",
        "have it issued again";
    AUDIENCE = "MUSTER-STM-0032", "The ask is meant for another host",
        "somebody sealed a recorded ask anew, or the host's certificate has just changed",
        "ask again; the client takes the host's present certificate";
    NONCE = "MUSTER-STM-0033", "The answer does not belong to the pending ask",
        "an old answer was replayed, or two programs asked at once",
        "nothing: the client goes on waiting or asks again";
    ASK_HASH = "MUSTER-STM-0034", "The answer belongs to an ask with other contents",
        "an answer was carried over to another ask",
        "nothing: the client goes on waiting or asks again";
    BACKWARDS = "MUSTER-STM-0035", "The statement is older than the one already held",
        "an old file or an old host offers what has been replaced",
        "use the newest file of the publisher";
    ROOT_UNKNOWN = "MUSTER-STM-0036", "The root is not the one pinned here",
        "a file of another publisher, or an attempt to replace the root",
        "compare the fingerprint with the publisher's";
    POSSESSION = "MUSTER-STM-0037", "The sender did not prove that it holds the key it names",
        "a key was copied into another's request",
        "make the request again on the machine that holds the key";
    VALID = "MUSTER-STM-0038", "The statement is valid under this root",
        "form, chain, signature, permissions and times all fit",
        "nothing";
    REVOCATION_BOUNDS = "MUSTER-STM-0039", "The revocations go beyond what their signer may revoke",
        "an issuing key tried to revoke a root key or to spend the numbers of all later revocations",
        "tell the publisher: the issuing key may be in wrong hands";
}
