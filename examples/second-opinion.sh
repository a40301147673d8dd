#!/usr/bin/env bash
# A second implementation judges what the first one made: examples/verifier, written in Python from
# docs/src/protocol/ alone, runs all golden vectors, agrees with the first one on statements that were
# altered and signed anew, verifies what a live estate has granted (that of examples/by-hand.sh), and
# finds every bit that is flipped in it.
#
# Usage: examples/second-opinion.sh     (builds and uses target/release/muster; needs python3, PyPI)
#        MUSTER=/path/to/muster examples/second-opinion.sh
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${MUSTER:-}" ]; then
  cargo build --release --manifest-path "$here/Cargo.toml" --package muster
  MUSTER=$here/target/release/muster
fi
MUSTER=$(realpath "$MUSTER")
export MUSTER
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '\n== %s\n' "$*"; }
fail() { echo "$*" >&2; exit 1; }
field() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for p in sys.argv[1].split("."): v = v[int(p)] if p.isdigit() else v[p]
print(v)' "$1"; }
# What the verifier says of a file, as JSON in $work/said; its exit code must be the one given.
says() { # exit code, file, options
  local wanted=$1 exit=0; shift
  verifier verify "$@" --json > "$work/said" || exit=$?
  [ "$exit" = "$wanted" ] || { cat "$work/said" >&2; fail "exit $exit, not $wanted: verify $*"; }
}
said() { field "findings.$1" < "$work/said"; } # path in the first finding of a file

say "The verifier: its packages, and its own tests"
packages=$here/examples/verifier/requirements.txt
home=$here/target/tools/verifier-$(sha256sum "$packages" | cut -c 1-16)
if [ ! -e "$home/ready" ]; then
  python3 -m venv --clear "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
    --only-binary :all: --requirement "$packages"
  touch "$home/ready"
fi
in_its_folder() { (cd "$here/examples/verifier" && "$home/bin/python" -B -m "$@"); }
in_its_folder unittest --quiet

verifier() { in_its_folder muster_verifier "$@"; }

say "The golden vectors"
verifier vectors "$here/vectors"

say "Good vectors, altered and signed anew: both accept or both refuse"
in_its_folder tests.altered "$MUSTER" 1 600

say "An estate: examples/by-hand.sh"
mkdir "$work/estate"
KEEP=$work/estate "$here/examples/by-hand.sh" > "$work/estate.log" 2>&1 ||
  { cat "$work/estate.log" >&2; fail "the estate did not come up"; }
tail -n 1 "$work/estate.log"
root=$work/estate/contoso.root

say "Five leases: both implementations say the same of each"
for n in 1 2 3 4 5; do
  client=("--dir" "$work/estate/machine$n" "--sysroot" "$work/estate/hardware$n")
  "$MUSTER" client export "${client[@]}" --out "$work/out$n" > /dev/null
  "$MUSTER" client status "${client[@]}" --json > "$work/status"
  lease=$(ls "$work/out$n"/*.lease)
  says 0 "$lease" --root "$root" --policy "$work/estate/render.policy" \
    --component "installation=$(cat "$work/estate/hardware$n/etc/machine-id")"
  ends=$(date -u -d "@$(said 0.ends)" +%Y-%m-%dT%H:%M:%SZ)
  [ "$ends" = "$(field products.0.expires_at < "$work/status")" ] || fail "it ends at $ends"
  [ "$(said 0.claims.count)" = "$(field products.0.count < "$work/status")" ] || fail "the count"
  [[ "$(said 0.claims.cnf)" = "$(field products.0.client_id < "$work/status")"* ]] ||
    fail "it is another client's"
  says 0 "$work/out$n" --root "$root"
  says 0 "$work/estate/machine$n/state" --root "$root"
  echo "machine $n: count $(field products.0.count < "$work/status"), to the end of $ends"
done

say "What must not pass: another machine, after the end, under another root"
lease=$(ls "$work/out1"/*.lease)
says 1 "$lease" --root "$root" --policy "$work/estate/render.policy" --component installation=another
[ "$(said 0.reason.code)" = MUSTER-CLI-0010 ] || fail "not refused for its hardware"
says 1 "$lease" --root "$root" --at 2999-01-01T00:00:00Z
[ "$(said 0.reason.code)" = MUSTER-CLI-0009 ] || fail "not refused for its end"
"$MUSTER" authority root init --publisher Fabrikam --out "$work/other.key" > /dev/null 2>&1
"$MUSTER" authority root export --key "$work/other.key" --out "$work/other.root" > /dev/null 2>&1
says 1 "$lease" --root "$work/other.root"
[ "$(said 0.reason.code)" = MUSTER-STM-0013 ] || fail "not refused for its publisher"
echo "refused, each for its own reason"

say "Every bit of a lease and of a policy bundle"
"$MUSTER" authority product policy render --dir "$work/estate/authority" --out "$work/render.policy"
says 0 "$work/render.policy" --root "$root"
verifier damage "$lease" --root "$root"
verifier damage "$work/render.policy" --root "$root"

say "Done: two implementations, one opinion"
