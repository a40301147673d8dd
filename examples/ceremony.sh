#!/usr/bin/env bash
# Everything by files: the root is made and kept offline, the authority never serves, and the KMS
# host never reaches it. What goes from one place to another lies in the folder `stick`, as on a
# medium that is carried. At the end two machines are licensed through that host.
#
# The same steps, in words: docs/src/publish.md (the ceremony, hosts) and docs/src/deploy.md.
#
# Usage: examples/ceremony.sh           (builds and uses target/release/muster)
#        MUSTER=/path/to/muster examples/ceremony.sh
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${MUSTER:-}" ]; then
  cargo build --release --manifest-path "$here/Cargo.toml" --package muster
  MUSTER=$here/target/release/muster
fi
work=$(mktemp -d)
pids=()
cleanup() {
  local exit=$?
  [ "$exit" = 0 ] || { echo "ended with $exit; the last words kept were:"; cat "$work/words"; } >&2 || true
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
mkdir "$work/offline" "$work/server" "$work/host" "$work/stick"
stick=$work/stick

say() { printf '\n== %s\n' "$*"; }
fail() { echo "$*" >&2; exit 1; }
field() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for p in sys.argv[1].split("."): v = v[int(p)] if p.isdigit() else v[p]
print(v)' "$1"; }
# The command must be refused: exit 1 and this code in its words.
refused() { # code, command
  local code=$1 exit=0; shift
  "$@" > "$work/out" 2> "$work/words" || exit=$?
  [ "$exit" = 1 ] || fail "exit $exit, not 1: $*"
  grep -q "$code" "$work/words" || { cat "$work/words" >&2; fail "not $code: $*"; }
  echo "refused, as it must be: $(head -n 1 "$work/words")"
}
address_of() { # log file of a service
  for _ in $(seq 200); do
    address=$(sed -n 's/^listening on \([^ ,]*\).*/\1/p' "$1")
    [ -n "$address" ] && { echo "$address"; return; }
    sleep 0.05
  done
  cat "$1" "$1.err" >&2; fail "the service did not become ready"
}
offline() { (cd "$work/offline" && "$MUSTER" authority root "$@"); }
authority() { (cd "$work/server" && "$MUSTER" authority "$@" --dir authority); }
kms() { (cd "$work/host" && "$MUSTER" kms "$@" --dir kms); }

say "Offline: the root"
offline init --publisher Contoso --out root.key
offline export --key root.key --out "$stick/contoso.root"
[ "$(stat -c %a "$work/offline/root.key")" = 600 ] || fail "the root's secret can be read by others"
refused MUSTER-CFG-0004 offline init --publisher Contoso --out root.key

say "The server: an authority that asks the root for its certificate"
authority init --publisher Contoso --offline --root "$stick/contoso.root" \
  --out "$stick/issuing.request"
refused MUSTER-AUT-0003 authority product add cad --name "Contoso CAD" --kind client

say "Offline: the root reads the request, and signs it"
"$MUSTER" inspect "$stick/issuing.request"
offline sign "$stick/issuing.request" --key root.key --out "$stick/issuing.answer"

say "The server: the answer, a product, its policy and two keys"
authority apply "$stick/issuing.answer"
authority apply "$stick/issuing.answer" > "$work/out" 2>&1 || fail "apply is not safe to run twice"
authority product add cad --name "Contoso CAD" --kind client --threshold 2
authority product policy cad --out "$stick/cad.policy"
"$MUSTER" inspect "$stick/cad.policy" --verify --root "$stick/contoso.root" > "$work/out"
authority key issue --product cad --channel kms-host > "$work/host/host.key"
authority key issue --product cad --channel generic > "$stick/generic.key"

say "The host: a request in place of a connection"
kms install-key @host.key --root "$stick/cad.policy" --offline --out "$stick/host.request"
refused MUSTER-KMS-0040 kms serve --listen 127.0.0.1:0

say "The server: the answer; the same request gets the same answer"
authority certify "$stick/host.request" --out "$stick/host.answer"
authority certify "$stick/host.request" --out "$work/again" > "$work/out" 2>&1
cmp "$stick/host.answer" "$work/again"
[ "$(authority host list --json | field hosts.0.products.0)" = cad ] || fail "the host is not listed"

say "The host: certified, and serving"
kms apply "$stick/host.answer"
"$MUSTER" kms serve --dir "$work/host/kms" --listen 127.0.0.1:0 \
  > "$work/kms.log" 2> "$work/kms.log.err" &
pids+=($!)
host=$(address_of "$work/kms.log")
echo "KMS host at $host"

say "Two machines"
machine() { # number, verb and arguments: each machine has its own directory and its own hardware
  local n=$1 verb=$2; shift 2
  "$MUSTER" client "$verb" --dir "$work/machine$n" --sysroot "$work/hardware$n" "$@"
}
for n in 1 2; do
  mkdir -p "$work/hardware$n/etc"
  printf '%032x\n' "$n" > "$work/hardware$n/etc/machine-id"
  machine "$n" install-key @"$stick/generic.key" --policy "$stick/cad.policy" \
    --root "$stick/contoso.root"
  machine "$n" set-host "$host"
done
refused MUSTER-CLI-0006 machine 1 activate
machine 2 activate
machine 1 activate
machine 1 status --check > "$work/out"

say "What a machine holds is good for anyone who has the root"
machine 1 export --out "$work/export"
"$MUSTER" inspect "$work"/export/*.lease --verify --root "$stick/contoso.root" --json > "$work/lease"
[ "$(field valid < "$work/lease")" = True ] || fail "the lease does not verify"

say "A new issuing key, by the same way; the host and its machines notice nothing"
authority rotate --out "$stick/rotate.request"
offline sign "$stick/rotate.request" --key root.key --out "$stick/rotate.answer"
authority apply "$stick/rotate.answer"
machine 2 activate

say "Seven months later: the host's certificate is renewed by files too"
later() { faketime -f +210d "$@"; }
cd "$work/host"
later "$MUSTER" kms renew --dir kms --out "$stick/renew.request"
later "$MUSTER" authority certify "$stick/renew.request" --dir "$work/server/authority" \
  --out "$stick/renew.answer"
later "$MUSTER" kms apply "$stick/renew.answer" --dir kms

say "Done: root, authority, host and machines, with nothing between them but files"
