//! The three nodes: started, struck and mended.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::estate::Outcome;

/// How long a cluster may take until all three nodes work again.
const WHOLE_SECONDS: u32 = 120;

/// What befalls a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// The other nodes are out of its reach, and it of theirs; clients reach it still.
    Cut,
    /// Every process of it ends by SIGKILL.
    Kill,
    /// Every process of it stands still, and goes on later with its connections.
    Stop,
    /// Nobody reaches it.
    Unplug,
}

/// The cluster.
pub(super) struct Cluster {
    dir: tempfile::TempDir,
}

/// Installs Patroni, which needs the network outside.
pub(super) fn install() {
    Outcome::of(&mut Command::new(script("install"))).done();
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../testenv/patroni")
        .join(name)
}

/// A line for the shell, in which it must succeed.
fn shell(line: &str) -> Outcome {
    let line = format!("set -e; PATH=$PATH:/usr/sbin:/sbin; {line}");
    Outcome::of(Command::new("sh").args(["-c", &line])).done()
}

impl Cluster {
    /// Starts one: `quorum` or `async`.
    pub(super) fn start(mode: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Outcome::of(Command::new(script("up")).arg(dir.path()).arg(mode)).done();
        Self { dir }
    }

    /// Where clients find it.
    pub(super) fn url(&self) -> &'static str {
        "postgres://postgres:test@10.77.0.1:5432,10.77.0.2:5432,10.77.0.3:5432/postgres"
    }

    /// Name, role and state of each node.
    fn members(&self) -> Vec<[String; 3]> {
        let told = Outcome::of(&mut Command::new(script("members")));
        let line = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            [(); 3].map(|()| words.next().unwrap_or_default())
        };
        told.stdout.lines().map(line).collect()
    }

    /// The number of the leader's node.
    pub(super) fn leader(&self) -> u8 {
        let members = self.members();
        let leader = members.iter().find(|[_, role, _]| role == "leader");
        let number = leader.and_then(|[name, ..]| name.strip_prefix('n')?.parse().ok());
        number.unwrap_or_else(|| panic!("no leader among {members:?}"))
    }

    /// Waits until there are a leader and two nodes that follow it.
    pub(super) fn wait_until_whole(&self) {
        for _ in 0..WHOLE_SECONDS {
            let members = self.members();
            let leads = |[_, role, state]: &&[String; 3]| role == "leader" && state == "running";
            let follows = |[_, _, state]: &&[String; 3]| state == "streaming";
            if members.iter().filter(leads).count() == 1
                && members.iter().filter(follows).count() == 2
            {
                return;
            }
            std::thread::park_timeout(Duration::from_secs(1));
        }
        let members = self.members();
        panic!("not whole: {members:?}\n{}", self.last_words());
    }

    /// The last lines of each node's Patroni.
    fn last_words(&self) -> String {
        let logs = self.dir.path().join("n?/patroni.log");
        let tail = format!("tail -n 20 {}", logs.display());
        shell(&tail).stdout
    }

    /// Brings a fault over a node.
    pub(super) fn strike(&self, fault: Fault, node: u8) {
        match fault {
            Fault::Cut => self.routes("add", node),
            Fault::Kill => self.signal("KILL", node),
            Fault::Stop => self.signal("STOP", node),
            Fault::Unplug => drop(shell(&format!("ip link set port{node} down"))),
        }
    }

    /// Takes it away again.
    pub(super) fn mend(&self, fault: Fault, node: u8) {
        match fault {
            Fault::Cut => self.routes("del", node),
            Fault::Kill => {
                let mut start = Command::new(script("node"));
                Outcome::of(start.arg(self.dir.path()).arg(node.to_string())).done();
            }
            Fault::Stop => self.signal("CONT", node),
            Fault::Unplug => drop(shell(&format!("ip link set port{node} up"))),
        }
    }

    fn routes(&self, verb: &str, node: u8) {
        for other in (1..=3).filter(|other| *other != node) {
            let route = format!("blackhole 10.77.0.{other}/32");
            shell(&format!("ip -n n{node} route {verb} {route}"));
        }
    }

    /// Twice: of the processes that are listed one may end meanwhile, and another begin.
    fn signal(&self, signal: &str, node: u8) {
        let list = format!("$(ip netns pids n{node})");
        let send = format!("kill -{signal} $pid || [ ! -e /proc/$pid ]");
        let each = format!("for pid in {list}; do {send}; done");
        shell(&format!("{each}; {each}"));
    }

    /// What a query answers, as the leader knows it: a line for each row.
    pub(super) fn query(&self, sql: &str) -> Vec<String> {
        let url = format!("{}?target_session_attrs=read-write", self.url());
        let mut psql = Command::new("psql");
        let told = Outcome::of(psql.args(["-Atq", "-c", sql, &url])).done();
        told.stdout.lines().map(str::to_owned).collect()
    }
}
