"""Maps with numbered members, texts, numbers and times: docs/src/protocol/encoding.md.

What a map may hold is written as a table `{key: Member(name, kind)}`. A kind is a function that
gives back what it was given, read, or refuses.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Callable

from .refused import demand, statement

TIME_MAX = 253_402_300_799
U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1

MINUTE, HOUR, DAY = 60, 3_600, 86_400

# The property White_Space of Unicode, which is not what str.strip() takes off.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)

_REQUIRED = object()
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_SEPARATORS = {0x2028, 0x2029}
_STEERING = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


@dataclass(frozen=True)
class Member:
    """One member of a map; without a default it must be there."""

    name: str
    kind: Callable
    default: object = _REQUIRED


def read(value, table: dict, where: str, signed: bool = True) -> dict:
    """The members of a map by name. In what is signed an unknown key of 0 or above is ignored; in
    what nobody signs every unknown key refuses."""
    demand(type(value) is dict, 6, f"{where} is no map")
    for key in value:
        known = key in table or (signed and key >= 0)
        demand(known, 7, f"{where} has an unknown member {key}")
    found = {}
    for key, member in table.items():
        if key in value:
            found[member.name] = checked(member.kind, value[key], f"{member.name} of {where}")
        else:
            demand(member.default is not _REQUIRED, 5, f"{where} has no {member.name}")
            found[member.name] = member.default
    return found


def checked(kind: Callable, value, name: str):
    """What a kind makes of a value."""
    try:
        return kind(value)
    except ValueError as error:
        raise statement(6, f"{name}: {error}") from None


def _right(holds: bool, words: str) -> None:
    if not holds:
        raise ValueError(words)


def number(least: int = 0, most: int = U64_MAX) -> Callable:
    def kind(value):
        _right(type(value) is int and least <= value <= most, f"not a number of {least} to {most}")
        return value

    return kind


u32 = number(0, U32_MAX)
time = number(0, TIME_MAX)
seconds = number()


def flag(value):
    _right(type(value) is bool, "neither true nor false")
    return value


def octets(least: int, most: int | None = None) -> Callable:
    """A byte string of so many bytes; of exactly `least` without a `most`."""
    most = least if most is None else most

    def kind(value):
        _right(type(value) is bytes and least <= len(value) <= most, f"not {least} to {most} bytes")
        return value

    return kind


thumbprint = octets(32)


def one_of(*choices) -> Callable:
    def kind(value):
        _right(any(type(value) is type(c) and value == c for c in choices), "none of its values")
        return value

    return kind


def ident(value):
    _right(type(value) is str and _ID.fullmatch(value) is not None, "not an id")
    return value


def text(value):
    _right(type(value) is str, "no text")
    return value


def line(least: int = 0, most: int = 128) -> Callable:
    def kind(value):
        _right(least <= len(text(value).encode()) <= most, f"not {least} to {most} bytes")
        steers = any(
            unicodedata.category(c) == "Cc" or ord(c) in _SEPARATORS | _STEERING for c in value
        )
        _right(not steers, "it steers the terminal that shows it")
        return value

    return kind


def many(kind: Callable, most: int | None = None, least: int = 0) -> Callable:
    def whole(value):
        _right(type(value) is list, "no array")
        _right(least <= len(value) and (most is None or len(value) <= most), "too few or too many")
        return [kind(member) for member in value]

    return whole


def ascending(kind: Callable, by: Callable = lambda member: member) -> Callable:
    """The members of an array stand in ascending order, none twice."""

    def whole(value):
        members = kind(value)
        in_order = all(by(a) < by(b) for a, b in zip(members, members[1:]))
        _right(in_order, "not in ascending order")
        return members

    return whole


def inner(table: dict, where: str, signed: bool = True) -> Callable:
    return lambda value: read(value, table, where, signed)


def anything(value):
    return value
