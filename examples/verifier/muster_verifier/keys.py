"""Keys, thumbprints and strict signatures: docs/src/protocol/statements.md."""

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from . import cbor, edwards, members
from .members import Member, octets
from .refused import demand, statement

ED25519, ESP256 = -19, -9
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_PRIVATE = -4
_KIND = {1: Member("kty", members.number()), -1: Member("crv", members.number())}
_X, _Y = Member("x", octets(32)), Member("y", octets(32))
# Of each pair of kty and crv.
_COORDINATES = {(1, 6): {-2: _X}, (2, 1): {-2: _X, -3: _Y}}


@dataclass(frozen=True)
class Key:
    """A public key that signs."""

    algorithm: int
    cose: tuple
    public: object

    @property
    def thumbprint(self) -> bytes:
        return hashlib.sha256(cbor.encode(dict(self.cose))).digest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        if self.algorithm == ED25519:
            return self._verifies_ed25519(signature, message)
        return self._verifies_p256(signature, message)

    def _verifies_ed25519(self, signature: bytes, message: bytes) -> bool:
        # OpenSSL checks S, and compares R as bytes without the cofactor; R's order is left to us.
        if not edwards.is_sound(signature[:32]):
            return False
        try:
            self.public.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def _verifies_p256(self, signature: bytes, message: bytes) -> bool:
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        if s > _P256_ORDER // 2:
            return False
        try:
            self.public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


def read(value, signed: bool = True) -> Key:
    """A `cose_key`. Its thumbprint is over the members of its kind, whatever else stands there."""
    demand(type(value) is dict, 6, "a key is no map")
    demand(_PRIVATE not in value, 7, "a key has its private part")
    named = {label: value[label] for label in _KIND if label in value}
    kind = members.read(named, _KIND, "a key")
    demand((kind["kty"], kind["crv"]) in _COORDINATES, 11, "a key of another kind")
    coordinates = _COORDINATES[kind["kty"], kind["crv"]]
    found = members.read(value, _KIND | coordinates, "a key", signed)
    x, y = found["x"], found.get("y")
    if y is None:
        return Key(ED25519, ((1, 1), (-1, 6), (-2, x)), _ed25519(x))
    return Key(ESP256, ((1, 2), (-1, 1), (-2, x), (-3, y)), _p256(x, y))


def _ed25519(x: bytes):
    demand(edwards.is_sound(x), 11, "a key is not canonical, of small order, or off its curve")
    return ed25519.Ed25519PublicKey.from_public_bytes(x)


def _p256(x: bytes, y: bytes):
    point = (int.from_bytes(part, "big") for part in (x, y))
    try:
        return ec.EllipticCurvePublicNumbers(*point, ec.SECP256R1()).public_key()
    except ValueError:
        raise statement(11, "a key is off its curve") from None
