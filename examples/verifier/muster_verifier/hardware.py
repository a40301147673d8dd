"""Component tags: docs/src/protocol/hardware.md."""

import hashlib
import hmac

from .members import WHITE_SPACE

KINDS = (
    "installation",
    "system-uuid",
    "board-serial",
    "model",
    "processor",
    "memory",
    "disk",
    "network",
)
_TAG_BYTES = 2


def tags(value) -> bytes:
    """The kind `component-tags` of a member: its length fits its first byte."""
    if type(value) is not bytes or not value:
        raise ValueError("no component tags")
    if len(value) != 1 + _TAG_BYTES * value[0].bit_count():
        raise ValueError("component tags of another length")
    return value


def tag(publisher: bytes, kind: str, value: str) -> bytes | None:
    """The tag of one component; none where there is nothing to read."""
    value = value.strip(WHITE_SPACE)
    if not value:
        return None
    message = b"".join(_part(x.encode()) for x in ("muster/v1/component", kind, value))
    return hmac.new(publisher, message, hashlib.sha256).digest()[:_TAG_BYTES]


def by_kind(packed: bytes) -> dict:
    """Packed component tags as a map from the kind's name to its tag."""
    kinds = [kind for bit, kind in enumerate(KINDS) if packed[0] >> bit & 1]
    parts = [packed[i : i + _TAG_BYTES] for i in range(1, len(packed), _TAG_BYTES)]
    return dict(zip(kinds, parts))


def is_same(leased: bytes, readable: dict, percent: int, floor: int) -> bool:
    """Whether a machine of which `readable` tags could be read is the one of the lease."""
    compared = [(t, readable[k]) for k, t in by_kind(leased).items() if k in readable]
    matches = sum(a == b for a, b in compared)
    return len(compared) >= floor and 100 * matches >= percent * len(compared)


def _part(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
