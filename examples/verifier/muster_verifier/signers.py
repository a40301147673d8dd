"""Who may sign what, and how certificates narrow: docs/src/protocol/signers.md."""

import math
from dataclasses import dataclass

from . import claims, keys
from .members import U32_MAX
from .refused import demand

ROOT = 0
_STEP_MAX = 2**32

# Type and signer: the flag that the signer's certificate needs, 0 for none. What is not here is an
# empty cell.
_CELLS = {
    ("cert", ROOT): 0,
    ("cert", claims.ISSUING): 0,  # by the flag of the role it certifies, which narrowing asks for
    ("policy", ROOT): 0,
    ("policy", claims.ISSUING): claims.SIGNS_POLICIES,
    ("answer", claims.KMS_HOST): 0,
    ("lease", claims.KMS_HOST): 0,
    ("lease", claims.VM_HOST): 0,
    ("object", claims.ISSUING): claims.SIGNS_OBJECTS,
    ("confirmation", claims.ISSUING): claims.SIGNS_CONFIRMATIONS,
    ("revocations", ROOT): 0,
    ("revocations", claims.ISSUING): claims.SIGNS_REVOCATIONS,
    ("opening", claims.KMS_HOST): 0,
}
# Role above and role below: the flag that the one above needs.
_PAIRS = {
    (ROOT, claims.ISSUING): 0,
    (claims.ISSUING, claims.KMS_HOST): claims.CERTIFIES_KMS,
    (claims.ISSUING, claims.VM_HOST): claims.CERTIFIES_VM,
}
_KIND_OF = {claims.KMS_HOST: claims.KMS, claims.VM_HOST: claims.VM}
_GRACES = ("initial_grace", "tolerance_grace", "genuine_grace", "extended_grace")


@dataclass(frozen=True)
class Signer:
    """A key that stands under the root, and what it may."""

    key: keys.Key
    name: bytes  # what `kid` says of it
    role: int
    products: object
    sites: object
    clients: float
    depth: int
    flags: int
    begins: float
    ends: float
    bounds: dict | None = None
    display: str = ""


def root(key: keys.Key) -> Signer:
    """A root key, which may name everything and never ends."""
    return Signer(
        key=key,
        name=key.thumbprint,
        role=ROOT,
        products=claims.ALL,
        sites=claims.ALL,
        clients=math.inf,
        depth=U32_MAX,
        flags=claims.FLAGS,
        begins=-math.inf,
        ends=math.inf,
        display="root",
    )


def certified(name: bytes, cert: dict) -> Signer:
    """The key of a certificate that has been verified."""
    return Signer(
        key=cert["cnf"],
        name=name,
        role=cert["role"],
        products=cert["products"],
        sites=cert["sites"],
        clients=cert["clients"],
        depth=cert["depth"],
        flags=cert["flags"],
        begins=cert["nbf"],
        ends=cert["exp"],
        bounds=cert["bounds"],
        display=cert["display"],
    )


def check_cell(typ: str, signer: Signer) -> None:
    """The signer table."""
    flag = _CELLS.get((typ, signer.role))
    demand(flag is not None, 16, f"this signer signs no {typ}")
    demand(signer.flags & flag == flag, 17, f"its certificate does not let it sign a {typ}")


def check_time(signer: Signer, issued: int) -> None:
    """The statement was issued while its signer's certificate was valid."""
    demand(issued >= signer.begins, 24, "issued before its signer's certificate began")
    demand(issued <= signer.ends, 25, "issued after its signer's certificate ended")


def check_demands(typ: str, said: dict, signer: Signer, root_keys: set) -> None:
    """What a type demands beyond the table."""
    if typ == "cert":
        _check_narrows(said, signer)
    elif typ == "policy":
        _check_policy(said, signer)
    elif typ == "lease":
        _check_lease(said, signer)
    elif typ == "revocations" and signer.role == claims.ISSUING:
        strange = any(entry["key"] in root_keys for entry in said["entries"])
        demand(not strange, 39, "an issuing key revokes a root key")
        demand(said["number"] - said["from"] <= _STEP_MAX, 39, "it spends too many numbers")


def _check_narrows(cert: dict, above: Signer) -> None:
    flag = _PAIRS.get((above.role, cert["role"]))
    demand(flag is not None, 16, "this signer certifies no such role")
    is_host = cert["role"] != claims.ISSUING
    demand(cert["depth"] < above.depth, 21, "its depth is not less than the depth above")
    demand(not is_host or cert["depth"] == 0, 21, "a host's certificate has depth")
    demand(above.flags & flag == flag, 17, "the certificate above may not certify that role")
    demand(_within(cert["products"], above.products), 18, "its products are not within those above")
    demand(_within(cert["sites"], above.sites), 19, "its sites are not within those above")
    demand(cert["clients"] <= above.clients, 22, "it counts more clients than the one above")
    inside = above.begins <= cert["nbf"] and cert["exp"] <= above.ends
    demand(inside, 20, "its validity is not within the one above")
    demand(cert["flags"] & ~above.flags == 0, 23, "it has flags that the one above has not")


def _check_policy(policy: dict, signer: Signer) -> None:
    demand(_within([policy["product"]], signer.products), 18, "the product is not the signer's")
    if policy["site"] is not None:
        demand(_within([policy["site"]], signer.sites), 19, "the site is not the signer's")
    if signer.role == ROOT:
        return
    bounds = signer.bounds
    demand(bounds is not None, 30, "its signer's certificate has no bounds")
    demand(policy["threshold"] >= bounds["threshold"], 30, "the threshold is below the bound")
    spans = [policy["validity"], *(policy[grace] for grace in _GRACES)]
    demand(max(spans) <= bounds["span"], 30, "the validity or a grace is beyond the bound")


def _check_lease(lease: dict, signer: Signer) -> None:
    demand(_within([lease["product"]], signer.products), 18, "the product is not the host's")
    demand(lease["kind"] == _KIND_OF[signer.role], 28, "a lease of another kind than its host")
    demand(lease["count"] <= signer.clients, 22, "it counts more clients than the host may")
    span = lease["exp"] - lease["iat"]
    is_short = lease["kind"] != claims.VM or span <= claims.VM_LEASE_MAX
    demand(is_short, 27, "a VM lease of more than 7 days")


def _within(named, above) -> bool:
    if above == claims.ALL:
        return True
    return named != claims.ALL and set(named) <= set(above)


