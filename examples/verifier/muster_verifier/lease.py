"""What a client demands of a lease beyond its verification: docs/src/protocol/verification.md, "An
answer", in the order of client-states.md, "Which event it is".

What a client notes beside its statements (graces, running time, its floor) is not judged here.
"""

from dataclasses import dataclass

from . import claims, hardware
from .verify import Verified

_METHOD_OF = {claims.KMS: 1, claims.VM: 4}


@dataclass(frozen=True)
class Demand:
    """One demand, whether it is met, and the reason of a client to which it is not."""

    name: str
    code: str
    holds: bool


def judge(lease: Verified, policy: Verified | None, at: int, readable: dict | None) -> list:
    """The demands on a verified lease at a time: under the policy of its product, where there is one,
    and on the machine of which `readable` component tags are known, where they are."""
    demands = [] if policy is None else _of_policy(lease, policy.claims)
    ended = at > end_of(lease.claims, policy)
    demands.append(Demand("in force", "MUSTER-CLI-0009", not ended))
    if readable is not None:
        percent, floor = (100, 1) if policy is None else _tolerance(policy.claims)
        fits = hardware.is_same(lease.claims["tags"], readable, percent, floor)
        demands.append(Demand("this machine", "MUSTER-CLI-0010", fits))
    return demands


def end_of(lease: dict, policy: Verified | None) -> int:
    """The lease's last second: `exp`, and the policy's validity after `iat` at the latest."""
    if policy is None:
        return lease["exp"]
    return min(lease["exp"], lease["iat"] + policy.claims["validity"])


def _of_policy(lease: Verified, policy: dict) -> list:
    said, site = lease.claims, policy["site"]
    allowed = policy["methods"] & _METHOD_OF[said["kind"]] != 0
    near = site is None or site in lease.signer.sites
    counted = said["kind"] == claims.VM or said["count"] >= policy["threshold"]
    return [
        Demand("method allowed", "MUSTER-CLI-0016", allowed),
        Demand("site allowed", "MUSTER-CLI-0014", near),
        Demand("count reached", "MUSTER-CLI-0006", counted),
    ]


def _tolerance(policy: dict):
    return policy["hardware_percent"], policy["hardware_floor"]
