"""The command line: `vectors`, `verify` and `damage`. Exit 0 when all is as it should be, 1 when not,
2 when misused."""

import argparse
import json
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from . import containers, damage, hardware, judge, vectors
from .refused import Refused

_FILE_BYTES_MAX = 16 * 1024 * 1024


def main(words: list | None = None) -> int:
    options = _parser().parse_args(words)
    try:
        return options.run(options)
    except (OSError, Refused) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="muster_verifier", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    run = verbs.add_parser("vectors", help="run the golden vectors, good and bad")
    run.add_argument("folder", type=Path, metavar="DIR", help="the project's folder vectors")
    run.set_defaults(run=_vectors)
    _add_verify(verbs)
    harm = verbs.add_parser("damage", help="flip every bit of a good file; all must be refused")
    _add_given(harm)
    harm.set_defaults(run=_damage)
    return parser


def _add_given(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("file", type=Path, metavar="FILE")
    verb.add_argument("--root", type=Path, required=True, help="the publisher's root, pinned")


def _add_verify(verbs) -> None:
    check = verbs.add_parser("verify", help="judge a file, or every file of a folder")
    _add_given(check)
    check.add_argument("--at", type=_time, metavar="TIME", help="RFC 3339; without it, now")
    check.add_argument("--policy", type=Path, help="what a lease is judged by: a policy or a bundle")
    check.add_argument("--revocations", type=Path, help="a file of revocations that is held")
    check.add_argument(
        "--component",
        type=_component,
        action="append",
        metavar="KIND=VALUE",
        help=f"a component of the machine a lease must be for; KIND is one of {_kinds()}",
    )
    check.add_argument("--json", action="store_true", help="print one JSON document")
    check.set_defaults(run=_verify)


def _kinds() -> str:
    return ", ".join(hardware.KINDS)


def _time(text: str) -> int:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time needs its offset, such as Z")
    return int(at.timestamp())


def _component(text: str) -> tuple:
    kind, equals, value = text.partition("=")
    if not equals or kind not in hardware.KINDS:
        raise ValueError("not KIND=VALUE")
    return kind, value


def _vectors(options) -> int:
    done = vectors.run(options.folder)
    for file, count in done.counts.items():
        print(f"{count:>5}  {file}")
    for disagreement in done.disagreements:
        print(f"disagreement: {disagreement}", file=sys.stderr)
    total = sum(done.counts.values())
    print(f"{total:>5}  in all, {len(done.disagreements)} disagreements")
    return 1 if done.disagreements or total == 0 else 0


def _verify(options) -> int:
    given = _given(options)
    files = [(path, _read(path)) for path in _files(options.file)]
    for _, data in files:
        judge.take_policies(data, given)
    found = [(path, finding) for path, data in files for finding in judge.judge(data, given)]
    _print_json(found) if options.json else _print_words(found)
    return 0 if found and all(finding.valid for _, finding in found) else 1


def _damage(options) -> int:
    given = judge.Given(containers.read_root(_read(options.root)), int(time.time()))
    data = _read(options.file)
    if not all(finding.genuine for finding in judge.judge(data, given)):
        print(f"error: {options.file} is not genuine to begin with", file=sys.stderr)
        return 2
    done = damage.run(data, given)
    for what in done.passed:
        print(f"taken for genuine: {what}", file=sys.stderr)
    print(f"{options.file}: {done.tried} damaged, {done.tried - len(done.passed)} refused")
    return 1 if done.passed else 0


def _given(options) -> judge.Given:
    root = containers.read_root(_read(options.root))
    given = judge.Given(root, int(time.time()) if options.at is None else options.at)
    if options.revocations:
        opened = containers.open_revocations(_read(options.revocations), root)
        given.held = opened.anchor.revocations
    if options.policy:
        judge.take_policies(_read(options.policy), given)
    if options.component:
        given.components = dict(options.component)
    return given


def _files(path: Path) -> list:
    """A file, or those of a folder such as `muster client export` writes."""
    return sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_FILE_BYTES_MAX)


def _print_json(found: list) -> None:
    listed = [
        {
            "file": str(path),
            "kind": finding.kind,
            "valid": finding.valid,
            "reason": {"code": finding.reason[0], "text": finding.reason[1]},
            **finding.details,
        }
        for path, finding in found
    ]
    print(json.dumps({"findings": listed}, indent=2))


def _print_words(found: list) -> None:
    for path, finding in found:
        code, words = finding.reason
        print(f"{path}: {finding.kind}: {words} ({code})")
        if "ends" in finding.details:
            ends = datetime.fromtimestamp(finding.details["ends"], timezone.utc)
            print(f"  ends {ends:%Y-%m-%d %H:%M:%S} UTC")
        for demand, holds in finding.details.get("demands", {}).items():
            print(f"  {demand}: {'yes' if holds else 'no'}")
        for signer in finding.details.get("chain", []):
            print(f"  under {signer['role']} {signer['display']!r} {signer['name'][:16]}…")
