#!/usr/bin/env bash
# A host's life after the first day, as docs/src/operate.md describes it: settings, the list of
# clients, DNS, backup and restore, copies of an image, the clock, and the end of a key.
# The zone is the one of a small `muster lab`, whose DNS server takes signed updates.
#
# Usage: examples/operate.sh            (builds and uses target/release/muster)
#        MUSTER=/path/to/muster examples/operate.sh
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
  [ "$exit" = 0 ] || { echo "ended with $exit; the last words kept were:"; cat words; } >&2 || true
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

say() { printf '\n== %s\n' "$*"; }
fail() { echo "$*" >&2; exit 1; }
field() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for p in sys.argv[1].split("."): v = v[int(p)] if p.isdigit() else v[p]
print(v)' "$1"; }
# Runs a command that must end with an exit code (1 refused, 2 misused) and a reason.
ends_with() { # exit code, reason code, command
  local wanted=$1 code=$2 exit=0; shift 2
  "$@" > out 2> words || exit=$?
  [ "$exit" = "$wanted" ] || fail "exit $exit, not $wanted: $*"
  grep -q "$code" words || { cat words >&2; fail "not $code: $*"; }
  echo "refused, as it must be: $(head -n 1 words)"
}
refused() { ends_with 1 "$@"; } # reason code, command
# Runs a command again until it succeeds, for ten seconds at most.
until_true() {
  for _ in $(seq 100); do "$@" > out 2> words && return; sleep 0.1; done
  cat out words >&2; fail "did not become true: $*"
}
address_of() { # log file of a service
  for _ in $(seq 200); do
    address=$(sed -n 's/^listening on \([^ ,]*\).*/\1/p' "$1")
    [ -n "$address" ] && { echo "$address"; return; }
    sleep 0.05
  done
  cat "$1" "$1.err" >&2; fail "the service did not become ready"
}
ends() { # pid: the service ends in order
  kill "$1"; wait "$1" || fail "a service ended with exit $?"
  pids=("${pids[@]/#$1/}")
}
authority() { "$MUSTER" authority "$@" --dir authority; }
kms() { "$MUSTER" kms "$@" --dir kms; }
machine() { # number, verb and arguments
  local n=$1 verb=$2; shift 2
  "$MUSTER" client "$verb" --dir "machine$n" --sysroot "hardware$n" "$@"
}
count() { [ "$("$MUSTER" kms status --dir "$1" --json | field pools.0.count)" = "$2" ]; }

say "An estate: an authority, a host, two machines; and a zone that takes updates"
"$MUSTER" lab --clients 1 --dir lab > lab.log 2> lab.log.err &
pids+=($!)
authority init --publisher Contoso 2> words
authority product add cad --name "Contoso CAD" --kind client --threshold 2
authority product policy cad --out cad.policy
authority root export --out contoso.root 2> words
authority key issue --product cad --channel kms-host > host.key
authority key issue --product cad --channel generic > generic.key
"$MUSTER" authority serve --dir authority --listen 127.0.0.1:0 > authority.log 2> authority.log.err &
pids+=($!)
kms install-key @host.key --authority "http://$(address_of authority.log)" --root contoso.root
until_true grep -q '^  dig @' lab.log.err lab.log
dns=127.0.0.1:$(cat lab.log lab.log.err | sed -n 's/^  dig @127.0.0.1 -p \([0-9]*\) .*/\1/p')
printf 'key "lab-key" { algorithm hmac-sha256; secret "%s"; };\n' "$(base64 < lab/dns/lab.tsig)" \
  > tsig.key
chmod 600 tsig.key
zone=(--dns-zone lab.test --dns-server "$dns" --tsig-key tsig.key --host-name second.lab.test)
"$MUSTER" kms serve --dir kms --listen 127.0.0.1:0 "${zone[@]}" > kms.log 2> kms.log.err &
service=$!
pids+=("$service")
host=$(address_of kms.log)
for n in 1 2; do
  mkdir -p "hardware$n/etc"
  printf '%032x\n' "$n" > "hardware$n/etc/machine-id"
  machine "$n" install-key @generic.key --policy cad.policy > out 2> words
  machine "$n" set-host "$host"
