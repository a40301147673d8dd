"""The seal around asks and answers: docs/src/protocol/wire.md.

HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-128-GCM, made of the
primitives, so that what the RFC says can be read here.
"""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .refused import Refused, demand

ASK_BYTES_MAX = 1_600
VERSION = 1
HEAD_BYTES = 57
ENC_BYTES = 32
SECRET_BYTES = 32
_ASK_INFO = b"muster/v1 ask"
_PRODUCT_KEY_INFO = b"muster/v1 product key"

_KEM_SUITE = b"KEM" + (0x0020).to_bytes(2, "big")
_HPKE_SUITE = b"HPKE" + b"".join(x.to_bytes(2, "big") for x in (0x0020, 0x0001, 0x0001))
_MODE_BASE = b"\x00"
_KEY_BYTES, _NONCE_BYTES = 16, 12


@dataclass(frozen=True)
class Head:
    """What of a sealed ask everybody can read."""

    publisher: bytes
    audience: bytes
    opening_key_id: bytes
    seal: bytes

    @property
    def info(self) -> bytes:
        return ask_info(self.publisher, self.audience)


def take_apart(data: bytes) -> Head:
    """The head of a sealed ask, and what is sealed."""
    demand(len(data) <= ASK_BYTES_MAX, 4, f"more than {ASK_BYTES_MAX} bytes")
    demand(len(data) >= HEAD_BYTES, 1, "it ends within its head")
    demand(data[0] == VERSION, 7, "another version of the seal")
    return Head(data[1:17], data[17:49], data[49:57], data[57:])


def ask_info(publisher: bytes, audience: bytes) -> bytes:
    return _ASK_INFO + publisher + audience


def product_key_info(publisher: bytes, issuing: bytes) -> bytes:
    return _PRODUCT_KEY_INFO + publisher + issuing


def opening_key_id(public: bytes) -> bytes:
    return hashlib.sha256(public).digest()[:8]


def seal(recipient: bytes, info: bytes, plaintext: bytes, ephemeral: bytes) -> bytes:
    """`enc || ciphertext`; `ephemeral` is 32 random bytes, drawn anew for every seal."""
    secret = X25519PrivateKey.from_private_bytes(ephemeral)
    enc = _public(secret)
    shared = secret.exchange(X25519PublicKey.from_public_bytes(recipient))
    key, nonce = _schedule(_shared_secret(shared, enc, recipient), info)
    return enc + AESGCM(key).encrypt(nonce, plaintext, b"")


def unseal(opening: bytes, info: bytes, sealed: bytes) -> bytes:
    """What was sealed to the key whose secret half is `opening`."""
    secret = X25519PrivateKey.from_private_bytes(opening)
    enc, ciphertext = sealed[:ENC_BYTES], sealed[ENC_BYTES:]
    shared = secret.exchange(X25519PublicKey.from_public_bytes(enc))
    key, nonce = _schedule(_shared_secret(shared, enc, _public(secret)), info)
    return _opened(key, nonce, ciphertext, "MUSTER-NET-0042")


def unseal_answer(sealed: bytes, enc: bytes, response_secret: bytes) -> bytes:
    """A sealed answer, as whoever sent the ask opens it (RFC 9458 section 4.4)."""
    response_nonce, ciphertext = sealed[:16], sealed[16:]
    prk = _extract(enc + response_nonce, response_secret)
    key, nonce = _expand(prk, b"key", _KEY_BYTES), _expand(prk, b"nonce", _NONCE_BYTES)
    return _opened(key, nonce, ciphertext, "MUSTER-NET-0043")


def _opened(key: bytes, nonce: bytes, ciphertext: bytes, code: str) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, b"")
    except InvalidTag:
        raise Refused(code, "the seal does not open") from None


def _public(secret: X25519PrivateKey) -> bytes:
    return secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _shared_secret(shared: bytes, enc: bytes, recipient: bytes) -> bytes:
    """ExtractAndExpand of RFC 9180 section 4.1."""
    prk = _labeled_extract(_KEM_SUITE, b"", b"eae_prk", shared)
    return _labeled_expand(_KEM_SUITE, prk, b"shared_secret", enc + recipient, 32)


def _schedule(shared_secret: bytes, info: bytes):
    """KeySchedule of RFC 9180 section 5.1 in base mode; the nonce of the first message."""
    psk_id = _labeled_extract(_HPKE_SUITE, b"", b"psk_id_hash", b"")
    info_hash = _labeled_extract(_HPKE_SUITE, b"", b"info_hash", info)
    context = _MODE_BASE + psk_id + info_hash
    secret = _labeled_extract(_HPKE_SUITE, shared_secret, b"secret", b"")
    key = _labeled_expand(_HPKE_SUITE, secret, b"key", context, _KEY_BYTES)
    return key, _labeled_expand(_HPKE_SUITE, secret, b"base_nonce", context, _NONCE_BYTES)


def _labeled_extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    return _extract(salt, b"HPKE-v1" + suite + label + material)


def _labeled_expand(suite: bytes, prk: bytes, label: bytes, info: bytes, count: int) -> bytes:
    return _expand(prk, count.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, count)


def _extract(salt: bytes, material: bytes) -> bytes:
    return hmac.new(salt or bytes(32), material, hashlib.sha256).digest()


def _expand(prk: bytes, info: bytes, count: int) -> bytes:
    """HKDF-Expand of RFC 5869; one block holds all that is asked for here."""
    assert count <= 32
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()[:count]
