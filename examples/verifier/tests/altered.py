"""Alters good vectors, signs them anew with the seeds of the test estate, and asks both implementations:
this verifier, and the program named first on the command line (`muster inspect --verify`).

    python -m tests.altered MUSTER SEED COUNT

Both must accept or both refuse. The codes are compared too and their differences counted: where bytes
break several rules of one page, the book lets an implementation name any.
"""

import json
import random
import subprocess
import sys
import tempfile
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from muster_verifier import cbor, containers, judge, keys, statement

STATEMENTS = Path(__file__).resolve().parents[3] / "vectors/statements"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
LABELS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 24, 900, -1, -2, -3, -4, -5, -8, -24, -25, -900, -65537]


@dataclass(frozen=True)
class Raw:
    """Bytes that stand in an item as they are."""

    data: bytes


ODD = [
    *(0, 1, 2, 7, 8, 63, 64, 100, 101, 899, 900, 2**32 - 1, 2**32, 2**64 - 1, -1, -(2**64)),
    *(86_400 * days for days in (7, 30, 37, 366, 3_660)),
    *(253_402_300_799, 253_402_300_800, True, False, None, "", "a", "*", "A", "a" * 33, "a\u202eb"),
    *(b"", bytes(8), bytes(16), bytes(32), bytes(64), b"\1\2\3", [], ["a"], ["b", "a"], ["a", "a"]),
    *(["a"] * 17, {}, {0: 0}, {-1: 0}),
    *(Raw(b"\x81" * depth + b"\x00") for depth in (4, 5, 6, 7, 29, 30, 31, 40)),
    *(
        Raw(bytes.fromhex(item))
        for item in (
            "f90000 f7 e0 f820 f814 f816 1801 c24101 c249010000000000000000 c34101 c24200 c06161 d201"
            " 5f4101ff 7f6161ff 9fff bfff ff 1c 61ff a201010101 a202010101 a1616101 5bffffffffffffffff"
        ).split()
    ),
]


def encode(value) -> bytes:
    """Deterministic but for what is `Raw`."""
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, (list, dict)):
        major = cbor2.dumps([] if isinstance(value, list) else {})[0]
        count = bytearray(cbor2.dumps(len(value)))
        count[0] |= major
        items = value if isinstance(value, list) else _in_order(value)
        return bytes(count) + b"".join(encode(item) for item in items)
    return cbor2.dumps(value)


def _in_order(value: dict):
    for key in sorted(value, key=lambda key: (key < 0, abs(key))):
        yield key
        yield value[key]


class Estate:
    """The secret keys of the vectors, by thumbprint."""

    def __init__(self):
        listed = json.loads((STATEMENTS / "estate.json").read_text())
        self.keys = {
            bytes.fromhex(key["thumbprint"]): ed25519.Ed25519PrivateKey.from_private_bytes(
                bytes.fromhex(key["seed"])
            )
            for key in listed["keys"].values()
        }
        device = listed["device"]
        scalar = int(device["scalar"], 16)
        self.keys[bytes.fromhex(device["thumbprint"])] = ec.derive_private_key(scalar, ec.SECP256R1())
        self.root = bytes.fromhex(listed["roots"]["contoso"]["file"])

    def sign(self, thumbprint: bytes, message: bytes) -> bytes:
        key = self.keys[thumbprint]
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(message)
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")


class Tower:
    """A statement and the certificates above it, from the top, ready to be altered."""

    def __init__(self, vector: dict, estate: Estate):
        self.estate = estate
        said = statement.parse(bytes.fromhex(vector["bytes"]))
        chain = [bytes.fromhex(c) for c in vector.get("chain", [])] or said.chain
        stones = [*(statement.parse(c) for c in reversed(chain)), said]
        self.parts = [[cbor.decode(s.protected), cbor.decode(s.payload)] for s in stones]
        # A root's key or, of what signs for itself, its own; then the certified ones.
        certified = [keys.read(payload[8][1]).thumbprint for _, payload in self.parts[:-1]]
        self.signers = [stones[0].kid, *certified]
        self.kids = [s.kid for s in stones]

    def can_be_signed(self) -> bool:
        """Of one key among the good vectors the seed is not published."""
        return set(self.signers) <= set(self.estate.keys)

    def build(self) -> bytes:
        """Signs everything anew; a name that was altered is taken along."""
        built, kid = [], None
        for (header, payload), signer, old in zip(self.parts, self.signers, self.kids):
            if kid is not None and isinstance(header, dict) and header.get(4) == old:
                header = header | {4: kid}
            protected, payload = encode(header), encode(payload)
            signed = encode(["Signature1", protected, statement.EXTERNAL_AAD, payload])
            built.append([protected, {}, payload, self.estate.sign(signer, signed)])
            kid = statement.hashlib.sha256(encode([protected, payload])).digest()
        chain = [b"\xd2" + encode(parts) for parts in reversed(built[:-1])]
        built[-1][1] = {-65538: chain} if chain else {}
        return b"\xd2" + encode(built[-1])


def alter(value, draw: random.Random):
    """A copy with one thing other than it was."""
    value = deepcopy(value)
    path = draw.choice(list(_paths(value)))
    odd, label = deepcopy(draw.choice(ODD)), draw.choice(LABELS)
    if not path:
        return odd if draw.random() < 0.1 else value | {label: odd}
    *above, last = path
    holder = value
    for step in above:
        holder = holder[step]
    here, kind = holder[last], draw.random()
    if kind < 0.2:
        holder.pop(last)
    elif kind < 0.35 and isinstance(here, dict):
        here[label] = odd
    elif kind < 0.5 and type(here) is int:
        holder[last] = here + draw.choice([-1, 1, -100, 100, -40_000_000, 40_000_000])
    elif kind < 0.5 and isinstance(here, list) and here:
        here.append(deepcopy(here[0]))
    else:
        holder[last] = odd
    return value


def _paths(value, above=()):
    yield above
    steps = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in steps:
        yield from _paths(value[step], (*above, step))


def other_opinion(program: str, folder: Path, data: bytes) -> str:
    file = folder / "altered"
    file.write_bytes(data)
    words = [program, "inspect", file, "--verify", "--root", folder / "root", "--json"]
    said = json.loads(subprocess.run(words, capture_output=True, check=False).stdout)
    return (said.get("error") or said["reason"])["code"]


def main(program: str, seed: int, count: int) -> int:
    draw, estate = random.Random(seed), Estate()
    good = json.loads((STATEMENTS / "good.json").read_text())["vectors"]
    pool = [v for v in good if v["check"] in ("statement", "ask", "request") and "held" not in v]
    pool = [v for v in pool if Tower(v, estate).can_be_signed()]
    given = judge.Given(containers.read_root(estate.root), at=0)
    accepted = other_code = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "root").write_bytes(estate.root)
        for turn in range(count):
            tower = Tower(draw.choice(pool), estate)
            part = draw.choice(tower.parts)
            at = draw.choice([0, 1, 1, 1])
            part[at] = alter(part[at], draw)
            data = tower.build()
            finding = judge.judge(data, given)[0]
            ours = finding.reason[0] if not finding.genuine else judge.VALID[0]
            theirs = other_opinion(program, folder, data)
            if (ours == judge.VALID[0]) != (theirs == judge.VALID[0]):
                print(f"turn {turn}: {ours} here, {theirs} there: {data.hex()}", file=sys.stderr)
                return 1
            accepted += ours == judge.VALID[0]
            other_code += ours != theirs
    print(f"{count} altered: {accepted} accepted by both, {count - accepted} refused by both,")
    print(f"  {other_code} of them with another code")
    return 0 if 0 < accepted < count else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
