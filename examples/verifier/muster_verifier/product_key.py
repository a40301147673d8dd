"""Product keys, the part that anybody can judge: docs/src/protocol/product-key.md.

Characters, check symbols and fields. Whether the tag is true only the authority can say.
"""

from dataclasses import dataclass

from .members import WHITE_SPACE
from .refused import Refused

VERSION = 1
CHANNELS = ("generic", "kms-host", "mak", "vm-host", "vm-guest", "retail", "oem")
_TEXT_BYTES_MAX = 512
_SYMBOLS = 25
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MEANT = {"O": "0", "I": "1", "L": "1"}
_DASHES = "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_UNSEEN = set(WHITE_SPACE + _DASHES + "\u200b\u200c\u200d\u2060\ufeff")
# α^0 to α^24 in GF(2)[x] / (x^5 + x^2 + 1).
_POWERS = (1, 2, 4, 8, 16, 5, 10, 20, 13, 26, 17, 7, 14, 28, 29, 31, 27, 19, 3, 6, 12, 24, 21, 15, 30)


class RefusedKey(Refused):
    """Not a well-formed product key; `place` is where, such as "group 3, symbol 2"."""

    def __init__(self, number: int, words: str, place: str | None = None):
        super().__init__(f"MUSTER-KEY-{number:04}", words)
        self.place = place


@dataclass(frozen=True)
class ProductKey:
    """A well-formed product key."""

    symbols: tuple

    def _bits(self, first: int, count: int) -> int:
        return self.value >> first & (1 << count) - 1

    @property
    def value(self) -> int:
        number = 0
        for symbol in self.symbols:
            number = number << 5 | symbol
        return number

    @property
    def binary(self) -> bytes:
        return self.value.to_bytes(16, "big")

    @property
    def channel(self) -> str:
        return CHANNELS[self._bits(119, 3)]

    @property
    def group(self) -> int:
        return self._bits(106, 13)

    @property
    def printed_serial(self) -> int:
        return self._bits(99, 7) << 25 | self._bits(0, 25)

    @property
    def tag(self) -> bytes:
        return self._bits(35, 64).to_bytes(8, "big")

    @property
    def number(self) -> bytes:
        """What names the key and opens nothing."""
        channel = self._bits(119, 3)
        return (channel << 45 | self.group << 32 | self.printed_serial).to_bytes(6, "big")

    @property
    def text(self) -> str:
        letters = "".join(_ALPHABET[symbol] for symbol in self.symbols)
        return "-".join(letters[i : i + 5] for i in range(0, _SYMBOLS, 5))

    @property
    def last_group(self) -> str:
        return self.text[-5:]


def read(text: str) -> ProductKey:
    """A key as somebody typed it. The order of judgement: characters and their number, check
    symbols, version, channel."""
    symbols = symbols_of(text)
    _check(symbols)
    version = symbols[0] >> 2
    if version != VERSION:
        raise RefusedKey(5, f"a key of version {version}")
    channel = (symbols[0] & 3) << 1 | symbols[1] >> 4
    if channel >= len(CHANNELS):
        raise RefusedKey(6, "a key of an unknown channel")
    return ProductKey(symbols)


def symbols_of(text: str) -> tuple:
    """The 25 symbols of a text, forgiving what people do to them."""
    if len(text.encode()) > _TEXT_BYTES_MAX:
        raise RefusedKey(1, f"more than {_TEXT_BYTES_MAX} bytes")
    letters = [letter for letter in text if letter not in _UNSEEN]
    symbols = [_symbol(letter) for letter in letters]
    for at, symbol in enumerate(symbols[:_SYMBOLS]):
        if symbol is None:
            raise RefusedKey(2, "no symbol of a key", _place(at))
    if len(symbols) != _SYMBOLS:
        raise RefusedKey(1, f"{len(symbols)} symbols, not {_SYMBOLS}")
    return tuple(symbols)


def _symbol(letter: str) -> int | None:
    letter = letter.upper() if letter.isascii() else letter
    at = _ALPHABET.find(_MEANT.get(letter, letter))
    return None if at < 0 else at


def _check(symbols: tuple) -> None:
    sum_0 = sum_1 = 0
    for symbol, power in zip(symbols, _POWERS):
        sum_0 ^= symbol
        sum_1 ^= _times(symbol, power)
    if (sum_0, sum_1) == (0, 0):
        return
    for at, power in enumerate(_POWERS):
        if sum_0 and sum_1 == _times(sum_0, power):
            raise RefusedKey(3, "most likely one symbol is wrong", _place(at))
    raise RefusedKey(4, "more than one symbol is wrong")


def _times(a: int, b: int) -> int:
    """The product in GF(32)."""
    product = 0
    for bit in range(5):
        product ^= (a << bit) * (b >> bit & 1)
    for bit in (8, 7, 6, 5):
        product ^= (0b100101 << bit - 5) * (product >> bit & 1)
    return product


def _place(at: int) -> str:
    return f"group {at // 5 + 1}, symbol {at % 5 + 1}"
