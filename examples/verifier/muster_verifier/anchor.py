"""What a verifier is given and never takes from a carrier: docs/src/protocol/verification.md,
"The anchor" and "Revocations"."""

from dataclasses import dataclass, field

from . import signers
from .refused import demand


@dataclass
class Revocations:
    """The number that a holder has reached, and the keys it holds."""

    number: int = 0
    keys: set = field(default_factory=set)

    def take_in(self, delta: dict) -> None:
        """Takes in a verified delta."""
        follows = delta["from"] <= self.number < delta["number"]
        demand(follows, 35, f"it does not follow on number {self.number}")
        self.keys |= {entry["key"] for entry in delta["entries"]}
        self.number = delta["number"]


@dataclass
class Anchor:
    """The pinned root, and the revocations held."""

    root_keys: list
    revocations: Revocations = field(default_factory=Revocations)

    @property
    def publisher(self) -> bytes:
        return self.root_keys[0].thumbprint[:16]

    def root_signer(self, kid: bytes) -> signers.Signer:
        """The root key that something names as the one it stands under."""
        for key in self.root_keys:
            if key.thumbprint == kid:
                return signers.root(key)
        demand(False, 36, "it stands under no key of this root")
        raise AssertionError("demand has refused")

    def check_revoked(self, path: list) -> None:
        """No key of the path, which begins with a root key, is among the revoked."""
        for signer in path:
            revoked = signer.key.thumbprint in self.revocations.keys
            demand(not revoked, 26, f"a key above it was revoked: {signer.display or 'a host'}")
