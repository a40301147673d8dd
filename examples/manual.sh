#!/usr/bin/env bash
# Checks that packaging/man and packaging/completions are what this muster prints, and that the
# completions complete. With --write it writes them.
#
# Usage: examples/manual.sh [--write]   (builds and uses target/release/muster)
#        MUSTER=/path/to/muster examples/manual.sh
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${MUSTER:-}" ]; then
  cargo build --release --manifest-path "$here/Cargo.toml" --package muster
  MUSTER=$here/target/release/muster
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*" >&2; exit 1; }
# No variable of this shell may show in them.
clean() { env -i PATH="$PATH" HOME=/root "$MUSTER" "$@"; }

mkdir "$work/completions"
clean man "$work/man" > "$work/words"
clean completions bash > "$work/completions/muster"
clean completions zsh > "$work/completions/_muster"
clean completions fish > "$work/completions/muster.fish"

if [ "${1:-}" = --write ]; then
  for folder in man completions; do
    rm -rf "${here:?}/packaging/$folder"
    cp -r "$work/$folder" "$here/packaging/$folder"
  done
  echo "written: packaging/man, packaging/completions"
  exit
fi
for folder in man completions; do
  diff -ru "$here/packaging/$folder" "$work/$folder" > "$work/difference" || {
    head -n 40 "$work/difference" >&2
    fail "packaging/$folder is not current: run examples/manual.sh --write"
  }
done
# What a shell offers after `muster kms se`.
offered=$(bash -c 'source "$1"; COMP_WORDS=(muster kms se); COMP_CWORD=2
  _muster muster se kms; echo "${COMPREPLY[*]}"' - "$work/completions/muster")
[ "$offered" = "serve set" ] || fail "after \`muster kms se\` bash offers: $offered"
for page in "$work"/man/*.1; do
  grep -q '^\.SH NAME' "$page" || fail "$(basename "$page") names nothing"
done
echo "$(ls "$work/man" | wc -l) man pages and 3 completions are current"
