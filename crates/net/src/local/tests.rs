//! The local socket over real sockets: callers that are slow, too large, too many or gone; files
//! left behind, and files of somebody else.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use muster_proto::client::LicenceState;
use muster_proto::client::local::{Answer, LENGTH_BYTES, Request};
use muster_proto::ids::PublisherId;
use muster_proto::limits::LOCAL_REQUEST_BYTES_MAX;
use muster_proto::reason::{client as reasons, statement};
use muster_proto::{Reason, Refusal};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

const WAIT: Duration = Duration::from_secs(20);

fn request() -> Request {
    Request {
        publisher: PublisherId([7; 16]),
        product: "cad".parse().unwrap(),
    }
}

fn short() -> Limits {
    Limits {
        connections_max: 200,
        connections_per_user_max: 100,
        request_timeout: Duration::from_millis(300),
        answer_timeout: Duration::from_millis(600),
        place_kept: Duration::ZERO,
    }
}

/// A service in a task of its own; `silent` is a product for which its handler never ends.
struct Running {
    dir: tempfile::TempDir,
    task: JoinHandle<()>,
    /// Told when a handler begins that never ends.
    silent: Arc<Notify>,
}

impl Running {
    fn start(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = Listener::bind(&dir.path().join("socket")).unwrap();
        let silent = Arc::new(Notify::new());
        let begun = Arc::clone(&silent);
        let handler = move |visit: Visit| {
            let begun = Arc::clone(&begun);
            async move {
                if visit.request.product.as_str() == "silent" {
                    begun.notify_one();
                    std::future::pending::<()>().await;
                }
                let detail = format!("{} {}", visit.uid, visit.request.product);
                let reason = Refusal::new(reasons::LICENSED, detail);
                Answer::outcome(LicenceState::Licensed, &reason, None)
            }
        };
        let task = tokio::spawn(async move {
            serve(&listener, limits, handler).await.unwrap();
        });
        Self { dir, task, silent }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    async fn ask(&self) -> Result<Answer, Refusal> {
        ask(&self.path(), &request(), WAIT).await
    }

    /// Stops as a service does: the future is dropped.
    async fn stop(self) -> tempfile::TempDir {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.dir
    }
}

/// Sends bytes and reads what comes until the end, on a thread of its own.
async fn raw(path: &Path, bytes: Vec<u8>) -> Vec<u8> {
    let path = path.to_path_buf();
    let exchange = move || {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        let _ = stream.write_all(&bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    };
    tokio::task::spawn_blocking(exchange).await.unwrap()
}

fn reason_of(answer: &[u8]) -> Reason {
    let answer = Answer::decode(&answer[LENGTH_BYTES..]).unwrap();
    assert_eq!(answer.state, None);
    answer.reason().reason
}

fn own_uid() -> u32 {
    fs::metadata("/proc/self").unwrap().uid()
}

#[tokio::test]
async fn a_request_is_answered_and_the_kernel_says_whose_it_is() {
    let service = Running::start(short());
    let mode = fs::metadata(service.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666, "every user may connect");
    for _ in 0..20 {
        let answer = service.ask().await.unwrap();
        assert!(answer.is_licensed());
        assert_eq!(answer.detail, format!("{} cad", own_uid()));
    }
    let path = service.path();
    let dir = service.stop().await;
    assert!(!path.exists(), "it removes what it made");
    let refusal = ask(&path, &request(), WAIT).await.unwrap_err();
    assert_eq!(refusal.reason, reasons::SERVICE_NONE);
    drop(dir);
}

#[tokio::test]
async fn a_slow_caller_is_told_and_costs_no_other_anything() {
    let service = Running::start(short());
    for part in [0, 1, 2, 9] {
        let bytes = request().encode()[..part].to_vec();
        let path = service.path();
        let slow = raw(&path, bytes);
        let (said, quick) = tokio::join!(slow, service.ask());
        assert_eq!(reason_of(&said), reasons::REQUEST_LATE);
        assert!(quick.unwrap().is_licensed());
    }
}

#[tokio::test]
async fn hostile_bytes_get_a_reason_and_nothing_more() {
    let service = Running::start(short());
    let good = request().encode();
    let over = u16::try_from(LOCAL_REQUEST_BYTES_MAX + 1).unwrap();
    let mut over = over.to_be_bytes().to_vec();
    over.resize(LOCAL_REQUEST_BYTES_MAX + 1 + LENGTH_BYTES, 0);
    let mut other = good.clone();
    let at = other.windows(8).position(|at| at == b"activate").unwrap();
    other[at] = b'b';
    for (bytes, reason) in [
        (vec![0xff; 100_000], statement::TOO_LARGE),
        (over, statement::TOO_LARGE),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), statement::TOO_LARGE),
        (vec![0, 0], statement::NOT_CBOR),
        (vec![0, 1, 0xf6], statement::OUTSIDE_PROFILE),
        (other, statement::WRONG_TYPE),
    ] {
        assert_eq!(reason_of(&raw(&service.path(), bytes).await), reason);
    }
    // A second request on the same connection is not read.
    let answer = raw(&service.path(), [good.clone(), good].concat()).await;
    let length = usize::from(u16::from_be_bytes([answer[0], answer[1]]));
    assert_eq!(answer.len(), LENGTH_BYTES + length);
    assert!(service.ask().await.unwrap().is_licensed());
}

