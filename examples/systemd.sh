#!/usr/bin/env bash
# The unit files under packaging/: verified, held to a limit of exposure, and then started by a real
# systemd in namespaces of its own, with the machine's /usr and nothing else of it. There the three
# services run as their users, serve each other, survive a hang, and stop.
#
# Usage: examples/systemd.sh            (builds and uses target/release/muster)
#        MUSTER=/path/to/muster examples/systemd.sh
# It needs Debian's package systemd, and root for the second part.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${MUSTER:-}" ]; then
  cargo build --release --manifest-path "$here/Cargo.toml" --package muster
  MUSTER=$here/target/release/muster
fi
packaging=$here/packaging
work=$(mktemp -d)
outer= cgroup=
# Runs a command where the private systemd is; its process is the only child of `outer`.
inside() { [ -n "$outer" ] && nsenter -t "$(tr -d " " < "/proc/$outer/task/$outer/children")" --all "$@"; }
cleanup() {
  local exit=$?
  [ "$exit" = 0 ] || { echo "ended with $exit"; inside journalctl --no-pager -n 60 || true; } >&2
  if [ -n "$outer" ]; then
    kill -9 "$outer" 2>/dev/null || true
    wait "$outer" 2>/dev/null || true
  fi
  if [ -n "$cgroup" ]; then
    for _ in $(seq 50); do
      find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
      [ -d "$cgroup" ] || break
      sleep 0.1
    done
  fi
  rm -rf "$work"
}
trap cleanup EXIT
say() { printf '\n== %s\n' "$*"; }
fail() { echo "$*" >&2; exit 1; }

say "The units are well-formed and expose little (of 10.0)"
mkdir -p "$work/units" "$work/root/etc"
for role in authority kms client; do
  # verify insists on a program that is there.
  sed "s#=/usr/bin/muster #=$MUSTER #" "$packaging/systemd/muster-$role.service" \
    > "$work/units/muster-$role.service"
done
systemd-analyze verify --man=no "$work"/units/*.service
for role in authority kms client; do
  systemd-analyze security --offline=true --threshold=20 --no-pager \
    "$work/units/muster-$role.service" | tail -n 1
done
systemd-sysusers --root="$work/root" "$packaging/sysusers.d/muster.conf" 2> "$work/words"
grep -q '^muster:' "$work/root/etc/passwd" || fail "sysusers made no user"
systemd-tmpfiles --root="$work/root" --create "$packaging/tmpfiles.d/muster.conf"
[ -d "$work/root/etc/muster" ] && [ -d "$work/root/var/lib/muster" ] || fail "tmpfiles made nothing"

# A private root: the machine's /usr with this muster in it, and an empty rest. It runs in new
# namespaces, where the mounts are nobody else's.
cat > "$work/boot.sh" <<'END'
set -eu
root=$1 muster=$2 packaging=$3
mount --make-rprivate /
mount -t tmpfs -o mode=755 none "$root"
cd "$root"
mkdir -p usr etc/systemd/system var/lib var/log proc sys dev run tmp root old up scratch
for name in bin sbin lib lib64; do ln -s "usr/$name" "$name"; done
mount -t overlay overlay -o "lowerdir=/usr,upperdir=$root/up,workdir=$root/scratch" usr
cp "$muster" usr/bin/muster
rm -f usr/lib/sysusers.d/* usr/lib/tmpfiles.d/*
cp "$packaging"/systemd/*.service usr/lib/systemd/system/
cp "$packaging/sysusers.d/muster.conf" usr/lib/sysusers.d/
cp "$packaging/tmpfiles.d/muster.conf" usr/lib/tmpfiles.d/
cp /etc/ld.so.cache etc/
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' > etc/passwd
printf 'root:x:0:\nnogroup:x:65534:\n' > etc/group
printf 'passwd: files\ngroup: files\nhosts: files\n' > etc/nsswitch.conf
printf '127.0.0.1 localhost\n' > etc/hosts
echo 0123456789abcdef0123456789abcdef > etc/machine-id
# Of the machine's own units only those that every system begins with.
for unit in dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
  sys-kernel-config.mount sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount \
  dbus.socket dbus.service systemd-udevd.service systemd-udev-trigger.service \
  systemd-networkd.service systemd-resolved.service systemd-timesyncd.service \
  systemd-logind.service systemd-modules-load.service systemd-sysctl.service \
  systemd-random-seed.service systemd-binfmt.service systemd-update-utmp.service; do
  ln -s /dev/null "etc/systemd/system/$unit"
done
ln -s /usr/lib/systemd/system/basic.target etc/systemd/system/default.target
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs -o mode=755 none run
mount -t tmpfs -o mode=1777 none tmp
mount -t tmpfs -o mode=755 none dev
for device in null zero full random urandom tty; do
  touch "dev/$device" && mount --bind "/dev/$device" "dev/$device"
done
touch dev/console && mount --bind /dev/null dev/console
mkdir dev/shm dev/pts && mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
pivot_root . old
umount -l /old
exec env -i container=example PATH=/usr/bin:/usr/sbin /usr/lib/systemd/systemd \
  --log-target=journal-or-kmsg < /dev/null > /dev/null 2>&1
END
sets="--mount --pid --ipc --uts --cgroup --net"
if ! unshare $sets --fork sh -c 'mount -t tmpfs none /mnt && mkdir /mnt/c &&
    mount -t cgroup2 none /mnt/c && mkdir /mnt/l /mnt/u /mnt/w /mnt/m &&
    mount -t overlay overlay -o lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w /mnt/m' \
    2> "$work/words"; then
  cat "$work/words" >&2
  echo "NOT RUN: this user may not start a systemd in namespaces of its own; root may, on most" \
    "machines. The units are verified, and nothing more."
  exit 0
fi

say "A systemd of its own"
cgroup=$(sed -n 's/^[^ ]* \([^ ]*\) cgroup2 .*/\1/p' /proc/mounts | head -n 1)/muster-example-$$
mkdir "$cgroup" "$work/private"
(
  echo "$BASHPID" > "$cgroup/cgroup.procs"
  exec unshare $sets --fork --kill-child bash "$work/boot.sh" "$work/private" "$MUSTER" "$packaging"
) &
outer=$!
until_true() { # a command, for 20 seconds at most
  for _ in $(seq 200); do "$@" > "$work/out" 2>&1 && return; sleep 0.1; done
  cat "$work/out" >&2; fail "did not become true: $*"
}
is_up() { inside systemctl is-system-running | grep -qE 'running|degraded'; }
until_true is_up
inside systemctl --no-pager --version | head -n 1
run() { inside env -i PATH=/usr/bin:/usr/sbin HOME=/root sh -euc "$1"; }

