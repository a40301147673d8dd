"""What nobody signed, and the statements it carries: docs/src/protocol/files.md and wire.md.

In a container every unknown member refuses: an altered key could otherwise make a member vanish.
"""

import hashlib
from dataclasses import dataclass
from functools import partial

from . import cbor, claims, keys, members, verify
from .anchor import Anchor, Revocations
from .members import Member, many, octets
from .refused import demand

_HELLO_BYTES_MAX = 4_096
_STATEMENT = octets(0, 8_192)
_DELTAS = Member("deltas", many(_STATEMENT, 8))


@dataclass(frozen=True)
class Root:
    """A publisher's root, as it is compiled into a product or pinned by its fingerprint."""

    display: str
    keys: list
    data: bytes

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def anchor(self) -> Anchor:
        """The anchor of somebody who holds no revocations yet."""
        return Anchor(self.keys)


def _kind(word: str) -> Member:
    def kind(value):
        demand(value == word, 9, f"no {word} file")
        return value

    return Member("kind", kind)


_ROOT = {
    0: _kind("muster-root"),
    1: Member("display", members.line(1)),
    2: Member("keys", many(partial(keys.read, signed=False), 3, 1)),
}


def _root(value) -> Root:
    found = members.read(value, _ROOT, "the root", signed=False)
    if len({key.thumbprint for key in found["keys"]}) != len(found["keys"]):
        raise ValueError("a key stands in it twice")
    return Root(found["display"], found["keys"], cbor.encode(value))


# Of each kind: its bytes at most, and its members.
_ROOT_MEMBER = Member("root", _root)
_CERTIFICATES = many(_STATEMENT, 2)
_FILES = {
    "muster-root": (1_024, _ROOT),
    "muster-policy": (
        49_152,
        {
            1: _ROOT_MEMBER,
            2: Member("issuing", _CERTIFICATES),
            3: Member("policy", _STATEMENT),
            4: _DELTAS,
        },
    ),
    "muster-activation": (
        131_072,
        {
            1: Member("chain", _CERTIFICATES),
            2: Member("policies", many(_STATEMENT, 16)),
            3: _DELTAS,
        },
    ),
    "muster-issuing": (4_096, {1: _ROOT_MEMBER, 2: Member("issuing", _STATEMENT)}),
    "muster-publisher": (
        4_096,
        {
            1: _ROOT_MEMBER,
            2: Member("issuing", _CERTIFICATES),
            3: Member("url", members.line(0, 4_096), None),
        },
    ),
    "muster-revocations": (65_536, {1: Member("number", members.seconds), 2: _DELTAS}),
}
_HELLO = {1: Member("chain", _CERTIFICATES), 2: Member("opening", _STATEMENT)}


def kind_of(data: bytes) -> str:
    """Which container some bytes say they are."""
    limit = max(most for most, _ in _FILES.values())
    demand(len(data) <= limit, 4, f"more than {limit} bytes")
    value = cbor.decode(data)
    demand(type(value) is dict, 6, "no map")
    demand(0 in value, 5, "it does not say what it is")
    demand(type(value[0]) is str and value[0] in _FILES, 9, "no file of muster's")
    return value[0]


def _read(data: bytes, kind: str) -> dict:
    most, table = _FILES[kind]
    demand(len(data) <= most, 4, f"more than {most} bytes")
    return members.read(cbor.decode(data), {0: _kind(kind)} | table, f"the {kind}", signed=False)


def read_root(data: bytes) -> Root:
    """A root file."""
    most, _ = _FILES["muster-root"]
    demand(len(data) <= most, 4, f"more than {most} bytes")
    return members.checked(_root, cbor.decode(data), "the root file")


@dataclass(frozen=True)
class Opened:
    """What a container carried, verified."""

    anchor: Anchor  # with the revocations taken in
    policies: list
    path: list  # from the root down to the certificate it is about; empty where there is none


def open_bundle(data: bytes, pinned: Root) -> Opened:
    """A policy bundle: verified to the root it carries, which must be the pinned one."""
    found = _read(data, "muster-policy")
    anchor = found["root"].anchor()
    _take_in(found["deltas"], anchor)
    policy = verify.under_root(found["policy"], "policy", anchor)
    path = _issuing(found["issuing"], anchor)
    _check_root(found["root"], pinned)
    return Opened(anchor, [policy], path)


def open_activation(data: bytes, pinned: Root) -> Opened:
    """The authority's answer to a host; whether it answers this host's request is not judged."""
    found = _read(data, "muster-activation")
    anchor = pinned.anchor()
    _take_in(found["deltas"], anchor)
    demand(len(found["chain"]) == 2, 15, "not the two certificates of a host")
    path = verify.path_of(found["chain"], anchor)
    anchor.check_revoked(path)
    policies = [verify.under_root(policy, "policy", anchor) for policy in found["policies"]]
    return Opened(anchor, policies, path)


def open_issuing(data: bytes, pinned: Root) -> Opened:
    """The root's answer to an issuing key."""
    found = _read(data, "muster-issuing")
    return _open_publisher(found["root"], [found["issuing"]], pinned)


def open_publisher(data: bytes, pinned: Root) -> Opened:
    """Who the publisher is, and the key that product keys are sealed to."""
    found = _read(data, "muster-publisher")
    return _open_publisher(found["root"], found["issuing"], pinned)


def open_revocations(data: bytes, pinned: Root) -> Opened:
    """Revocation deltas, from the first."""
    found = _read(data, "muster-revocations")
    anchor = pinned.anchor()
    _take_in(found["deltas"], anchor)
    demand(anchor.revocations.number == found["number"], 35, "they end at another number")
    return Opened(anchor, [], [])


def open_hello(data: bytes, anchor: Anchor, floor: int):
    """A KMS host's greeting: its path, and what its opening statement says."""
    demand(len(data) <= _HELLO_BYTES_MAX, 4, f"more than {_HELLO_BYTES_MAX} bytes")
    found = members.read(cbor.decode(data), _HELLO, "the greeting", signed=False)
    demand(len(found["chain"]) == 2, 15, "not the two certificates of a host")
    path = verify.path_of(found["chain"], anchor)
    demand(path[-1].role == claims.KMS_HOST, 16, "no KMS host greets so")
    anchor.check_revoked(path)
    demand(path[-1].ends >= floor, 25, "the host's certificate has ended")
    opening = verify.under_root(found["opening"], "opening", anchor, found["chain"])
    demand(opening.claims["exp"] >= floor, 25, "the opening key has ended")
    return path, opening.claims


def _open_publisher(root: Root, issuing: list, pinned: Root) -> Opened:
    path = _issuing(issuing, root.anchor())
    _check_root(root, pinned)
    return Opened(root.anchor(), [], path)


def _issuing(chain: list, anchor: Anchor) -> list:
    demand(len(chain) == 1, 15, "not exactly one issuing certificate")
    path = verify.path_of(chain, anchor)
    anchor.check_revoked(path)
    return path


def _check_root(carried: Root, pinned: Root) -> None:
    demand(carried.data == pinned.data, 36, "it carries another root than the pinned one")


def _take_in(deltas: list, anchor: Anchor) -> None:
    """Each under those before it."""
    for delta in deltas:
        verified = verify.under_root(delta, "revocations", anchor)
        anchor.revocations.take_in(verified.claims)
