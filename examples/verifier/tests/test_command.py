"""The commands, and that each of them can fail."""

import contextlib
import io
import json
import shutil
import tempfile
import unittest
from pathlib import Path

from muster_verifier import command

VECTORS = Path(__file__).resolve().parents[3] / "vectors"


def run(*words) -> tuple:
    """Exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command.main([str(word) for word in words])
    return code, out.getvalue(), err.getvalue()


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path


class Vectors(Folder):
    def test_all_agree(self):
        code, out, err = run("vectors", VECTORS)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("0 disagreements", out)

    def test_a_disagreement_is_found(self):
        for file, old, new in [
            ("bad-chain.json", "MUSTER-STM-0018", "MUSTER-STM-0019"),
            ("good.json", '"accepted"', '"MUSTER-STM-0012"'),
            ("good.json", '"cad"', '"cam"'),
        ]:
            with self.subTest(file=file, new=new):
                folder = self.folder / new
                shutil.copytree(VECTORS, folder)
                path = folder / "statements" / file
                path.write_text(path.read_text().replace(old, new, 1))
                code, _, err = run("vectors", folder)
                self.assertEqual(code, 1)
                self.assertIn(file, err)

    def test_nothing_run_is_no_success(self):
        with self.assertRaises(SystemExit):
            run("vectors")
        self.assertEqual(run("vectors", self.folder)[0], 2)


class Verify(Folder):
    def setUp(self):
        super().setUp()
        good = json.loads((VECTORS / "statements/good.json").read_text())["vectors"]
        self.bytes = {v["name"]: bytes.fromhex(v["bytes"]) for v in good}
        self.root = self.write("contoso.root", self.bytes["root-of-two-keys"])

    def verify(self, name: str, *options) -> tuple:
        path = self.write("file", self.bytes[name])
        code, out, _ = run("verify", path, "--root", self.root, "--json", *options)
        return code, json.loads(out)["findings"]

    def test_a_lease_by_its_policy_and_time(self):
        policy = self.write("policy", self.bytes["policy-defaults"])
        options = ["--policy", policy, "--at"]
        code, found = self.verify("lease-kms", *options, "2027-07-24T00:00:00Z")
        self.assertEqual((code, found[0]["licenses"]), (0, True))
        self.assertEqual([s["role"] for s in found[0]["chain"]], ["kms-host", "issuing", "root"])
        code, found = self.verify("lease-kms", *options, "2027-07-25T00:00:00Z")
        self.assertEqual((code, found[0]["reason"]["code"]), (1, "MUSTER-CLI-0009"))

    def test_what_else_can_be_judged(self):
        for name in ("bundle", "cert-kms-host", "ask-first", "request-of-a-host", "revocations-first"):
            self.assertEqual(self.verify(name)[0], 0, name)

    def test_what_is_not_under_the_root(self):
        other = self.write("other.root", self.bytes["root-of-three-keys"])
        path = self.write("lease", self.bytes["lease-kms"])
        self.assertEqual(run("verify", path, "--root", other)[0], 1)
        self.assertEqual(run("verify", path, "--root", path)[0], 2)

    def test_damage_is_refused(self):
        path = self.write("cert", self.bytes["cert-issuing"])
        code, out, _ = run("damage", path, "--root", self.root)
        self.assertEqual(code, 0)
        self.assertIn("2755 damaged, 2755 refused", out)


if __name__ == "__main__":
    unittest.main()
