"""Judges a file of muster's, whatever it is: what it is, whether it stands under the pinned root, and
of a lease whether it licenses."""

from dataclasses import dataclass, field

from . import asks, claims, containers, hardware, keys, lease, signers, state_file, statement, verify
from .anchor import Revocations
from .refused import Refused, demand

COSE_SIGN1_TAG = 0xD2
VALID = ("MUSTER-STM-0038", "valid under this root")
_OPEN = {
    "muster-policy": containers.open_bundle,
    "muster-activation": containers.open_activation,
    "muster-issuing": containers.open_issuing,
    "muster-publisher": containers.open_publisher,
    "muster-revocations": containers.open_revocations,
}
_SELF_SIGNED = {"ask": asks.open_ask, "request": asks.open_request}
# What a client holds, in the order it is judged in: revocations first, policies before leases.
_ORDER = {"revocations": 0, "cert": 1, "policy": 2}
_ROLES = {
    signers.ROOT: "root",
    claims.ISSUING: "issuing",
    claims.KMS_HOST: "kms-host",
    claims.VM_HOST: "vm-host",
}


@dataclass
class Given:
    """What the caller knows, and takes from nothing that is judged."""

    root: containers.Root
    at: int
    held: Revocations = field(default_factory=Revocations)
    policies: dict = field(default_factory=dict)  # by product
    components: dict | None = None  # what the machine's components say, by kind

    def anchor(self):
        anchor = self.root.anchor()
        anchor.revocations = Revocations(self.held.number, set(self.held.keys))
        return anchor

    def readable(self) -> dict | None:
        if self.components is None:
            return None
        publisher = self.root.anchor().publisher
        tags = {k: hardware.tag(publisher, k, v) for k, v in self.components.items()}
        return {kind: tag for kind, tag in tags.items() if tag is not None}


@dataclass
class Finding:
    """One thing that was judged: whether it is genuine, which is to say that it stands under the root,
    and whether it is valid, which is to say that a lease also licenses."""

    kind: str
    reason: tuple = VALID
    details: dict = field(default_factory=dict)
    genuine: bool = True

    @property
    def valid(self) -> bool:
        return self.genuine and self.details.get("licenses", True)


def _refusal(kind: str, refused: Refused) -> Finding:
    return Finding(kind, (refused.code, refused.words), genuine=False)


def judge(data: bytes, given: Given) -> list:
    """Every statement that the file is or holds; nothing here raises for what the bytes are."""
    kind = "file"
    try:
        if data[:1] == bytes([COSE_SIGN1_TAG]):
            kind = "statement"
            return [_statement(data, given)]
        if state_file.is_one(data):
            kind = "client file"
            return _client_file(data, given)
        kind = containers.kind_of(data)
        if kind == "muster-root":
            return [_root(data, given)]
        return _container(kind, data, given)
    except Refused as refused:
        return [_refusal(kind, refused)]


def take_policies(data: bytes, given: Given) -> None:
    """Keeps the policies of a file that stand under the root, the newest of each product."""
    for verified in _policies_of(data, given):
        _keep(verified, given)


def _keep(policy: verify.Verified, given: Given) -> None:
    product = policy.claims["product"]
    older = given.policies.get(product)
    if older is None or older.claims["version"] < policy.claims["version"]:
        given.policies[product] = policy


def _policies_of(data: bytes, given: Given) -> list:
    try:
        if data[:1] == bytes([COSE_SIGN1_TAG]):
            return [verify.under_root(data, "policy", given.anchor())]
        if containers.kind_of(data) == "muster-policy":
            return containers.open_bundle(data, given.root).policies
    except Refused:
        pass
    return []


def _statement(data: bytes, given: Given, chain: list | None = None) -> Finding:
    typ = statement.parse(data).typ
    if typ in _SELF_SIGNED:
        said, found = _SELF_SIGNED[typ](data, given.root.anchor().publisher)
        return _finding(said, found, [])
    verified = verify.under_root(data, None, given.anchor(), chain)
    finding = _finding(verified.said, verified.claims, verified.path)
    return _licensing(finding, verified, given) if typ == "lease" else finding


def _licensing(finding: Finding, verified: verify.Verified, given: Given) -> Finding:
    policy = given.policies.get(verified.claims["product"])
    demands = lease.judge(verified, policy, given.at, given.readable())
    unmet = [demand for demand in demands if not demand.holds]
    finding.details["demands"] = {demand.name: demand.holds for demand in demands}
    finding.details["ends"] = lease.end_of(verified.claims, policy)
    finding.details["licenses"] = not unmet
    if unmet:
        words = f"valid under this root, and no licence: not {unmet[0].name}"
        finding.reason = (unmet[0].code, words)
    return finding


def _root(data: bytes, given: Given) -> Finding:
    root = containers.read_root(data)
    demand(data == given.root.data, 36, "another root than the pinned one")
    return Finding("muster-root", VALID, {"fingerprint": root.fingerprint, "name": root.display})


def _container(kind: str, data: bytes, given: Given) -> list:
    opened = _OPEN[kind](data, given.root)
    held = given.anchor()
    for path in [opened.path, *(policy.path for policy in opened.policies)]:
        held.check_revoked(path)
    details = {
        "revocations": opened.anchor.revocations.number,
        "chain": [_signer(signer) for signer in reversed(opened.path)],
    }
    inner = [_finding(policy.said, policy.claims, policy.path) for policy in opened.policies]
    return [Finding(kind, VALID, details), *inner]


def _client_file(data: bytes, given: Given) -> list:
    """The statements of this publisher in a client's file; those of others are counted."""
    name, contents = state_file.open_file(data)
    held = state_file.Statements(contents)
    own = held.of(given.root.anchor().publisher)
    found = [Finding(name, VALID, {"other_publishers": len(held.all) - len(own)})]
    for said in sorted(own, key=lambda said: _ORDER.get(said.typ, len(_ORDER))):
        found.append(_held(said, held, given))
    return found


def _held(said, held, given: Given) -> Finding:
    """A statement that a client holds, under the certificates that it holds beside it."""
    data, chain = held.all[said], held.chain_of(said)
    try:
        if said.typ == "revocations":
            given.held.take_in(verify.under_root(data, said.typ, given.anchor(), chain).claims)
        elif said.typ == "policy":
            _keep(verify.under_root(data, said.typ, given.anchor(), chain), given)
        return _statement(data, given, chain)
    except Refused as refused:
        return _refusal(said.typ, refused)


def _finding(said: statement.Statement, found: dict, path: list) -> Finding:
    details = {
        "name": said.name.hex(),
        "claims": shown(found),
        "chain": [_signer(signer) for signer in reversed(path)],
    }
    return Finding(said.typ, VALID, details)


def _signer(signer: signers.Signer) -> dict:
    name, role = signer.name.hex(), _ROLES[signer.role]
    return {"role": role, "name": name, "display": signer.display}


def shown(value):
    """Claims as JSON shows them: keys by their thumbprints, bytes in hexadecimal."""
    if isinstance(value, dict):
        return {name: shown(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shown(member) for member in value]
    if isinstance(value, keys.Key):
        return value.thumbprint.hex()
    return value.hex() if isinstance(value, bytes) else value
