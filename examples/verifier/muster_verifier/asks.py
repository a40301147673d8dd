"""Self-signed statements and answers to them: docs/src/protocol/verification.md."""

from . import claims, keys, statement, verify
from .anchor import Anchor
from .members import HOUR
from .refused import Refused, demand

_SUCCESSION = b"muster/v1/succession"


def open_ask(data: bytes, publisher: bytes, audience: bytes | None = None):
    """An ask, as the host of the certificate named `audience` opens it; without an audience, as
    anybody else may."""
    said, found = _self_signed(data, "ask", publisher)
    demand(audience in (None, found["audience"]), 32, "it was made for another host")
    _check_succession(found["predecessor"], publisher, found["cnf"])
    return said, found


def open_request(data: bytes, publisher: bytes):
    """A request to be certified, as an authority opens it."""
    said, found = _self_signed(data, "request", publisher)
    _check_succession(found["previous"], publisher, found["cnf"])
    return said, found


def check_answers(answer: dict, nonce: bytes, name: bytes) -> None:
    """An answer belongs to the pending nonce, and to the ask of that name."""
    demand(answer["nonce"] == nonce, 33, "it answers another nonce")
    demand(answer["ask"] == name, 34, "it answers another ask")


def leases_for(ask: dict, answer: verify.Verified, anchor: Anchor) -> list:
    """The leases of an answer to an ask; one wrong lease refuses all."""
    leases = verify.leases_of(answer, anchor)
    wanted = {asked["product"] for asked in ask["asked"]}
    for lease in (lease.claims for lease in leases):
        demand(lease["cnf"] == ask["cnf"].thumbprint, 29, "a lease for another key")
        _demand(lease["product"] in wanted, 34, "a lease that was not asked for, or twice")
        wanted.remove(lease["product"])
        early = answer.claims["iat"] - lease["iat"]
        _demand(0 <= early <= HOUR, 35, "a lease issued at another time than its answer")
        _demand(lease["tags"] == ask["tags"], 36, "a lease with other component tags")
    return leases


def _demand(holds: bool, number: int, words: str) -> None:
    if not holds:
        raise Refused(f"MUSTER-CLI-{number:04}", words)


def _self_signed(data: bytes, typ: str, publisher: bytes):
    said = statement.parse(data, typ)
    demand(said.publisher == publisher, 13, "it is another publisher's")
    demand(not said.chain, 15, f"a chain beside an {typ}")
    found = claims.read(said)
    demand(said.kid == found["cnf"].thumbprint, 14, "it names another key than its own")
    said.check_signature(found["cnf"])
    return said, found


def _check_succession(older: dict | None, publisher: bytes, newer: keys.Key) -> None:
    if older is None:
        return
    message = _SUCCESSION + publisher + older["key"].thumbprint + newer.thumbprint
    demand(older["key"].verifies(older["proof"], message), 37, "the older key did not agree")
