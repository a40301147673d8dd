"""The claims of every type: docs/src/protocol/statements.md, "Types".

`read` gives back the members by name, those of the statement (`iat`, `exp`, `nbf`, `cnf`) beside
muster's own.
"""

import math

from . import cbor, hardware, keys, members, statement
from .members import DAY, HOUR, MINUTE, Member, ascending, inner, many, number, octets
from .refused import demand

ISSUING, KMS_HOST, VM_HOST = 1, 2, 3
CERTIFIES_KMS, CERTIFIES_VM, SIGNS_POLICIES, SIGNS_REVOCATIONS = 1, 2, 4, 8
SIGNS_OBJECTS, SIGNS_CONFIRMATIONS = 16, 32
FLAGS = 63
KMS, VM = 1, 2
GRANTED, WAIT, NEW_KEY, REFUSED = range(4)
ALL = "*"

OPENING_LIFE_MAX = 37 * DAY
VM_LEASE_MAX = 7 * DAY

_SPAN_MAX = 3_660 * DAY
_LIST_MAX = 16
_INTERVAL = number(15 * MINUTE, 30 * DAY)
_GRACE = number(0, _SPAN_MAX)
_ONE_UP = number(1, members.U32_MAX)
_EXP, _NBF, _IAT, _CNF, _OWN = 4, 5, 6, 8, -65537


def _scope(value):
    if value == ALL:
        return ALL
    return ascending(many(members.ident, _LIST_MAX))(value)


def _flags(value):
    value = members.u32(value)
    demand(value & ~FLAGS == 0, 7, "a certificate has an unknown flag")
    return value


_BOUNDS = {-1: Member("threshold", members.u32), -2: Member("span", members.seconds)}
_CERT = {
    -1: Member("role", members.one_of(ISSUING, KMS_HOST, VM_HOST)),
    -2: Member("products", _scope, []),
    -3: Member("sites", _scope, []),
    -4: Member("clients", members.u32, 0),
    -5: Member("depth", members.u32, 0),
    -6: Member("flags", _flags, 0),
    -7: Member("opening_key", octets(32)),
    -8: Member("bounds", inner(_BOUNDS, "bounds"), None),
    1: Member("display", members.line()),
}
_DIGEST = {-1: Member("file", members.line()), -2: Member("sha256", octets(32))}
_POLICY = {
    -1: Member("product", members.ident),
    -2: Member("kind", members.one_of("client", "server")),
    -3: Member("threshold", _ONE_UP),
    -4: Member("pool", members.ident),
    -5: Member("version", _ONE_UP),
    -6: Member("window", number(HOUR, 366 * DAY)),
    -7: Member("validity", number(0, _SPAN_MAX)),
    -8: Member("renewal", _INTERVAL),
    -9: Member("retry", _INTERVAL),
    -10: Member("initial_grace", _GRACE),
    -11: Member("tolerance_grace", _GRACE),
    -12: Member("genuine_grace", _GRACE),
    -13: Member("methods", members.u32),
    -14: Member("site", members.ident, None),
    -15: Member("requires", many(members.ident, _LIST_MAX), []),
    -16: Member("hardware_percent", number(0, 100)),
    -17: Member("hardware_floor", number(0, 8)),
    -18: Member("refuses_declared", members.flag, False),
    -19: Member("vm_validity", number(0, VM_LEASE_MAX)),
    -20: Member("vm_renewal", number(15 * MINUTE, VM_LEASE_MAX)),
    -21: Member("confirmation_key", octets(96), None),
    -22: Member("extended_grace", _GRACE),
    -23: Member("group", number(0, 8191)),
    1: Member("display", members.line(1)),
    2: Member("warning", number(0, _SPAN_MAX)),
    3: Member("advisory", members.flag, False),
    4: Member("counts_users", members.flag, False),
    5: Member("digests", many(inner(_DIGEST, "a digest"), 32), []),
}
_ASKED = {
    -1: Member("product", members.ident),
    -2: Member("state", number(0, 6)),
    1: Member("minutes", members.seconds, 0),
    2: Member("threshold", members.u32, 0),
}
_TICKET = octets(28)
_PREDECESSOR = {
    -1: Member("key", keys.read),
    -2: Member("order", _TICKET),
    -3: Member("proof", octets(64)),
}
_ASK = {
    -1: Member("audience", members.thumbprint),
    -2: Member("nonce", octets(16)),
    -3: Member(
        "asked",
        ascending(many(inner(_ASKED, "a product asked for"), _LIST_MAX), lambda a: a["product"]),
        [],
    ),
    -4: Member("tags", hardware.tags),
    -5: Member("predecessor", inner(_PREDECESSOR, "the predecessor"), None),
    1: Member("ticket", _TICKET, None),
    2: Member("has_base", members.flag, False),
    3: Member("is_virtual", members.flag, False),
    4: Member("program", members.line()),
    5: Member("machine", members.line(), None),
    6: Member("is_user", members.flag, False),
    7: Member("is_declared", members.flag, False),
}
_CODE = members.line(0, 24)
_UNSERVED = {-1: Member("product", members.ident), -2: Member("reason", _CODE)}
_ANSWER = {
    -1: Member("nonce", octets(16)),
    -2: Member("ask", members.thumbprint),
    -3: Member("outcome", number(GRANTED, REFUSED)),
    -4: Member("leases", many(members.octets(0, statement.BYTES_MAX["lease"]), _LIST_MAX), []),
    -5: Member("order", _TICKET, None),
    -6: Member("store", octets(8)),
    -7: Member("renewal", members.seconds),
    -8: Member("retry", members.seconds),
    1: Member("ticket", _TICKET, None),
    2: Member("reason", _CODE),
    3: Member("unserved", many(inner(_UNSERVED, "a product without a lease"), _LIST_MAX), []),
    4: Member("revocation", members.seconds),
}
_LEASE = {
    -1: Member("product", members.ident),
    -2: Member("kind", members.one_of(KMS, VM)),
    -3: Member("count", members.u32),
    -4: Member("tags", hardware.tags),
    1: Member("policy_version", members.u32),
    2: Member("revocation", members.seconds),
}
_ENTRY = {-1: Member("key", members.thumbprint), -2: Member("ended", members.time)}
_REVOCATIONS = {
    -1: Member("from", members.seconds),
    -2: Member("number", members.seconds),
    -3: Member("entries", many(inner(_ENTRY, "an entry"), 64), []),
}
_OPENING = {-1: Member("key", octets(32)), -2: Member("store", octets(8))}
_PREVIOUS = {
    -1: Member("key", keys.read),
    -2: Member("certificate", members.thumbprint),
    -3: Member("proof", octets(64)),
}
_REQUEST = {
    -1: Member("role", members.one_of(ISSUING, KMS_HOST, VM_HOST)),
    -2: Member("opening_key", octets(32)),
    -3: Member("product_keys", many(octets(0, 160), _LIST_MAX), []),
    -4: Member("previous", inner(_PREVIOUS, "the key before"), None),
    -5: Member("random", octets(16)),
    1: Member("display", members.line()),
    2: Member("tags", hardware.tags),
}
_CNF_KEY = {1: Member("key", keys.read)}
_CNF_THUMBPRINT = {5: Member("thumbprint", members.thumbprint)}


