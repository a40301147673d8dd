#!/usr/bin/env bash
# Checks that the page docs/src/reasons.md is what `muster explain --json` says, and that each code
# is explained by itself. With --write it writes the page.
#
# Usage: examples/reasons.sh [--write]  (builds and uses target/release/muster)
#        MUSTER=/path/to/muster examples/reasons.sh
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${MUSTER:-}" ]; then
  cargo build --release --manifest-path "$here/Cargo.toml" --package muster
  MUSTER=$here/target/release/muster
fi
page=$here/docs/src/reasons.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$MUSTER" explain --json > "$work/reasons.json"
python3 - "$work/reasons.json" > "$work/reasons.md" <<'END'
import json, sys, textwrap

AREAS = [
    ("CLI", "On a machine: licences, asking, the client's files"),
    ("KMS", "On a KMS host: asks, products, the host itself"),
    ("AUT", "At the authority: root, products, keys, certification"),
    ("KEY", "Product keys"),
    ("STM", "Signed statements and files"),
    ("DNS", "DNS: lookup and update"),
    ("NET", "Connections, HTTP, TLS and the seal"),
    ("STO", "Databases and disks"),
    ("CFG", "Configuration, files and the command line"),
]
HEAD = """\
# Reasons

Every refusal, wait and success has a code. `muster explain CODE` prints the same words; `muster
explain` lists all, and `muster explain --json` is what this page is made from, by
`examples/reasons.sh --write`. A code is never reused and never changes its meaning. To see which of
many steps fails, and why, let [doctor](doctor.md) go through them."""

def lines(text, first):
    rest = " " * len(first)
    return textwrap.fill(text, 100, initial_indent=first, subsequent_indent=rest,
                         break_long_words=False, break_on_hyphens=False)

def plain(text):
    pieces = text.split("`")
    for outside in range(0, len(pieces), 2):
        for char in "\\*_<>[]":
            pieces[outside] = pieces[outside].replace(char, "\\" + char)
    return "`".join(pieces)

reasons = json.load(open(sys.argv[1]))["reasons"]
areas = {area: [] for area, _ in AREAS}
for reason in reasons:
    areas[reason["code"].split("-")[1]].append(reason)
print(HEAD)
for area, title in AREAS:
    print(f"\n## {title}")
    for reason in sorted(areas[area], key=lambda reason: reason["code"]):
        print(f"\n### {reason['code']}\n")
        print(lines(f"**{plain(reason['text'])}.**", "") + "\n")
        print(lines(f"likely cause: {plain(reason['cause'])}", "- "))
        print(lines(f"next: {plain(reason['next'])}", "- "))
END

if [ "${1:-}" = --write ]; then
  cp "$work/reasons.md" "$page"
  echo "written: docs/src/reasons.md"
  exit
fi
diff -u "$page" "$work/reasons.md" || {
  echo "docs/src/reasons.md is not current: run examples/reasons.sh --write" >&2
  exit 1
}
codes=$(grep -c '^### ' "$page")
for code in $(sed -n 's/^### //p' "$page"); do
  "$MUSTER" explain "$code" > "$work/one"
  grep -q "^$code: " "$work/one"
done
echo "$codes codes, each with its text, cause and next step; the page is current"
