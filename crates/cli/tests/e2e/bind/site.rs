//! A network of its own with BIND in it: network, mount, host name and process namespaces, made with
//! `unshare`. It has no interface but its loopback, on which a few addresses stand; `/etc/resolv.conf`
//! and `/etc/hosts` are files of the test. All of it goes when the site is dropped or the test
//! program ends, however it ends.
//!
//! Root may make namespaces, on many systems everybody may. Where this user may not, or the kernel has
//! no IPv6, the tests say that they are not run, and `cargo xtask test` repeats it in its summary.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::estate::{Outcome, muster};

/// Addresses of a site: where BIND answers, where hosts may serve, and one where nothing listens.
/// What is sent to 198.51.100.1 and 2001:db8:1::1 is dropped.
pub(crate) const V4: &[&str] = &["192.0.2.53", "192.0.2.11", "192.0.2.12", "192.0.2.13"];
pub(crate) const V6: &[&str] = &[
    "2001:db8::53",
    "2001:db8::11",
    "2001:db8::12",
    "2001:db8::13",
];

/// One family of addresses: what a test that runs in either network calls its places.
#[derive(Clone, Copy)]
pub(crate) struct Family {
    addresses: &'static [&'static str],
    /// What is sent there is dropped.
    dropped: &'static str,
}

pub(crate) const IPV4: Family = Family {
    addresses: V4,
    dropped: "198.51.100.1",
};
pub(crate) const IPV6: Family = Family {
    addresses: V6,
    dropped: "2001:db8:1::1",
};

impl Family {
    /// A network of this family alone.
    pub(crate) fn site(self) -> Option<Site> {
        let site = Site::start(&[self.addresses])?;
        site.resolv(&format!("nameserver {}\n", self.bind()));
        Some(site)
    }

    /// Where BIND answers.
    pub(crate) fn bind(self) -> &'static str {
        self.addresses[0]
    }

    /// Where the first, second and third host may serve.
    pub(crate) fn host(self, number: usize) -> &'static str {
        self.addresses[number]
    }

    /// Where nobody answers.
    pub(crate) fn dropped(self) -> &'static str {
        self.dropped
    }

    /// The type of its address records.
    pub(crate) fn record(self) -> &'static str {
        if self.bind().contains(':') {
            "AAAA"
        } else {
            "A"
        }
    }
}

/// An address with a port, as it is written.
pub(crate) fn at(address: &str, port: u16) -> String {
    let address: std::net::IpAddr = address.parse().expect("an address");
    std::net::SocketAddr::new(address, port).to_string()
}

