"""Damages a good file in every small way, and counts what is still taken for genuine."""

from dataclasses import dataclass

from . import judge


@dataclass
class Damage:
    """How many damaged files were judged, and which of them passed."""

    tried: int
    passed: list


def run(data: bytes, given: judge.Given) -> Damage:
    """Every bit flipped, cut at every byte, and one byte added."""
    passed, tried = [], 0
    for what, damaged in _damaged(data):
        tried += 1
        if all(finding.genuine for finding in judge.judge(damaged, given)):
            passed.append(what)
    return Damage(tried, passed)


def _damaged(data: bytes):
    for at in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        yield f"bit {at % 8} of byte {at // 8} flipped", bytes(flipped)
    for length in range(len(data)):
        yield f"cut to {length} bytes", data[:length]
    yield "a byte added", data + b"\0"
