#!/usr/bin/env bash
# Checks the sample configurations under examples/config/: as they are, and with every sample line
# that is commented out switched on. Each must hold every field of its role, and one field misspelt
# must be refused with its line.
#
# Usage: examples/configs.sh            (builds and uses target/release/muster)
#        MUSTER=/path/to/muster examples/configs.sh
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${MUSTER:-}" ]; then
  cargo build --release --manifest-path "$here/Cargo.toml" --package muster
  MUSTER=$here/target/release/muster
fi
work=$(mktemp -d)
mkdir "$work/unknown"
trap 'rm -rf "$work"' EXIT
fail() { echo "$*" >&2; exit 1; }
known_fields() { # a file with the field zzz
  "$MUSTER" config check "$1" 2> "$work/words" > "$work/out" && fail "zzz is no field"
  sed -n '1s/.*expected \(one of \)\?//p' "$work/words" | grep -o '`[a-z_]*`' | tr -d '`' | tr '\n' ' '
}

for sample in "$here"/examples/config/*.toml; do
  name=$(basename "$sample")
  "$MUSTER" config check "$sample"
  # A sample line is a name, an equals sign and a value; prose has no equals sign.
  sed -E 's/^# ([a-z_]+ = )/\1/' "$sample" > "$work/$name"
  "$MUSTER" config check "$work/$name" > "$work/out"
  # The refusal of an unknown field names the known ones: each must stand in the sample.
  { echo 'zzz = 1'; cat "$work/$name"; } > "$work/unknown/$name"
  known=$(known_fields "$work/unknown/$name")
  if grep -q '^\[dns\]' "$sample"; then
    sed 's/^\[dns\]/[dns]\nzzz = 1/' "$work/$name" > "$work/unknown/$name"
    known="$known $(known_fields "$work/unknown/$name")"
  fi
  for field in $known; do
    grep -qE "^($field = |\[$field\])" "$work/$name" || fail "$name lacks the field $field"
  done
  sed -E '0,/^dir = /s//dirr = /' "$sample" > "$work/$name"
  line=$(grep -n '^dirr' "$work/$name" | cut -d: -f1)
  exit=0
  "$MUSTER" config check "$work/$name" > "$work/out" 2> "$work/words" || exit=$?
  [ "$exit" = 1 ] || fail "$name: a misspelt field was taken, exit $exit"
  grep -q "line $line: .*dirr" "$work/words" || { cat "$work/words" >&2; fail "$name: wrong line"; }
  echo "  every field is there: $known"
done
[ "$(ls "$here"/examples/config/*.toml | wc -l)" = 3 ] || fail "a role has no sample"
