"""The worked example of docs/src/protocol/wire.md, and a seal made here and opened again."""

import unittest

from muster_verifier import sealed
from muster_verifier.refused import Refused

OPENING = bytes(range(0x01, 0x21))
PUBLIC = "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c"
INFO = b"muster/v1 golden info"
SEALED = bytes.fromhex(
    "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466"
    "3335a2cdaf51e3a4d32b37b0e5d7d3d63c0c31a1c3b8fabb8da2ffbdc0658705"
    "f46e5d6863b48e8d19dd52ffccba247ae816743a085cf66874bb1a8f6bbb"
)
ANSWER = bytes.fromhex(
    "c8c9cacbcccdcecfd0d1d2d3d4d5d6d7767e141b7699255729fb271b62f9bf6f"
    "018576bee13279ac9fdb7827863227c92d"
)
SECRET = bytes(range(0x80, 0xA0))


class Example(unittest.TestCase):
    def test_the_ask_opens(self):
        self.assertEqual(sealed.unseal(OPENING, INFO, SEALED), SECRET + b"the signed ask")

    def test_the_answer_opens(self):
        enc = SEALED[: sealed.ENC_BYTES]
        self.assertEqual(sealed.unseal_answer(ANSWER, enc, SECRET), b"the signed answer")

    def test_what_is_altered_does_not_open(self):
        altered = SEALED[:-1] + bytes([SEALED[-1] ^ 1])
        with self.assertRaises(Refused) as caught:
            sealed.unseal(OPENING, INFO, altered)
        self.assertEqual(caught.exception.code, "MUSTER-NET-0042")

    def test_a_seal_made_here_opens(self):
        made = sealed.seal(bytes.fromhex(PUBLIC), INFO, b"a signed ask", bytes(range(32)))
        self.assertEqual(sealed.unseal(OPENING, INFO, made), b"a signed ask")


if __name__ == "__main__":
    unittest.main()