def _check_cert(c: dict) -> None:
    if c["role"] != ISSUING:
        one = c["sites"] != ALL and len(c["sites"]) == 1
        demand(one, 6, "a host's certificate does not name exactly one site")


def _check_policy(c: dict) -> None:
    demand(c["validity"] >= c["renewal"], 6, "leases end before they are renewed")
    demand(c["vm_validity"] >= c["vm_renewal"], 6, "VM leases end before they are renewed")


def _check_ask(c: dict) -> None:
    demand(len(c["asked"]) > 0, 6, "it asks for nothing")
    older = c["predecessor"]
    own = older is not None and older["key"].thumbprint == c["cnf"].thumbprint
    demand(not own, 6, "the asking key is its own predecessor")


def _check_answer(c: dict) -> None:
    demand(c["outcome"] == GRANTED or not c["leases"], 6, "leases beside another outcome")
    demand((c["outcome"] == NEW_KEY) == (c["order"] is not None), 6, "an order in the wrong place")
    for ticket in (c["order"], c["ticket"]):
        demand(ticket is None or ticket[:8] == c["store"], 6, "a ticket of another store")


def _check_revocations(c: dict) -> None:
    demand(c["number"] > c["from"], 6, "the number does not move")


def _check_opening(c: dict) -> None:
    demand(c["exp"] - c["iat"] <= OPENING_LIFE_MAX, 6, "the opening key lasts too long")


def _nothing(_: dict) -> None:
    pass


# Of each type: the registered claims that must stand there beside iat, the table, what else.
_TYPES = {
    "cert": ((_EXP, _NBF), _CNF_KEY, _CERT, _check_cert),
    "policy": ((), None, _POLICY, _check_policy),
    "ask": ((), _CNF_KEY, _ASK, _check_ask),
    "answer": ((), None, _ANSWER, _check_answer),
    "lease": ((_EXP,), _CNF_THUMBPRINT, _LEASE, _nothing),
    "revocations": ((), None, _REVOCATIONS, _check_revocations),
    "opening": ((_EXP,), None, _OPENING, _check_opening),
    "request": ((), _CNF_KEY, _REQUEST, _nothing),
}


def read(said: statement.Statement) -> dict:
    """The claims of a statement of a type that the book specifies."""
    if said.typ not in _TYPES:
        raise statement.unread(said.typ)
    times, cnf, own, check = _TYPES[said.typ]
    table = {_IAT: Member("iat", members.time), _OWN: Member("own", members.anything)}
    table |= {label: Member(name, members.time) for label, name in _times(times)}
    if cnf:
        table[_CNF] = Member("cnf", inner(cnf, "cnf"))
    payload = cbor.decode(said.payload)
    found = members.read(payload, table, "the claims")
    for label in (_EXP, _NBF, _CNF):
        stray = label in payload and label not in table
        demand(not stray, 6, f"claim {label} has no place in a {said.typ}")
    if cnf:
        found["cnf"] = next(iter(found["cnf"].values()))
    begins = found.get("nbf", found["iat"])
    demand(found.get("exp", math.inf) >= begins, 31, "it ends before it begins")
    found |= members.read(found.pop("own"), own, f"the {said.typ}")
    check(found)
    return found


def _times(labels):
    return [(label, {_EXP: "exp", _NBF: "nbf"}[label]) for label in labels]
