"""A client's state file: its frame, and the statements found in it."""

import unittest
from pathlib import Path

from muster_verifier import state_file
from muster_verifier.refused import Refused

STATE = Path(__file__).resolve().parents[3] / "vectors/client/v1.state"


class State(unittest.TestCase):
    def setUp(self):
        self.data = STATE.read_bytes()

    def test_its_statements_are_found_with_their_chains(self):
        name, contents = state_file.open_file(self.data)
        held = state_file.Statements(contents)
        leases = [said for said in held.all if said.typ == "lease"]
        self.assertEqual((name, len(leases)), ("state", 2))
        for lease in leases:
            self.assertEqual(len(held.chain_of(lease)), 2)

    def test_damage_has_its_codes(self):
        altered = bytearray(self.data)
        altered[20] ^= 1
        newer = self.data[:8] + b"\2" + self.data[9:]
        for data, code in [
            (bytes(altered), "MUSTER-CLI-0063"),
            (self.data[:-1], "MUSTER-CLI-0062"),
            (self.data + b"\0", "MUSTER-CLI-0062"),
            (newer, "MUSTER-CLI-0061"),
        ]:
            with self.assertRaises(Refused) as caught:
                state_file.open_file(data)
            self.assertEqual(caught.exception.code, code)


if __name__ == "__main__":
    unittest.main()