done
refused MUSTER-CLI-0006 machine 1 activate
machine 2 activate
machine 1 activate

say "What the host knows"
kms status
kms clients
first=$(kms clients --limit 1 --json | field clients.0.id)
kms clients --limit 1 --after "$first"
[ "$(kms clients --product cad --json | field clients.1.pool)" = cad ] || fail "two clients are listed"
refused MUSTER-KMS-0021 kms clients --product other

say "Settings, without a restart"
kms set --renewal 1d --retry 30m
renews_within_two_days() {
  machine 1 activate && python3 -c 'import datetime as d, json, sys
at = d.datetime.fromisoformat(json.load(sys.stdin)["products"][0]["renew_at"].replace("Z", "+00:00"))
sys.exit(at - d.datetime.now(d.timezone.utc) > d.timedelta(days=2))' < <(machine 1 status --json)
}
until_true renews_within_two_days
kms set --renewal policy --retry policy
refused MUSTER-KMS-0014 kms set --renewal 60d
ends_with 2 MUSTER-CFG-0001 kms set --retry soon

say "Nothing to renew yet"
kms renew

say "DNS: registered by itself, printed for a zone kept by hand, and withdrawn"
port=${dns##*:}
record() { dig @127.0.0.1 -p "$port" _muster-kms._tcp.lab.test SRV +short | grep 'second\.lab\.test'; }
gone() { ! record; }
until_true record
cat out
kms dns-records --dns-zone corp.example --host-name kms.corp.example
until_true eval '[ "$(kms status --json | field dns.0.state)" = published ]'
kms retire "${zone[@]}"
until_true gone

say "A backup, and back to it while the service runs"
kms backup --out kms.backup
[ "$(stat -c %a kms.backup)" = 600 ] || fail "the backup can be read by others"
mkdir -p hardware3/etc && printf '%032x\n' 3 > hardware3/etc/machine-id
machine 3 install-key @generic.key --policy cad.policy > out 2> words
machine 3 set-host "$host"
machine 3 activate
count kms 3 || fail "the third machine is not counted"
kms restore kms.backup
count kms 2 || fail "the count is not the backup's"
machine 3 activate
until_true count kms 3
refused MUSTER-STO-0013 kms restore host.key

say "Three machines from one image: each is counted by itself within two asks"
mkdir -p image-hardware/etc && printf '%032x\n' 99 > image-hardware/etc/machine-id
"$MUSTER" client install-key @generic.key --policy cad.policy --dir image \
  --sysroot image-hardware > out 2> words
"$MUSTER" client set-host "$host" --dir image --sysroot image-hardware
"$MUSTER" client activate --dir image --sysroot image-hardware > out
"$MUSTER" client reset-identity --dir image --sysroot image-hardware
for n in 4 5 6; do
  cp -a image "machine$n"
  mkdir -p "hardware$n/etc" && printf '%032x\n' "$n" > "hardware$n/etc/machine-id"
done
for round in 1 2; do
  for n in 4 5 6; do machine "$n" activate > out 2> words || cat words; done
  echo "after $round: $(kms status --json | field pools.0.count) counted"
done
[ "$(for n in 4 5 6; do machine "$n" status --check --json | field products.0.client_id; done |
  sort -u | wc -l)" = 3 ] || fail "copies still share an identity"
until_true count kms 7

say "The clock: confirmed by hand"
kms confirm-clock

say "The publisher asks for more machines: a new policy, which hosts fetch within a day"
authority product set cad --threshold 3
[ "$(authority product show cad --json | field policy.version)" = 2 ] || fail "not version 2"
authority product policy cad --out cad-2.policy
machine 1 install-key @generic.key --policy cad-2.policy > out 2> words
refused MUSTER-STM-0035 machine 1 install-key @generic.key --policy cad.policy

say "The end of a key: the host stops serving it, the machines keep their leases"
last5=$(tail -c 6 host.key)
refused MUSTER-KMS-0044 kms remove-key AAAAA
kms remove-key "$last5"
authority key revoke "$last5" --with-hosts
authority host list
machine 2 status --check > out
echo "machine 2: $(machine 2 status --json | field products.0.state)"
ends "$service"

say "Done"
