"""Verification of a statement under the root, in the book's order:
docs/src/protocol/verification.md, "A statement under the root"."""

from dataclasses import dataclass

from . import claims, signers, statement
from .anchor import Anchor
from .refused import demand


@dataclass(frozen=True)
class Verified:
    """A statement that stands under the root; `path` is the root key and the certificates below."""

    said: statement.Statement
    claims: dict
    path: list

    @property
    def signer(self) -> signers.Signer:
        return self.path[-1]


def under_root(data: bytes, typ: str | None, anchor: Anchor, chain: list | None = None) -> Verified:
    """Verifies a statement of a type; `chain` is the one that came by another way."""
    said, path = up_to_signer(data, typ, anchor, chain)
    verified = _below(said, path, anchor)
    anchor.check_revoked(path)
    return verified


def up_to_signer(data: bytes, typ: str | None, anchor: Anchor, chain: list | None = None):
    """The same up to the signer table: the statement, and the path to its signer."""
    said = statement.parse(data, typ)
    demand(chain is None or not said.chain, 15, "a chain where it came by another way")
    _check_publisher(said, anchor)
    path = path_of(said.chain if chain is None else chain, anchor, said.kid)
    _check_signed(said, path[-1])
    return said, path


def path_of(chain, anchor: Anchor, kid: bytes | None = None) -> list:
    """The path from the root down a chain (leaf first). Where the chain is empty, `kid` names the
    root key."""
    statement.check_chain_length(chain)
    path = [] if chain else [anchor.root_signer(kid)]
    for data in reversed(chain):
        certificate = statement.parse(data, "cert")
        demand(not certificate.chain, 15, "a certificate within a chain carries a chain")
        _check_publisher(certificate, anchor)
        if not path:
            path.append(anchor.root_signer(certificate.kid))
        _check_signed(certificate, path[-1])
        below = _below(certificate, path, anchor)
        path.append(signers.certified(certificate.name, below.claims))
    return path


def _check_publisher(said: statement.Statement, anchor: Anchor) -> None:
    demand(said.publisher == anchor.publisher, 13, "it is another publisher's")


def _check_signed(said: statement.Statement, above: signers.Signer) -> None:
    """Parent, algorithm and signature, signer table."""
    demand(said.kid == above.name, 14, "it names another certificate as its parent")
    said.check_signature(above.key)
    signers.check_cell(said.typ, above)


def _below(said: statement.Statement, path: list, anchor: Anchor) -> Verified:
    """Claims, time of judgement, the type's own demands."""
    found = claims.read(said)
    signers.check_time(path[-1], found["iat"])
    roots = {key.thumbprint for key in anchor.root_keys}
    signers.check_demands(said.typ, found, path[-1], roots)
    return Verified(said, found, path)


def leases_of(answer: Verified, anchor: Anchor) -> list:
    """An answer's leases, each under the answer's own signer."""
    leases = []
    for data in answer.claims["leases"]:
        said = statement.parse(data, "lease")
        demand(not said.chain, 15, "a lease in an answer carries a chain")
        _check_publisher(said, anchor)
        _check_signed(said, answer.signer)
        leases.append(_below(said, answer.path, anchor))
    return leases
