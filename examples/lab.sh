#!/usr/bin/env bash
# What docs/src/lab.md says to try: enough machines, one too few, both kinds, and two long outages.
#
# Usage: examples/lab.sh                (builds and uses target/release/muster)
#        MUSTER=/path/to/muster examples/lab.sh
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${MUSTER:-}" ]; then
  cargo build --release --manifest-path "$here/Cargo.toml" --package muster
  MUSTER=$here/target/release/muster
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '\n== %s\n' "$*"; }
fail() { echo "$*" >&2; exit 1; }

say "Twenty-five machines, and five servers: all are licensed"
"$MUSTER" lab --clients 25 --servers 5 --once --json > "$work/json"
python3 - "$work/json" <<'END'
import collections, json, sys
lab = json.load(open(sys.argv[1]))
seen = collections.Counter((m["kind"], m["state"], m["method"]) for m in lab["machines"])
print(dict(seen), "in", lab["seconds"], "s")
assert seen == {("client", "licensed", "kms"): 25, ("server", "licensed", "kms"): 5}
END

say "One machine too few: none is licensed, and the exit code says so"
exit=0
"$MUSTER" lab --clients 24 --once > "$work/out" 2> "$work/words" || exit=$?
tail -n 1 "$work/out"; cat "$work/words"
[ "$exit" = 1 ] || fail "exit $exit, not 1"
[ "$(grep -c '24 of 25' "$work/out")" = 24 ] || fail "not every machine shows 24 of 25"

say "Five hundred days: an outage of 30 days is not felt, one of 220 days is, and is healed"
"$MUSTER" lab --days 500 --once > "$work/out"
sed -n '/simulated days/,$p' "$work/out"
grep -q 'No host for 30 days.*every machine stayed licensed' "$work/out" || fail "30 days were felt"
grep -q 'No host for 220 days.*all licensed again' "$work/out" || fail "220 days were not healed"
