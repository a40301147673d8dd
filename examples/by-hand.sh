#!/usr/bin/env bash
# The main job by hand, with separate directories and processes: an authority, a product for servers
# (threshold 5), a host product key, a KMS host, and five machines. Four see their true count and are
# not licensed; the fifth is; the four are at their next ask.
#
# Usage: examples/by-hand.sh            (builds and uses target/release/muster)
#        MUSTER=/path/to/muster examples/by-hand.sh
#        KEEP=/an/empty/folder examples/by-hand.sh      (leaves the directories there)
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${MUSTER:-}" ]; then
  cargo build --release --manifest-path "$here/Cargo.toml" --package muster
  MUSTER=$here/target/release/muster
fi
work=${KEEP:-$(mktemp -d)}
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap cleanup EXIT

say() { printf '\n== %s\n' "$*"; }
field() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for p in sys.argv[1].split("."): v = v[int(p)] if p.isdigit() else v[p]
print(v)' "$1"; }
# Waits until a service has printed its ready line, and prints the address it listens on.
address_of() { # log file
  for _ in $(seq 200); do
    address=$(sed -n 's/^listening on \([^ ,]*\).*/\1/p' "$1")
    [ -n "$address" ] && { echo "$address"; return; }
    sleep 0.05
  done
  echo "the service did not become ready:" >&2; cat "$1" "$1.err" >&2; return 1
}

say "The publisher: an authority with a root of its own"
"$MUSTER" authority init --dir "$work/authority" --publisher Contoso
"$MUSTER" authority product add render --dir "$work/authority" --name "Contoso Render" --kind server
"$MUSTER" authority product policy render --dir "$work/authority" --out "$work/render.policy"
"$MUSTER" authority root export --dir "$work/authority" --out "$work/contoso.root"
"$MUSTER" authority key issue --dir "$work/authority" --product render --channel kms-host --json \
  | field keys.0.key > "$work/host.key"
"$MUSTER" authority key issue --dir "$work/authority" --product render --channel generic --json \
  | field keys.0.key > "$work/generic.key"
"$MUSTER" authority serve --dir "$work/authority" --listen 127.0.0.1:0 \
  > "$work/authority.log" 2> "$work/authority.log.err" &
pids+=($!)
authority=$(address_of "$work/authority.log")
echo "authority at $authority"

say "The administrator: one KMS host"
"$MUSTER" kms install-key @"$work/host.key" --dir "$work/kms" --authority "http://$authority" \
  --root "$work/contoso.root"
"$MUSTER" kms serve --dir "$work/kms" --listen 127.0.0.1:0 > "$work/kms.log" 2> "$work/kms.log.err" &
pids+=($!)
host=$(address_of "$work/kms.log")
echo "KMS host at $host"

machine() { # number, verb and arguments: each machine has its own directory and its own hardware
  local n=$1; shift
  local verb=$1; shift
  "$MUSTER" client "$verb" --dir "$work/machine$n" --sysroot "$work/hardware$n" "$@"
}
for n in 1 2 3 4 5; do
  mkdir -p "$work/hardware$n/etc"
  printf '%032x\n' "$n" > "$work/hardware$n/etc/machine-id"
  machine "$n" install-key @"$work/generic.key" --policy "$work/render.policy" > /dev/null
  machine "$n" set-host "$host" > /dev/null
done

say "Four machines ask: the count is true, and too small"
for n in 1 2 3 4; do
  if machine "$n" activate > /dev/null 2> "$work/words"; then
    echo "machine $n was licensed with a count of $n" >&2; exit 1
  fi
  status=$(machine "$n" status --json)
  count=$(field products.0.count <<< "$status")
  required=$(field products.0.required <<< "$status")
  state=$(field products.0.state <<< "$status")
  echo "machine $n: $state, $count of $required"
  [ "$count" = "$n" ] && [ "$required" = 5 ] && [ "$state" = unlicensed ]
done

say "The fifth is licensed"
machine 5 activate
[ "$(machine 5 status --json | field products.0.state)" = licensed ]

say "The four are licensed at their next ask"
for n in 1 2 3 4; do
  machine "$n" activate > /dev/null
  machine "$n" status --check > /dev/null
  echo "machine $n: $(machine "$n" status --json | field products.0.state)"
done

say "What the host counted"
"$MUSTER" kms status --dir "$work/kms"
[ "$("$MUSTER" kms status --dir "$work/kms" --json | field pools.0.count)" = 5 ]
"$MUSTER" kms clients --dir "$work/kms"

say "Done: five machines licensed under the root of Contoso"
