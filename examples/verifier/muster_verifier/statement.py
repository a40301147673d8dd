"""The signed envelope: docs/src/protocol/statements.md, "The envelope".

A `Statement` is well formed and no more: nobody has verified it yet.
"""

import hashlib
from dataclasses import dataclass

import cbor2

from . import cbor, keys, members
from .members import Member
from .refused import demand, statement

EXTERNAL_AAD = b"muster/v1"
CHAIN_MAX = 2
SIGNATURE_BYTES = 64

# Bytes of a whole statement with the chain it carries.
BYTES_MAX = {
    "cert": 1_024,
    "policy": 4_096,
    "ask": 1_400,
    "answer": 8_192,
    "lease": 4_096,
    "object": 4_096,
    "confirmation": 4_096,
    "revocations": 4_096,
    "opening": 1_024,
    "request": 4_096,
}

_CRIT = 2
_CHAIN = -65538
_HEADER = {
    1: Member("alg", members.anything),
    4: Member("kid", members.thumbprint),
    16: Member("typ", members.text),
    -65537: Member("publisher", members.octets(16)),
}


@dataclass(frozen=True)
class Statement:
    """The parts of a COSE_Sign1 structure, and what its header says."""

    typ: str
    algorithm: int
    kid: bytes
    publisher: bytes
    protected: bytes
    payload: bytes
    signature: bytes
    chain: tuple

    @property
    def name(self) -> bytes:
        """What others call it by: over header and payload, not over signature or chain."""
        return hashlib.sha256(cbor.encode([self.protected, self.payload])).digest()

    def check_signature(self, key: keys.Key) -> None:
        demand(self.algorithm == key.algorithm, 10, "the algorithm is not the signing key's")
        signed = cbor.encode(["Signature1", self.protected, EXTERNAL_AAD, self.payload])
        demand(key.verifies(self.signature, signed), 12, "the signature is wrong")


def parse(data: bytes, expected: str | None = None) -> Statement:
    """Form: size, encoding, COSE, protected header, type, unprotected header."""
    limit = BYTES_MAX[expected] if expected else max(BYTES_MAX.values())
    demand(len(data) <= limit, 4, f"more than {limit} bytes")
    protected, unprotected, payload, signature = _parts(cbor.decode(data))
    header = _header(protected)
    typ = _typ(header["typ"])
    demand(expected in (None, typ), 9, f"a statement of type {typ}, not {expected}")
    demand(len(data) <= BYTES_MAX[typ], 4, f"more than {BYTES_MAX[typ]} bytes")
    return Statement(
        typ=typ,
        algorithm=header["alg"],
        kid=header["kid"],
        publisher=header["publisher"],
        protected=protected,
        payload=payload,
        signature=signature,
        chain=_chain(unprotected),
    )


def _parts(value) -> list:
    demand(isinstance(value, cbor2.CBORTag), 8, "no COSE_Sign1 structure")
    parts = value.value
    kinds = [bytes, dict, bytes, bytes]
    demand(type(parts) is list and [type(p) for p in parts] == kinds, 8, "not its four parts")
    demand(len(parts[3]) == SIGNATURE_BYTES, 8, "a signature of another length")
    return parts


def _header(protected: bytes) -> dict:
    value = cbor.decode(protected)
    demand(type(value) is not dict or _CRIT not in value, 7, "the header has a crit")
    header = members.read(value, _HEADER, "the header")
    algorithm = header["alg"]
    known = type(algorithm) is int and algorithm in (keys.ED25519, keys.ESP256)
    demand(known, 10, "an unknown algorithm")
    return header


def _typ(text: str) -> str:
    word = text.removeprefix("muster-").removesuffix("+cwt")
    demand(text == f"muster-{word}+cwt" and word in BYTES_MAX, 9, f"an unknown type {text!r}")
    return word


def _chain(unprotected: dict) -> tuple:
    if not unprotected:
        return ()
    demand(set(unprotected) == {_CHAIN}, 8, "the unprotected header holds more than a chain")
    chain = unprotected[_CHAIN]
    demand(type(chain) is list and all(type(c) is bytes for c in chain), 8, "no chain")
    check_chain_length(chain)
    demand(len(chain) > 0, 15, "a chain of no certificates")
    return tuple(chain)


def check_chain_length(chain) -> None:
    demand(len(chain) <= CHAIN_MAX, 15, f"a chain of more than {CHAIN_MAX} certificates")


def unread(typ: str):
    """The refusal of a type whose claims are not specified yet."""
    return statement(9, f"the claims of {typ} are not specified")