say "The three services, with root's commands beside them"
run 'cd /root
  muster authority init --publisher Contoso 2> words
  muster authority product add cad --name CAD --kind client --threshold 1
  muster authority product policy cad --out cad.policy
  muster authority key issue --product cad --channel kms-host > host.key
  muster authority key issue --product cad --channel generic > generic.key
  muster authority root export --out contoso.root 2> words
  systemctl start muster-authority
  muster kms install-key @host.key --authority http://127.0.0.1:8443 --root contoso.root
  systemctl start muster-kms
  muster client install-key @generic.key --policy cad.policy 2> words
  muster client set-host 127.0.0.1
  systemctl start muster-client'
is_licensed() { run 'muster client status --check'; }
until_true is_licensed
cat "$work/out"

say "Somebody without privileges asks by way of the service's socket"
inside setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=/usr/bin HOME=/ \
  muster client activate

property() { inside systemctl show "muster-$1" -P "$2"; }
say "Each is what its unit says: its user, no capability, a filter, a file system that is read-only"
for role in authority kms client; do
  pid=$(property "$role" MainPID)
  owner=$(inside stat -c %U "/proc/$pid") state=$(inside cat "/proc/$pid/status")
  for line in 'CapEff:\s0*$' 'CapBnd:\s0*$' 'NoNewPrivs:\s1' 'Seccomp:\s2'; do
    grep -qP "^$line" <<< "$state" || fail "$role: not $line"
  done
  inside nsenter -t "$pid" --mount touch /etc/written /usr/written 2> "$work/words" &&
    fail "$role can write outside its directory"
  echo "$role: user $owner, state $(inside stat -c '%n %U %a' "/var/lib/muster/$role")"
done
[ "$(property kms User)" = muster ] && [ "$(property client User)" = root ] || fail "wrong users"

say "What root's commands leave in a service's directory is the service's"
run 'muster authority rotate 2> /root/words; muster kms set --retry 1h > /root/words'
inside find /var/lib/muster/authority /var/lib/muster/kms ! -user muster > "$work/out"
[ ! -s "$work/out" ] || { cat "$work/out" >&2; fail "these belong to somebody else"; }
run 'muster authority product add cam --name CAM --kind client > /root/words
  muster authority key issue --product cam --channel kms-host > /root/cam.key
  muster kms install-key @/root/cam.key --authority http://127.0.0.1:8443'

say "A service that hangs is noticed by the watchdog and started anew"
run 'mkdir -p /run/systemd/system/muster-kms.service.d
  printf "[Service]\nWatchdogSec=3s\nRestartSec=100ms\n" > /run/systemd/system/muster-kms.service.d/fast.conf
  systemctl daemon-reload; systemctl restart muster-kms'
sleep 4 # longer than the limit: its own beat keeps it alive
[ "$(property kms NRestarts)" = 0 ] || fail "the watchdog takes a good service for a hung one"
inside kill -STOP "$(property kms MainPID)"
is_anew() { [ "$(property kms NRestarts)" = 1 ] && [ "$(property kms SubState)" = running ]; }
until_true is_anew
inside journalctl --no-pager -u muster-kms -g 'Watchdog timeout' | tail -n 1
run 'muster client activate'

say "All stop in order"
inside systemctl stop muster-client muster-kms muster-authority
for role in authority kms client; do
  [ "$(property "$role" ActiveState) $(property "$role" Result)" = "inactive success" ] ||
    fail "$role ended badly: $(property "$role" Result)"
done
echo "Done"
