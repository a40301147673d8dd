//! Where a service logs: lines on stdout, or, under systemd, entries of the journal with a field for
//! each value. The journal's socket stands in a mount namespace of the service's own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::estate::{Estate, Service, eventually, muster};

/// Runs the rest of the arguments where `/run/systemd/journal` is `$0` and systemd has said that
/// stdout leads to the journal, as it says it.
const UNDER_SYSTEMD: &str = r#"
    mount -t tmpfs none /run && mkdir -p /run/systemd/journal &&
    mount --bind "$0" /run/systemd/journal || exit 9
    exec 3>&1
    JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/3)
    export JOURNAL_STREAM
    exec "$@" 3>&-
"#;

/// A journal: its directory holds the socket that services send entries to.
struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    fn open(dir: &Path) -> Self {
        fs::create_dir(dir).expect("a directory");
        let socket = UnixDatagram::bind(dir.join("socket")).expect("a socket");
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a limit");
        Self { socket }
    }

    /// Reads entries up to the first that is wanted.
    fn find(&self, wanted: impl Fn(&Entry) -> bool) -> Entry {
        let mut bytes = vec![0; 65_536];
        loop {
            let length = self.socket.recv(&mut bytes).expect("an entry comes");
            let entry = parse(&bytes[..length]);
            if wanted(&entry) {
                return entry;
            }
        }
    }
}

type Entry = BTreeMap<String, String>;

/// Reads an entry of systemd's native protocol: `NAME=value`, or the name, a length and the value.
fn parse(mut bytes: &[u8]) -> Entry {
    let mut entry = Entry::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (line, rest) = bytes.split_at(end.expect("a field ends"));
        let line = String::from_utf8_lossy(line).into_owned();
        if let Some((name, value)) = line.split_once('=') {
            entry.insert(name.to_owned(), value.to_owned());
            bytes = &rest[1..];
        } else {
            let (length, rest) = rest[1..].split_first_chunk::<8>().expect("a length");
            let (value, rest) = rest.split_at(u64::from_le_bytes(*length) as usize);
            let value = String::from_utf8_lossy(value).into_owned();
            entry.insert(line, value);
            bytes = &rest[1..];
        }
    }
    entry
}

/// `muster …` as systemd starts it.
fn under_systemd(journal: &Path, args: Vec<String>) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg(UNDER_SYSTEMD)
        .arg(journal)
        .arg(muster().get_program())
        .args(args)
        .stdin(Stdio::null());
    command
}

#[test]
fn a_service_logs_to_stdout_and_the_ready_line_stands_alone() {
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let args = estate.kms_args("kms", &["serve", "--listen", "127.0.0.1:0"]);
    let out = estate.path("out");
    let mut child = muster()
        .args(&args)
        // Inherited from whoever started this: it names another output than this one.
        .env("JOURNAL_STREAM", "1:2")
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(estate.path("err")).unwrap())
        .spawn()
        .unwrap();
    let read = |name: &str| fs::read_to_string(estate.path(name)).unwrap();
    let address = || {
        let out = read("out");
        let ready = out
            .lines()
            .find_map(|line| line.strip_prefix("listening on "));
        ready.map(str::to_owned)
    };
    eventually("the ready line", || address().is_some());
    estate.machine("m", "solo", &generic, &address().unwrap());
    estate.client("m", &["activate"]).done();
    eventually("the log tells of the ask", || {
        let told = |line: &str| line.contains("INFO") && line.contains("code=\"MUSTER-KMS-");
        read("out").lines().any(told)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let err = read("err");
    assert!(!err.contains("INFO"), "{err}");
    assert!(!read("out").contains('\u{1b}'), "no colours in a file");
}

#[test]
fn with_json_the_log_leaves_stdout_to_the_data() {
    let estate = Estate::solo();
    let args = ["serve", "--listen", "127.0.0.1:0", "--json"];
    let out = estate.path("out");
    let mut child = muster()
        .args(estate.kms_args("kms", &args))
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(estate.path("err")).unwrap())
        .spawn()
        .unwrap();
    eventually("the ready line", || {
        fs::read_to_string(&out).unwrap().contains("listening on ")
    });
    Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(child.wait().unwrap().success());
    let said = fs::read_to_string(&out).unwrap();
    let (ready, json) = said.split_once('\n').unwrap();
    assert!(ready.starts_with("listening on "), "{said}");
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["stopped"], true);
    let log = fs::read_to_string(estate.path("err")).unwrap();
    assert!(log.contains("INFO stopping"), "{log}");
}

#[test]
fn under_systemd_a_service_logs_to_the_journal_with_fields() {
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    let dir = estate.path("journal");
    let journal = Journal::open(&dir);
    let args = estate.kms_args("kms", &["serve", "--listen", "127.0.0.1:0"]);
    let host = Service::start(&mut under_systemd(&dir, args));
    estate.machine("m", "solo", &generic, &host.address);
    estate.client("m", &["activate"]).done();
    let asked = journal.find(|entry| entry.contains_key("MUSTER_CLIENT"));
    assert_eq!(asked["PRIORITY"], "6", "{asked:#?}");
    assert_eq!(asked["SYSLOG_IDENTIFIER"], "muster");
    assert_eq!(asked["MUSTER_PEER"], "127.0.0.1");
    assert_eq!(asked["MUSTER_CODE"], "MUSTER-KMS-0001", "{asked:#?}");
    assert!(!asked["MESSAGE"].is_empty());
    // What is no ask is a warning.
    let junk = format!("http://{}/muster/v1/ask", host.address);
    post(&host.address, b"junk").unwrap_or_else(|error| panic!("{junk}: {error}"));
    let warned = journal.find(|entry| entry.contains_key("MUSTER_STATUS"));
    assert_eq!(warned["PRIORITY"], "4", "{warned:#?}");
    assert_eq!(warned["MUSTER_STATUS"], "400");
    assert!(warned["MUSTER_CODE"].starts_with("MUSTER-"));
    let lines = host.log();
    assert!(lines.contains(&format!("listening on {}", host.address)));
    let is_log = |line: &&String| line.contains("MUSTER-") || line.contains("INFO");
    assert_eq!(lines.iter().find(is_log), None, "each is told once");
    assert_eq!(host.stop(), 0);
    journal.find(|entry| entry["MESSAGE"] == "the host has stopped");
}

/// Sends something that is no ask.
fn post(address: &str, body: &[u8]) -> std::io::Result<()> {
    use std::io::{Read, Write};
    let mut line = std::net::TcpStream::connect(address)?;
    let head = format!(
        "POST /muster/v1/ask HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    line.write_all(head.as_bytes())?;
    line.write_all(body)?;
    line.read_to_end(&mut Vec::new()).map(|_| ())
}
