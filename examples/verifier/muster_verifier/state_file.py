"""The client's files: docs/src/protocol/files.md, "The client's files".

The members of the contents are the first implementation's own, so none is read by its key: what is
taken out are the signed statements, wherever they stand.
"""

import hashlib

from . import cbor, statement
from .refused import Refused

# Of each magic: the file, and the first of its codes: magic, version, length, checksum.
_FILES = {b"MUSTERst": ("state", 60), b"MUSTERid": ("identity", 64)}
MAGIC_BYTES = 8
_VERSION = 1
_HEAD_BYTES = 13
_SUM_BYTES = 32


def is_one(data: bytes) -> bool:
    """Whether some bytes begin as a client's file does."""
    return data[:MAGIC_BYTES] in _FILES


def open_file(data: bytes):
    """The name of a client's file, and its contents."""
    name, first = _FILES[data[:MAGIC_BYTES]]
    if data[MAGIC_BYTES : MAGIC_BYTES + 1] != bytes([_VERSION]):
        raise Refused(f"MUSTER-CLI-{first + 1:04}", "a version that this release does not know")
    length = int.from_bytes(data[MAGIC_BYTES + 1 : _HEAD_BYTES], "big")
    if len(data) != _HEAD_BYTES + length + _SUM_BYTES:
        raise Refused(f"MUSTER-CLI-{first + 2:04}", "the file is not as long as it says")
    if hashlib.sha256(data[:-_SUM_BYTES]).digest() != data[-_SUM_BYTES:]:
        raise Refused(f"MUSTER-CLI-{first + 3:04}", "the checksum does not fit")
    return name, cbor.decode(data[_HEAD_BYTES:-_SUM_BYTES])


class Statements:
    """Every byte string among the contents that has the form of a statement, with its bytes."""

    def __init__(self, contents):
        self.all = dict(_statements(contents))
        self._by_name = {said.name: said for said in self.all if said.typ == "cert"}

    def of(self, publisher: bytes) -> list:
        return [said for said in self.all if said.publisher == publisher]

    def chain_of(self, said: statement.Statement) -> list | None:
        """The certificates above a statement, leaf first, where it does not carry them itself."""
        if said.chain:
            return None
        chain = []
        while said.kid in self._by_name and len(chain) < statement.CHAIN_MAX:
            said = self._by_name[said.kid]
            chain.append(self.all[said])
        return chain


def _statements(value):
    if isinstance(value, bytes):
        try:
            yield statement.parse(value), value
        except Refused:
            return
    elif isinstance(value, list):
        for member in value:
            yield from _statements(member)
    elif isinstance(value, dict):
        for member in value.values():
            yield from _statements(member)
