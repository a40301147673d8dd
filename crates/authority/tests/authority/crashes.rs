//! The 6 x 10 rule under concurrency, retries and SIGKILL: never one more, never one lost.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use muster_authority::Authority;
use muster_proto::authority::HostNumber;
use muster_proto::crypto::sha256;
use muster_proto::ids::Thumbprint;
use muster_proto::reason::authority as reasons;

use tokio::sync::Semaphore;

use crate::common::{NOW, authority, host_key, request};

const MACHINES: usize = 12;
const REQUESTS_OF_EACH: usize = 12;
const REQUESTS: usize = MACHINES * REQUESTS_OF_EACH;

/// Tells the worker which directory it is one of.
const WORKER: &str = "MUSTER_TEST_WORKER";

/// Tells the worker how many requests it may have under way at once.
const AT_ONCE: &str = "MUSTER_TEST_AT_ONCE";

/// What a request was answered with, as one line tells it.
type Acknowledged = BTreeMap<usize, String>;

#[test]
fn never_one_more_and_never_one_lost() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let key = runtime.block_on(prepare(directory.path()));
    let mut acknowledged = Acknowledged::new();
    // Killed after so many answers, then again from where it stands, with all requests again.
    // All at once they share a few commits; a few at a time, each kill falls between two.
    let kills = [
        (0, 144),
        (1, 4),
        (5, 100),
        (13, 4),
        (29, 144),
        (47, 4),
        (90, 8),
    ];
    for (answers, at_once) in kills {
        let mut worker = Worker::start(directory.path(), at_once);
        worker.read(&mut acknowledged, Some(answers));
        worker.kill();
    }
    // Two processes at once, to the end: a service and a command beside it.
    let mut workers = [0, 1].map(|_| Worker::start(directory.path(), REQUESTS));
    for worker in &mut workers {
        let mut all = acknowledged.clone();
        worker.read(&mut all, None);
        assert_eq!(all.len(), REQUESTS);
        acknowledged = all;
        worker.finish();
    }
    let granted = acknowledged
        .values()
        .filter(|line| !line.starts_with("MUSTER"));
    assert_eq!(granted.count(), 60);
    runtime.block_on(check_books(directory.path(), &key, &acknowledged));
}

/// What the store holds is what was acknowledged.
async fn check_books(directory: &Path, key: &str, acknowledged: &Acknowledged) {
    let authority = Authority::open(&home(directory)).await.unwrap();
    let report = authority.key(key).await.unwrap();
    assert_eq!((report.hosts_used, report.activations_used), (6, 60));
    let hosts = authority.hosts(HostNumber(0), 100).await.unwrap();
    assert_eq!(hosts.len(), 6);
    assert!(hosts.iter().all(|host| host.certificates == 10));
    let log = authority.audit(0, 1_000).await.unwrap();
    let grants = log.iter().filter(|e| e.event.starts_with("host-activated"));
    assert_eq!(grants.count(), 60);
    for refused in acknowledged
        .values()
        .filter(|line| line.starts_with("MUSTER"))
    {
        let known = [
            reasons::HOSTS_SPENT.code(),
            reasons::ACTIVATIONS_SPENT.code(),
        ];
        assert!(known.contains(&refused.as_str()), "{refused}");
    }
}

async fn prepare(directory: &Path) -> String {
    let authority = authority(&home(directory)).await;
    let publisher = authority.publisher(NOW).await.unwrap();
    let key = host_key(&authority).await;
    for number in 0..REQUESTS {
        let machine = format!("machine {}", number % MACHINES);
        let made = request(&publisher, &[&key], &machine);
        fs::write(directory.join(format!("{number}.req")), made.bytes).unwrap();
    }
    authority.close().await;
    key.reveal().to_string()
}

fn home(directory: &Path) -> PathBuf {
    directory.join("authority")
}

/// This program again, running [`worker`] alone.
struct Worker {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Worker {
    fn start(directory: &Path, at_once: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crashes::worker", "--nocapture", "--quiet"])
            .env(WORKER, directory)
            .env(AT_ONCE, at_once.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Reads acknowledgements, `most` of them or all; each must be what it was before.
    fn read(&mut self, acknowledged: &mut Acknowledged, most: Option<usize>) {
        let mut line = String::new();
        let mut count = 0;
        while most.is_none_or(|most| count < most) {
            line.clear();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                assert_eq!(most, None, "the worker ended before it was killed");
                return;
            }
            let Some((_, answer)) = line.trim_end().split_once("answer ") else {
                continue;
            };
            let (number, said) = answer.split_once(' ').unwrap();
            let known = acknowledged
                .entry(number.parse().unwrap())
                .or_insert_with(|| said.to_owned());
            assert_eq!(known, said, "request {number}");
            count += 1;
        }
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn finish(&mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

/// The process that is killed: certifies every request at once and writes a line for each answer.
/// Run with the other tests it has nothing to do.
#[test]
fn worker() {
    let Some(directory) = std::env::var_os(WORKER).map(PathBuf::from) else {
        return;
    };
    let at_once = std::env::var(AT_ONCE).unwrap().parse().unwrap();
    let places = Arc::new(Semaphore::new(at_once));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let authority = Arc::new(Authority::open(&home(&directory)).await.unwrap());
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..REQUESTS {
            let (authority, places) = (Arc::clone(&authority), Arc::clone(&places));
            let bytes = fs::read(directory.join(format!("{number}.req"))).unwrap();
            tasks.spawn(async move {
                let _place = places.acquire().await.unwrap();
                answer(&authority, number, &bytes).await;
            });
        }
        tasks.join_all().await;
    });
}

async fn answer(authority: &Authority, number: usize, request: &[u8]) {
    let said = match authority.certify(request, None, NOW).await {
        Ok(activation) => {
            let bytes = activation.encode();
            let hash = sha256(&bytes);
            Thumbprint(hash).to_string()
        }
        Err(refusal) => refusal.reason.code().to_owned(),
    };
    let line = format!("answer {number} {said}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}
