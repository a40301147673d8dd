#!/usr/bin/env bash
# A machine, a host and an authority under `doctor`, as docs/src/doctor.md shows them: all well, then
# with the host's service stopped. What is printed must be what the page shows, but for what differs
# from run to run: ports, times, sizes, this machine's directory. With --write it writes the page.
#
# Usage: examples/doctor.sh [--write]  (builds and uses target/release/muster)
#        MUSTER=/path/to/muster examples/doctor.sh
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${MUSTER:-}" ]; then
  cargo build --release --manifest-path "$here/Cargo.toml" --package muster
  MUSTER=$here/target/release/muster
fi
page=$here/docs/src/doctor.md
work=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"
export TZ=UTC

address_of() { # log file of a service
  for _ in $(seq 200); do
    address=$(sed -n 's/^listening on \([^ ,]*\).*/\1/p' "$1")
    [ -n "$address" ] && { echo "$address"; return; }
    sleep 0.05
  done
  cat "$1" "$1.err" >&2; echo "the service did not become ready" >&2; exit 1
}
authority() { "$MUSTER" authority "$@" --dir authority; }
kms() { "$MUSTER" kms "$@" --dir kms --sysroot hardware; }
client() { "$MUSTER" client "$@" --dir client --sysroot hardware; }

mkdir -p hardware/etc
printf '%032x\n' 7 > hardware/etc/machine-id
authority init --publisher Contoso 2> words
authority product add cad --name "Contoso CAD" --kind client --threshold 1 > words
authority product policy cad --out cad.policy > words
authority root export --out contoso.root > words 2>&1
authority key issue --product cad --channel kms-host > host.key
authority key issue --product cad --channel generic > generic.key
"$MUSTER" authority serve --dir authority --listen 127.0.0.1:0 > authority.log 2> authority.log.err &
pids+=($!)
url=http://$(address_of authority.log)
kms install-key @host.key --authority "$url" --root contoso.root > words
"$MUSTER" kms serve --dir kms --listen 127.0.0.1:0 > kms.log 2> kms.log.err &
service=$!
pids+=("$service")
host=$(address_of kms.log)
client install-key @generic.key --policy cad.policy > words 2>&1
client set-host "$host" > words

# Runs doctor with its exit code, and keeps what it says under a name.
says() { # name, exit code wanted, noun and arguments
  local name=$1 wanted=$2 noun=$3 exit=0; shift 3
  "$noun" doctor "$@" > "$name.out" || exit=$?
  cat "$name.out"
  [ "$exit" = "$wanted" ] || { echo "exit $exit, not $wanted" >&2; exit 1; }
}
says client-well 0 client
says kms-well 0 kms
says authority-well 0 authority --url "$url"
kill "$service"
wait "$service" || true
pids=("${pids[@]/#$service/}")
says client-ill 1 client
says kms-ill 1 kms

# The page's blocks follow a comment that names them.
python3 - "$page" "${1:-}" <<'END'
import difflib, os, re, sys

STABLE = [
    (re.escape(os.getcwd()) + r"/?", ""),
    (r"\b(authority|kms|client)/(kms|authority)\.db", r"/var/lib/muster/\1/\2.db"),
    (r"^(ok +disk +)(authority|kms|client):", r"\1/var/lib/muster/\2:"),
    (r"127\.0\.0\.1:\d+", "192.0.2.7:1688"),
    (r"127\.0\.0\.1", "192.0.2.7"),
    (r"http://192\.0\.2\.7:1688", "https://authority.contoso.example"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d \+00:00", "2026-11-25 09:30 +00:00"),
    (r"(until|from) 2026-11-25 09:30", r"\1 2027-05-24 09:30"),
    (r"\b\d+ bytes", "4096 bytes"),
    (r"\b\d+ MiB", "51200 MiB"),
    (r"\b\d+s (ahead of|behind)", "0s ahead of"),
    (r"made \d+s ago", "made 4s ago"),
    (r"\d+d left", "364d left"),
    (r"(key |: )…[0-9A-Z]{5}", r"\1…7Q2WK"),
    (r" \(declared, under [^)]*\)", ""),
    (r"issuing-[0-9a-f]{16}", "issuing-1f6c02e9b47d53aa"),
    (r"^(ok +chain +)[^ ,]+,", r"\1kms,"),
]

page, write = sys.argv[1], sys.argv[2] == "--write"
text = open(page).read()

def stable(name):
    said = open(name + ".out").read()
    for found, shown in STABLE:
        said = re.sub(found, shown, said, flags=re.M)
    return said.strip("\n")

def block(match):
    return f"{match[1]}```text\n{stable(match[2])}\n```\n"

new = re.sub(r"(<!-- doctor: ([a-z-]+) -->\n\n)```text\n.*?```\n", block, text, flags=re.S)
if write:
    open(page, "w").write(new)
    print("written: docs/src/doctor.md")
elif new != text:
    lines = [side.splitlines(True) for side in (text, new)]
    sys.stdout.writelines(difflib.unified_diff(*lines, "docs/src/doctor.md", "what doctor says"))
    sys.exit("docs/src/doctor.md is not current: run examples/doctor.sh --write")
else:
    print("docs/src/doctor.md shows what doctor says")
END
