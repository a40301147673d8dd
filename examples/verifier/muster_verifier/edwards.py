"""Points of edwards25519, as far as strictness needs them: RFC 8032 section 5.1.

Nothing here is secret, so nothing needs to take constant time.
"""

from functools import lru_cache

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)


@lru_cache(maxsize=4096)
def is_sound(encoded: bytes) -> bool:
    """Whether the 32 bytes are the canonical encoding of a point that is not of small order."""
    point = _decode(encoded)
    if point is None:
        return False
    for _ in range(3):
        point = _double(*point)
    return point != (0, 1)


def _decode(encoded: bytes):
    sign = encoded[31] >> 7
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    if y >= _P:
        return None
    x = _square_root((y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P)
    if x is None or (x == 0 and sign == 1):
        return None
    return (x if x & 1 == sign else _P - x), y


def _square_root(square: int):
    root = pow(square, (_P + 3) // 8, _P)
    if root * root % _P != square:
        root = root * _ROOT_OF_MINUS_1 % _P
    return root if root * root % _P == square else None


def _double(x: int, y: int):
    twist = _D * x * x * y * y
    return (
        2 * x * y * pow(1 + twist, -1, _P) % _P,
        (y * y + x * x) * pow(1 - twist, -1, _P) % _P,
    )