#[tokio::test]
async fn one_user_has_his_share_and_all_together_have_theirs() {
    for (connections_max, connections_per_user_max) in [(3, 2), (2, 5)] {
        let limits = Limits {
            connections_max,
            connections_per_user_max,
            request_timeout: WAIT,
            ..short()
        };
        let service = Running::start(limits);
        let idle: Vec<UnixStream> = (0..2)
            .map(|_| UnixStream::connect(service.path()).unwrap())
            .collect();
        let answer = service.ask().await.unwrap();
        assert_eq!(answer.reason().reason, reasons::SERVICE_BUSY);
        drop(idle);
        // The places come back as soon as the service has seen the others go.
        let mut answer = service.ask().await.unwrap();
        for _ in 0..1_000 {
            if answer.is_licensed() {
                break;
            }
            tokio::task::yield_now().await;
            answer = service.ask().await.unwrap();
        }
        assert!(answer.is_licensed());
    }
}

#[tokio::test]
async fn a_place_is_kept_for_a_moment_after_its_answer() {
    let limits = Limits {
        connections_per_user_max: 1,
        place_kept: WAIT,
        ..short()
    };
    let service = Running::start(limits);
    assert!(service.ask().await.unwrap().is_licensed());
    let answer = service.ask().await.unwrap();
    assert_eq!(answer.reason().reason, reasons::SERVICE_BUSY);
}

#[tokio::test]
async fn a_handler_that_never_ends_and_a_service_that_stops_are_told_apart() {
    let service = Running::start(short());
    let mut silent = request();
    silent.product = "silent".parse().unwrap();
    let answer = ask(&service.path(), &silent, WAIT).await.unwrap();
    assert_eq!(answer.reason().reason, reasons::SERVICE_STILL_ASKING);

    let limits = Limits {
        answer_timeout: WAIT,
        ..short()
    };
    let service = Running::start(limits);
    let path = service.path();
    let refusal = ask(&path, &silent, Duration::from_millis(200)).await;
    assert_eq!(refusal.unwrap_err().reason, reasons::SERVICE_SILENT);
    service.silent.notified().await;
    let asking = tokio::spawn(async move { ask(&path, &silent, WAIT).await });
    service.silent.notified().await;
    service.stop().await;
    let refusal = asking.await.unwrap().unwrap_err();
    assert_eq!(refusal.reason, reasons::SERVICE_ENDED);
}

#[tokio::test]
async fn what_answers_there_and_is_no_service_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let said: [&[u8]; 4] = [&[0xff, 0xff], &[0, 1, 0xf6], b"HTTP/1.1 200", &[0, 0]];
    let talk = std::thread::spawn(move || {
        for bytes in said {
            listener.accept().unwrap().0.write_all(bytes).unwrap();
        }
        drop(listener.accept().unwrap());
    });
    for _ in said {
        let refusal = ask(&path, &request(), WAIT).await.unwrap_err();
        assert_eq!(refusal.reason, reasons::SERVICE_ODD);
    }
    let refusal = ask(&path, &request(), WAIT).await.unwrap_err();
    assert_eq!(refusal.reason, reasons::SERVICE_ENDED);
    talk.join().unwrap();
}

#[test]
fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    // A killed service leaves its file; the lock went with the process.
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let listener = Listener::bind(&path).unwrap();
    let refusal = Listener::bind(&path).unwrap_err();
    assert_eq!(refusal.reason, reasons::SOCKET_TAKEN);
    drop(listener);
    assert!(!path.exists());
    // A program that is not muster listens there.
    let _foreign = UnixListener::bind(&path).unwrap();
    let refusal = Listener::bind(&path).unwrap_err();
    assert_eq!(refusal.reason, reasons::SOCKET_TAKEN);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_file_that_is_no_socket_is_never_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let refused = || Listener::bind(&path).unwrap_err().reason;
    fs::write(&path, b"somebody's").unwrap();
    assert_eq!(refused(), reasons::SOCKET_OTHER_FILE);
    assert_eq!(fs::read(&path).unwrap(), b"somebody's");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(refused(), reasons::SOCKET_OTHER_FILE);
    fs::remove_dir(&path).unwrap();
    let elsewhere = dir.path().join("elsewhere");
    drop(UnixListener::bind(&elsewhere).unwrap());
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert_eq!(refused(), reasons::SOCKET_OTHER_FILE);
    assert!(elsewhere.exists() && path.is_symlink());
}

#[test]
fn a_socket_that_was_replaced_is_not_removed_by_its_old_owner() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let listener = Listener::bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"somebody's").unwrap();
    drop(listener);
    assert!(path.exists());
}

#[test]
fn a_path_that_cannot_be_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for path in [
        dir.path().join("missing/socket"),
        dir.path().join("x".repeat(120)),
    ] {
        let refusal = Listener::bind(&path).unwrap_err();
        assert_eq!(refusal.reason, reasons::SOCKET_FAILED);
        assert!(refusal.detail.contains(dir.path().to_str().unwrap()));
    }
}
