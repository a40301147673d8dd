#!/usr/bin/env bash
# Runs the commands of the pages under docs/src/operate/ as they stand there, and looks whether what
# the pages promise is so: backup and restore, the move to another machine, keys replaced while
# machines ask, an upgrade. What a page shows in a block of `sh` is run here, every block, in order.
#
# Each machine of the story is a directory: /var/lib/muster, /etc/muster and the hardware lie below
# it. `systemctl` starts and ends services as they are; time passes by Debian's `faketime`.
#
# Usage: examples/pages.sh              (builds and uses target/release/muster)
#        MUSTER=/path/to/muster examples/pages.sh
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${MUSTER:-}" ]; then
  cargo build --release --manifest-path "$here/Cargo.toml" --package muster
  MUSTER=$here/target/release/muster
fi
export MUSTER
work=$(mktemp -d)
cleanup() {
  local exit=$?
  [ "$exit" = 0 ] || { echo "ended with $exit; the last words:"; tail -n 20 "$work/words"; } >&2
  for pid in $(cat "$work"/*/run/*.pid 2>/dev/null); do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
say() { printf '\n== %s\n' "$*"; }
fail() { echo "$*" >&2; exit 1; }

mkdir "$work/bin"
library=$(ls /usr/lib/*/faketime/libfaketime.so.1 | head -n 1)
cat > "$work/bin/muster" <<END
#!/bin/sh
[ -z "\${WHEN:-}" ] || export LD_PRELOAD=$library FAKETIME="\$WHEN"
exec "\$MUSTER" "\$@"
END
cat > "$work/bin/systemctl" <<'END'
#!/usr/bin/env bash
# start, stop, enable --now and disable --now of one unit, for services of one machine.
set -eu
verb=$1 unit=${!#} role=${!#}
role=${role#muster-} pidfile=$ROOT/run/$unit.pid log=$ROOT/run/$unit.log
case $verb in
start | enable)
  : > "$log"
  setsid muster "$role" serve >> "$log" 2>&1 < /dev/null &
  echo $! > "$pidfile"
  for _ in $(seq 200); do grep -q '^listening on' "$log" && exit; sleep 0.05; done
  cat "$log" >&2; exit 1 ;;
stop | disable)
  pid=$(cat "$pidfile"); kill "$pid"
  for _ in $(seq 200); do [ -d "/proc/$pid" ] || { rm "$pidfile"; exit; }; sleep 0.05; done
  exit 1 ;;
esac
END
chmod +x "$work"/bin/*
export PATH="$work/bin:$PATH"

# Turns to a machine: what is typed from now on is typed there.
on() {
  export ROOT=$work/$1
  local data=$ROOT/var/lib/muster
  export MUSTER_AUTHORITY_DIR=$data/authority MUSTER_KMS_DIR=$data/kms MUSTER_CLIENT_DIR=$data/client
  export MUSTER_AUTHORITY_CONFIG=$ROOT/etc/muster/authority.toml
  export MUSTER_KMS_CONFIG=$ROOT/etc/muster/kms.toml MUSTER_CLIENT_CONFIG=$ROOT/etc/muster/client.toml
  export MUSTER_SYSROOT=$ROOT
  if [ ! -d "$ROOT" ]; then
    mkdir -p "$data" "$ROOT/etc/muster" "$ROOT/root" "$ROOT/run"
    printf '%s' "$1" | sha256sum | cut -c 1-32 > "$ROOT/etc/machine-id"
    touch "$ROOT"/etc/muster/{kms,client}.toml
    echo 'listen = "127.0.0.1:0"' > "$ROOT/etc/muster/authority.toml"
  fi
  cd "$ROOT/root"
}
page() { file=$here/docs/src/operate/$1.md blocks=0; say "$(sed -n '1s/^# //p' "$file")"; }
# Runs the page's next block on the machine that is turned to.
step() {
  blocks=$((blocks + 1))
  awk -v wanted="$blocks" '/^```sh$/ { at++; inside = 1; next } /^```/ { inside = 0 }
    inside && at == wanted' "$file" > "$work/block"
  [ -s "$work/block" ] || fail "$file has no block $blocks"
  echo "-- $(basename "$ROOT")${WHEN:+ at $WHEN}"; sed 's/^/   $ /' "$work/block"
  sed -e "s#/var/lib/muster#$ROOT/var/lib/muster#g" -e "s#/etc/muster#$ROOT/etc/muster#g" \
    "$work/block" > "$work/commands"
  bash -eu "$work/commands" > "$work/words" 2>&1 || fail "the page's commands failed"
}
page_done() {
  [ "$(grep -c '^```sh$' "$file")" = "$blocks" ] || fail "$file has more blocks than $blocks"
}
quiet() { "$@" > "$work/words" 2>&1; }
refused() { # reason code, command
  local code=$1; shift
  if quiet "$@"; then fail "not refused: $*"; fi
  grep -q "$code" "$work/words" || fail "not $code: $*"
  echo "refused, as it must be: $(head -n 1 "$work/words")"
}
field() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for p in sys.argv[1].split("."): v = v[int(p)] if p.isdigit() else v[p]
print(v)' "$1"; }
until_true() {
  for _ in $(seq 100); do if quiet "$@"; then return; fi; sleep 0.1; done
  fail "did not become true: $*"
}
address_of() { sed -n 's/^listening on \([^ ,]*\).*/\1/p' "$ROOT/run/muster-$1.log"; }
counts() { [ "$(muster kms status --json | field pools.0.count)" = "$1" ]; }
# A machine asks; it stays who it is, and is licensed.
asks() {
  local here=$ROOT before after
  on "$1"
  before=$(muster client status --json | field products.0.client_id)
  muster client activate > "$work/words" 2>&1 || fail "$1 is not licensed"
  # A host that gave no answer is named, although the licence stays.
  if grep -q '(configured for' "$work/words"; then fail "$1 got no answer"; fi
  after=$(muster client status --json | field products.0.client_id)
  [ "$before" = None ] || [ "$before" = "$after" ] || fail "$1 was told to make a new key"
  on "$(basename "$here")"
}
machine() { # name: a new machine, told the host
  local here=$ROOT
  on "$1"
  quiet muster client install-key "@$work/generic.key" --policy "$work/cad.policy"
  quiet muster client set-host "$host"
  on "$(basename "$here")"
}

say "An estate: a publisher, a host, two machines"
on publisher
quiet muster authority init --publisher Contoso
quiet muster authority product add cad --name CAD --kind client --threshold 2
quiet muster authority product policy cad --out "$work/cad.policy"
quiet muster authority root export --out "$work/contoso.root"
muster authority key issue --product cad --channel kms-host > "$work/host.key"
muster authority key issue --product cad --channel generic > "$work/generic.key"
systemctl start muster-authority
authority=http://$(address_of authority)
certify() {
  quiet muster kms install-key "@$work/host.key" --authority "$authority" --root "$work/contoso.root"
}
on old
certify
echo 'listen = ["127.0.0.1:0"]' > "$ROOT/etc/muster/kms.toml"
systemctl start muster-kms
host=$(address_of kms)
# From now on it keeps its address, as the one that takes its place does.
echo "listen = [\"$host\"]" > "$ROOT/etc/muster/kms.toml"
machine m1; machine m2; machine m3
on m1; refused MUSTER-CLI-0006 muster client activate
on old; asks m2; asks m1

page backup
on old; step
asks m3; counts 3 || fail "the third is not counted"
step; until_true counts 2
asks m1; asks m2; asks m3; until_true counts 3
echo "the machines noticed nothing, and are counted again"
on publisher; step
muster authority key issue --product cad --channel kms-host > "$work/later.key"
on publisher2
cp -a "$work/publisher/root"/authority.backup{,.keys} .
step
muster authority key issue --product cad --channel kms-host > "$work/other.key"
! cmp -s "$work/later.key" "$work/other.key" || fail "a key was given out twice"
page_done

page move
on old; step
cp -a "$ROOT/root/kms.backup" "$work/kms.backup"
cp -a "$ROOT/var/lib/muster/kms" "$work/kept" # what somebody keeps who does not follow the page
on new
cp "$work/kms.backup" . && cp "$work/old/etc/muster/kms.toml" "$ROOT/etc/muster/"
step; cat "$work/words"
counts 3 || fail "the count was lost on the way"
asks m1; asks m2; asks m3; counts 3 || fail "a machine was counted twice"
on old; step
[ ! -e "$MUSTER_KMS_DIR" ] || fail "the old one's data is there"
page_done

page rotate
on publisher; step
on new; asks m1; machine m4; asks m4; counts 4
on branch # a host that is certified under the new issuing key: machines follow it to the same root
certify
echo 'listen = ["127.0.0.1:0"]' > "$ROOT/etc/muster/kms.toml"
systemctl start muster-kms
on m1; quiet muster client set-host "$(on branch; address_of kms)"
on new; asks m1; asks m2
on m1; quiet muster client set-host "$host"
on new; asks m1
systemctl stop muster-kms; systemctl start muster-kms # a restart changes nothing about it
asks m2
on vault # a publisher whose root is elsewhere
quiet muster authority root init --publisher Vault --out root.key
quiet muster authority root export --key root.key --out vault.root
quiet muster authority init --publisher Vault --root vault.root --offline --out first.request
quiet muster authority root sign first.request --key root.key --out first.answer
quiet muster authority apply first.answer
step
on publisher; step
cp cad.policy "$work/cad.policy"
on new; machine m5; asks m5

systemctl stop muster-kms
export WHEN=+31d
systemctl start muster-kms
on m1; muster client activate > "$work/words" 2>&1 || fail "a licence ended with the host's pause"
grep MUSTER-CLI-0041 "$work/words" || fail "the host signs although its clock has jumped"
on new; step
until_true muster kms status
answers() { ( asks m1 ) }
until_true answers
systemctl stop muster-kms; systemctl start muster-kms
until_true grep -q 'opening key was replaced' "$ROOT/run/muster-kms.log"
asks m1; asks m2 # sealed to the old key, and to the new one
echo "an opening key was replaced; the machines ask on"
systemctl stop muster-kms
export WHEN=+40d # the old opening key is forgotten
quiet muster kms confirm-clock
systemctl start muster-kms
asks m1; asks m3; asks m4
page_done

page upgrade
on new; step
step; cat "$work/words"
asks m2
page_done

say "Half a year later: who serves on without leave is named"
on publisher
systemctl stop muster-authority
export WHEN=+240d
systemctl start muster-authority
authority=http://$(address_of authority)
on new
quiet muster kms backup --out before.backup
quiet muster kms renew --authority "$authority"
grep -q Certified "$work/words" || fail "the moved host was not renewed"
on disobedient
cp -a "$work/kept" "$MUSTER_KMS_DIR"
refused MUSTER-AUT-0051 muster kms renew --authority "$authority"
on publisher
[ "$(muster authority host list --json | field hosts.0.forks)" = 1 ] || fail "the fork is not shown"
on new # a backup from before the renewal has the same fate, and the way out that the page names
quiet muster kms restore before.backup
refused MUSTER-AUT-0051 muster kms renew --authority "$authority"
certify
echo "activated again with its host product key"

say "Done"
