"""Runs the golden vectors: every good one must be accepted and read the same, every bad one refused
for the reason that stands beside it. Their form is told in vectors/statements/README.md."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from . import asks, cbor, claims, containers, product_key, sealed, statement, verify
from .anchor import Anchor
from .refused import Refused

ACCEPTED = "accepted"


@dataclass
class Run:
    """What was run, by file, and every disagreement."""

    counts: Counter = field(default_factory=Counter)
    disagreements: list = field(default_factory=list)

    def compare(self, file: str, name: str, found, wanted) -> None:
        if found != wanted:
            self.disagreements.append(f"{file}: {name}: {found}, and the vector says {wanted}")


def run(folder: Path) -> Run:
    """Every vector under a folder."""
    done = Run()
    for path in sorted(folder.glob("statements/*.json")):
        listed = _load(path).get("vectors", [])
        estate = Estate(_load(folder / "statements/estate.json"))
        for vector in listed:
            _run_statement(done, path.name, vector, estate)
    _run_estate(done, folder / "statements/estate.json")
    _run_keys(done, folder / "key")
    return done


def _load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


class Estate:
    """The roots that vectors are judged under."""

    def __init__(self, listed: dict):
        self.roots = {
            name: containers.read_root(bytes.fromhex(root["file"]))
            for name, root in listed["roots"].items()
        }


def _run_estate(done: Run, path: Path) -> None:
    listed = _load(path)
    for name, root in listed["roots"].items():
        read = containers.read_root(bytes.fromhex(root["file"]))
        done.counts["estate.json"] += 1
        found = (read.fingerprint, read.anchor().publisher.hex())
        done.compare("estate.json", name, found, (root["fingerprint"], root["publisher"]))
    for name, key in listed["keys"].items():
        done.counts["estate.json"] += 1
        found = containers.keys.read(cbor.decode(bytes.fromhex(key["cose_key"]))).thumbprint.hex()
        done.compare("estate.json", name, found, key["thumbprint"])


def _run_statement(done: Run, file: str, vector: dict, estate: Estate) -> None:
    name, wanted = vector["name"], vector["outcome"]
    done.counts[file] += 1
    try:
        found = _CHECKS[vector["check"]](Case(vector, estate))
    except Refused as refused:
        done.compare(file, name, refused.code, wanted)
        return
    done.compare(file, name, ACCEPTED, wanted)
    for member in ("header", "claims", "statement_name", "means"):
        if member in vector:
            done.compare(file, f"{name}: {member}", found.get(member), vector[member])


class Case:
    """One vector, with its members as what they are."""

    def __init__(self, vector: dict, estate: Estate):
        self.vector = vector
        self.data = bytes.fromhex(vector["bytes"])
        self.typ = vector.get("typ")
        self.root = estate.roots.get(vector.get("root"))
        chain = vector.get("chain")
        self.chain = None if chain is None else [bytes.fromhex(c) for c in chain]

    def octets(self, member: str) -> bytes:
        return bytes.fromhex(self.vector[member])

    def anchor(self) -> Anchor:
        anchor = self.root.anchor()
        anchor.revocations.keys = {bytes.fromhex(k) for k in self.vector.get("revoked", [])}
        for delta in self.vector.get("held", []):
            verified = verify.under_root(bytes.fromhex(delta), "revocations", anchor)
            anchor.revocations.take_in(verified.claims)
        return anchor


def _statement(case: Case) -> dict:
    anchor = case.anchor()
    verified = verify.under_root(case.data, case.typ, anchor, case.chain)
    if verified.said.typ == "revocations":
        anchor.revocations.take_in(verified.claims)
    if "pending_nonce" in case.vector:
        pending = case.octets("pending_nonce"), case.octets("pending_ask")
        asks.check_answers(verified.claims, *pending)
    return _shown(case.data, verified.said)


def _signer(case: Case) -> dict:
    said, _ = verify.up_to_signer(case.data, case.typ, case.anchor(), case.chain)
    return _shown(case.data, said)


def _ask(case: Case) -> dict:
    said, _ = asks.open_ask(case.data, case.octets("publisher"), case.octets("audience"))
    return _shown(case.data, said)


def _request(case: Case) -> dict:
    said, _ = asks.open_request(case.data, case.octets("publisher"))
    return _shown(case.data, said)


def _hello(case: Case) -> dict:
    _, opening = containers.open_hello(case.data, case.anchor(), case.vector["floor"])
    return {"means": {"opening_key": opening["key"].hex(), "store": opening["store"].hex()}}


def _bundle(case: Case) -> dict:
    opened = containers.open_bundle(case.data, case.root)
    return {
        "means": {
            "policy": opened.policies[0].said.name.hex(),
            "issuing": opened.path[-1].name.hex(),
            "revocations": opened.anchor.revocations.number,
        }
    }


def _root(case: Case) -> dict:
    root = containers.read_root(case.data)
    publisher = root.anchor().publisher.hex()
    return {"means": {"publisher": publisher, "fingerprint": root.fingerprint}}


def _sealed_head(case: Case) -> dict:
    head = sealed.take_apart(case.data)
    return {
        "means": {
            "publisher": head.publisher.hex(),
            "audience": head.audience.hex(),
            "opening_key_id": head.opening_key_id.hex(),
            "info": head.info.hex(),
            "seal": head.seal.hex(),
        }
    }


_CHECKS = {
    "statement": _statement,
    "signer": _signer,
    "ask": _ask,
    "request": _request,
    "hello": _hello,
    "bundle": _bundle,
    "root": _root,
    "sealed-head": _sealed_head,
}


def _shown(data: bytes, said: statement.Statement) -> dict:
    return {
        "header": as_json(cbor.decode(said.protected)),
        "claims": as_json(cbor.decode(said.payload)),
        "statement_name": said.name.hex(),
    }


def as_json(value):
    """A plain value as JSON shows it: keys are texts, byte strings are h'…', numbers that
    do not fit 64 bits with a sign are texts."""
    if isinstance(value, dict):
        return {str(key): as_json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [as_json(member) for member in value]
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    is_wide = type(value) is int and not -(2**63) <= value < 2**63
    return str(value) if is_wide else value


def _run_keys(done: Run, folder: Path) -> None:
    good, bad = _load(folder / "good.json"), _load(folder / "bad.json")
    for vector in good["issued"]:
        done.counts["key/good.json"] += 1
        found = _public_part(product_key.read(vector["key"]))
        wanted = {member: vector[member] for member in found}
        done.compare("key/good.json", vector["key"], found, wanted)
    for vector in good["read"]:
        done.counts["key/good.json"] += 1
        found = product_key.ProductKey(product_key.symbols_of(vector["text"])).text
        done.compare("key/good.json", vector["name"], found, vector["key"])
    for vector in bad["parse"]:
        done.counts["key/bad.json"] += 1
        wanted = (vector["reason"], vector["place"])
        done.compare("key/bad.json", vector["name"], _refusal(vector["text"]), wanted)


def _public_part(key: product_key.ProductKey) -> dict:
    return {
        "channel": key.channel,
        "group": key.group,
        "printed_serial": key.printed_serial,
        "tag": key.tag.hex(),
        "number": key.number.hex(),
        "bytes": key.binary.hex(),
        "key": key.text,
        "last5": key.last_group,
    }


def _refusal(text: str):
    try:
        product_key.read(text)
    except product_key.RefusedKey as refused:
        return refused.code, refused.place
    return ACCEPTED, None
