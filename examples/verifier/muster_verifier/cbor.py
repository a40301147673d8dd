"""The profile of CBOR: docs/src/protocol/encoding.md.

Reading is done in the book's steps. `_Reader` takes in all well-formed CBOR and loses nothing that
the profile forbids: keys stay in their order, and twice where they stand twice. `_plain` refuses what
the profile does not allow. Then the value is encoded again and compared; the encoder is cbor2, so
that a slip of the reader has somebody to disagree with it.

A plain value is an int, bytes, str, bool, list, a dict with integer keys, or a `cbor2.CBORTag` of 18.
"""

from dataclasses import dataclass

import cbor2

from .refused import demand, statement

DEPTH_MAX = 8
AROUND_MAX = 32
COSE_SIGN1 = 18

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _OTHER = range(8)


def decode(data: bytes):
    """The one item that fills the bytes, as a plain value."""
    reader = _Reader(data)
    item = reader.item(0)
    demand(reader.at == len(data), 1, "bytes follow the item")
    value = _plain(item, 1)
    demand(cbor2.dumps(value) == data, 2, "the encoding is not the deterministic one")
    return value


def encode(value) -> bytes:
    """The deterministic encoding of a plain value, whatever order its maps were made in."""
    return cbor2.dumps(_ordered(value))


@dataclass
class _Map:
    pairs: list


@dataclass
class _Tag:
    number: int
    item: object


class _Forbidden:
    """A floating-point number, null or undefined."""


_SIMPLE = {20: False, 21: True, 22: _Forbidden(), 23: _Forbidden()}


class _Reader:
    """Well-formed CBOR, RFC 8949 section 3, from front to back."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        demand(count <= len(self.data) - self.at, 1, "the bytes end within an item")
        self.at += count
        return self.data[self.at - count : self.at]

    def head(self):
        """Major type, additional information, argument; no argument where the length is open."""
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info, info
        if info < 28:
            return major, info, int.from_bytes(self.take(1 << (info - 24)), "big")
        demand(info == 31 and major in (_BYTES, _TEXT, _ARRAY, _MAP), 1, "a reserved head")
        return major, info, None

    def item(self, depth: int):
        """The next item; `depth` is the number of arrays, maps and tags around it."""
        major, info, number = self.head()
        is_around = major in (_ARRAY, _MAP, _TAG)
        demand(not is_around or depth < AROUND_MAX, 1, "nested without end")
        if major == _UINT:
            return number
        if major == _NINT:
            return -1 - number
        if major in (_BYTES, _TEXT):
            return self.string(major, number)
        if major == _ARRAY:
            return [self.item(depth + 1) for _ in self.times(number)]
        if major == _MAP:
            return _Map([(self.item(depth + 1), self.item(depth + 1)) for _ in self.times(number)])
        if major == _TAG:
            return _untagged(number, self.item(depth + 1))
        return self.simple(info, number)

    @staticmethod
    def simple(info: int, number: int):
        """Two bytes where one would do are read, and found when the value is encoded again."""
        if info > 24:
            return _Forbidden()
        demand(number in _SIMPLE, 1, "a simple value without a meaning")
        return _SIMPLE[number]

    def times(self, count):
        """As often as there are members; what is announced costs nothing until it comes."""
        if count is not None:
            yield from range(count)
            return
        while self.data[self.at : self.at + 1] != b"\xff":
            yield None
        self.take(1)

    def string(self, major: int, length):
        pieces = []
        if length is not None:
            pieces.append(self.take(length))
        else:
            for _ in self.times(None):
                kind, _, piece = self.head()
                demand(kind == major and piece is not None, 1, "a piece of another kind")
                pieces.append(self.take(piece))
        if major == _BYTES:
            return b"".join(pieces)
        try:
            return "".join(piece.decode("utf-8") for piece in pieces)
        except UnicodeDecodeError:
            raise statement(1, "a text is not UTF-8") from None


def _untagged(number: int, item):
    """A big number of at most 64 bits is the integer it stands for; it fails when encoded again."""
    if number in (2, 3) and isinstance(item, bytes):
        value = int.from_bytes(item, "big")
        if value < 1 << 64:
            return value if number == 2 else -1 - value
    return _Tag(number, item)


def _plain(item, depth: int):
    demand(depth <= DEPTH_MAX, 3, f"items nest more than {DEPTH_MAX} deep")
    demand(not isinstance(item, _Forbidden), 3, "null, undefined or a float")
    if isinstance(item, list):
        return [_plain(member, depth + 1) for member in item]
    if isinstance(item, _Map):
        keys = [key for key, _ in item.pairs]
        demand(all(type(key) is int for key in keys), 3, "a key of a map is no integer")
        in_order = all(_rank(a) < _rank(b) for a, b in zip(keys, keys[1:]))
        demand(in_order, 3, "the keys of a map are out of order, or one stands twice")
        return {key: _plain(value, depth + 1) for key, value in item.pairs}
    if isinstance(item, _Tag):
        demand(item.number == COSE_SIGN1 and depth == 1, 3, f"tag {item.number} may not stand here")
        return cbor2.CBORTag(COSE_SIGN1, _plain(item.item, depth + 1))
    return item


def _rank(key: int):
    """0, 1, 2 and so on, then -1, -2, -3: the order of the encodings."""
    return (key < 0, abs(key))


def _ordered(value):
    if isinstance(value, list):
        return [_ordered(member) for member in value]
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=_rank)}
    return value