/// Makes the network: addresses, a way on which everything is lost, the files of /etc, BIND.
const SET_UP: &str = r#"
set -e
PATH=$PATH:/usr/sbin:/sbin
hostname pc
for all in /proc/sys/net/ipv6/conf/*/disable_ipv6; do
  [ ! -w "$all" ] || echo 0 > "$all"
done
ip link set lo up
ip -4 addr flush dev lo
ip link add drop type veth peer name lost
ip link set drop up
ip link set lost up
servers=
for address in $ADDRESSES; do
  case $address in
    *:*) ip -6 addr add "$address/128" dev lo nodad ;;
    *) ip addr add "$address/32" dev lo ;;
  esac
  case $address in *53) servers="$servers $address" ;; esac
done
case $ADDRESSES in *192.0.2.*)
  ip addr add 127.0.0.1/8 dev lo
  ip route add 198.51.100.1/32 dev drop src 192.0.2.11
  ip neigh add 198.51.100.1 lladdr 02:00:00:00:00:01 dev drop nud permanent ;;
esac
case $ADDRESSES in *2001:db8:*)
  ip -6 route add 2001:db8:1::1/128 dev drop src 2001:db8::11
  ip -6 neigh add 2001:db8:1::1 lladdr 02:00:00:00:00:01 dev drop nud permanent ;;
esac
mount --bind "$SITE/resolv.conf" /etc/resolv.conf
mount --bind "$SITE/hosts" /etc/hosts
"$TESTENV/dns/up" "$SITE/bind" 53 $servers
echo ready
exec cat
"#;

/// The running site.
pub(crate) struct Site {
    dir: tempfile::TempDir,
    holder: Child,
}

impl Site {
    /// Makes a site with these addresses; none where this user may make no namespaces, which is
    /// said on the terminal.
    pub(crate) fn start(addresses: &[&[&str]]) -> Option<Self> {
        if let Some(why) = why_not(addresses) {
            let test = std::thread::current();
            let test = test.name().unwrap_or("a test");
            // Not by print: a passing test's output is kept back. And in one piece, among others' lines.
            let line = format!("not run: {test}: {why}\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("hosts"), "").expect("a file");
        fs::write(dir.path().join("resolv.conf"), "").expect("a file");
        let mut command = unshare();
        command
            .args(["sh", "-c", SET_UP])
            .env("SITE", dir.path())
            .env("TESTENV", testenv())
            .env("ADDRESSES", addresses.concat().join(" "))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut holder = command.spawn().expect("unshare runs");
        let said = BufReader::new(holder.stdout.take().expect("stdout is piped"));
        let ready = said
            .lines()
            .map_while(Result::ok)
            .any(|line| line == "ready");
        let site = Self { dir, holder };
        assert!(ready, "the site was not made");
        Some(site)
    }

    /// Replaces `/etc/resolv.conf` within the site.
    pub(crate) fn resolv(&self, text: &str) {
        fs::write(self.dir.path().join("resolv.conf"), text).expect("a file");
    }

    /// Replaces `/etc/hosts` within the site.
    pub(crate) fn hosts(&self, text: &str) {
        fs::write(self.dir.path().join("hosts"), text).expect("a file");
    }

    /// A program within the site.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let target = self.holder.id().to_string();
        command.args(["--target", &target, "--net", "--mount", "--uts"]);
        if !is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program).stdin(Stdio::null());
        command
    }

    /// The binary under test within the site.
    pub(crate) fn muster(&self, args: &[String]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_muster"));
        for (name, _) in muster().get_envs() {
            command.env_remove(name);
        }
        command.args(args);
        command
    }

    /// What `dig +short` prints, sorted.
    pub(crate) fn dig(&self, name: &str, kind: &str) -> Vec<String> {
        let server = format!("@{}", self.server());
        let mut command = self.command("dig");
        let args = ["+short", "+time=2", "+tries=2", &server, name, kind];
        let outcome = Outcome::of(command.args(args)).done();
        let mut lines: Vec<String> = outcome.stdout.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Where BIND answers.
    fn server(&self) -> &'static str {
        let log = fs::read_to_string(self.dir.path().join("bind/named.log")).expect("a log");
        if log.contains("IPv4 interface") {
            V4[0]
        } else {
            V6[0]
        }
    }

    /// A key file that `testenv/dns/up` made.
    pub(crate) fn key(&self, name: &str) -> String {
        let path = self.dir.path().join("bind").join(name);
        path.to_str().expect("paths are text").to_owned()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Its end of input is the end of the site's first process, and with it of all others.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// Why a site cannot be made here, if so.
fn why_not(addresses: &[&[&str]]) -> Option<&'static str> {
    if !Outcome::of(unshare().arg("true")).is_done() {
        return Some("this user may make no network namespaces; root may");
    }
    let without_ipv6 = addresses.contains(&V6) && !Path::new("/proc/sys/net/ipv6").exists();
    without_ipv6.then_some("this kernel has no IPv6")
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args([
        "--net",
        "--mount",
        "--uts",
        "--pid",
        "--fork",
        "--kill-child",
    ]);
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
}

fn is_root() -> bool {
    let outcome = Outcome::of(Command::new("id").arg("-u"));
    outcome.stdout.trim() == "0"
}

fn testenv() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testenv")
}
