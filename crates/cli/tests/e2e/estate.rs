//! A small estate of real processes for end-to-end tests: each role in a directory of its own, the
//! real binary, real sockets. Everything started is stopped when the estate goes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use muster_proto::time::Span;
use serde_json::Value;

/// How long a service may take to become ready, and a command to end.
const READY_SECONDS: u64 = 30;

/// The binary under test.
pub(crate) fn muster() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MUSTER_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Runs a prepared command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().expect("the command runs");
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Whether it ended with exit code 0.
    pub(crate) fn is_done(&self) -> bool {
        self.code == 0
    }

    /// Demands exit code 0.
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// Demands exit code 1 and a reason code in the words.
    pub(crate) fn refused(self, code: &str) -> Self {
        assert_eq!(self.code, 1, "{self:#?}");
        assert!(self.stderr.contains(code), "{code} is not in {self:#?}");
        self
    }

    /// The JSON document on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }
}

/// Runs `muster` with arguments.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Outcome {
    Outcome::of(muster().args(args))
}

/// A service process; it is killed when dropped.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    pub(crate) address: String,
    log: mpsc::Receiver<String>,
}

impl Service {
    /// Starts a service and waits for its ready line.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::try_start(command)
            .unwrap_or_else(|log| panic!("the service did not become ready: {log:#?}"))
    }

    /// The same; what it said where it ended before it was ready.
    pub(crate) fn try_start(command: &mut Command) -> Result<Self, Vec<String>> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the service starts");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let (tell, log) = mpsc::channel();
        let (ready, address) = mpsc::channel();
        let tell_too = tell.clone();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let rest = line.strip_prefix("listening on ");
                // A client's service that has no socket is ready all the same.
                if let Some(rest) = rest.or_else(|| line.strip_prefix("serving ")) {
                    let address = rest.split([',', ' ']).next().unwrap_or_default().to_owned();
                    let _ = ready.send(address);
                }
                let _ = tell.send(line);
            }
        });
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = tell_too.send(line);
            }
        });
        let address = address.recv_timeout(Duration::from_secs(READY_SECONDS));
        let Ok(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(log.iter().collect());
        };
        Ok(Self {
            child,
            address,
            log,
        })
    }

    /// Whether the process has ended by itself, or was killed by another.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// What the service has logged since the last call.
    pub(crate) fn log(&self) -> Vec<String> {
        // The reader threads may be a moment behind the answer that caused the line.
        let mut lines = Vec::new();
        while let Ok(line) = self.log.recv_timeout(Duration::from_millis(200)) {
            lines.push(line);
        }
        lines
    }

    /// What the service logs up to a line with this text.
    pub(crate) fn log_until(&self, text: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        while !lines.last().is_some_and(|line| line.contains(text)) {
            let line = self.log.recv_timeout(Duration::from_secs(READY_SECONDS));
            lines.push(line.unwrap_or_else(|_| panic!("{text:?} is not in {lines:#?}")));
        }
        lines
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the service can be killed");
        self.child.wait().expect("the service has ended");
    }

    /// SIGTERM and its exit code.
    pub(crate) fn stop(mut self) -> i32 {
        let pid = self.child.id().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .stderr(Stdio::null())
            .status()
            .expect("kill runs");
        self.child
            .wait()
            .expect("the service ends")
            .code()
            .unwrap_or(-1)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The publisher of most estates.
const FIRST: &str = "Contoso";

/// A publisher with an authority, and whatever hosts and machines a test makes.
pub(crate) struct Estate {
    pub(crate) dir: Arc<tempfile::TempDir>,
    publisher: &'static str,
}

impl Estate {
    /// A publisher with one product.
    pub(crate) fn new(product: &str, kind: &str) -> Self {
        let dir = Arc::new(tempfile::tempdir().expect("a directory"));
        Self::of(dir, FIRST, product, kind)
    }

    /// An estate in a directory where a test makes the authority itself.
    pub(crate) fn in_dir(dir: tempfile::TempDir) -> Self {
        Self {
            dir: Arc::new(dir),
            publisher: FIRST,
        }
    }

    /// Another publisher with one product, beside this one: hosts and machines are the same.
    pub(crate) fn beside(&self, publisher: &'static str, product: &str, kind: &str) -> Self {
        Self::of(Arc::clone(&self.dir), publisher, product, kind)
    }

    fn of(dir: Arc<tempfile::TempDir>, publisher: &'static str, product: &str, kind: &str) -> Self {
        let estate = Self { dir, publisher };
        estate.authority(&["init", "--publisher", publisher]).done();
        estate.product(product, kind, &[]);
        estate
    }

    /// A publisher with one product of which one machine is enough, and a certified host.
    pub(crate) fn solo() -> Self {
        let estate = Self::new("solo", "client");
        let set = ["product", "set", "solo", "--threshold", "1"];
        estate.authority(&set).done();
        estate.write_policy("solo");
        let authority = estate.serve_authority();
        estate.certify("kms", "solo", &authority);
        estate
    }

    /// A licensed machine `m` of [`Estate::solo`] with the host that serves it.
    pub(crate) fn licensed() -> (Self, Service) {
        let estate = Self::solo();
        let host = estate.serve_kms("kms", &[]);
        let generic = estate.key("solo", "generic");
        estate.machine("m", "solo", &generic, &host.address);
        estate.client("m", &["activate"]).done();
        (estate, host)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `muster authority …` on the estate's authority.
    pub(crate) fn authority(&self, args: &[&str]) -> Outcome {
        run(self.authority_args(args))
    }

    /// The arguments of `muster authority …` on the estate's authority.
    pub(crate) fn authority_args(&self, args: &[&str]) -> Vec<String> {
        self.role("authority", &self.authority_dir(), args)
    }

    /// Adds a product and writes its policy bundle.
    pub(crate) fn product(&self, product: &str, kind: &str, fields: &[&str]) {
        let add = ["product", "add", product, "--name", product, "--kind", kind];
        self.authority(&[&add, fields].concat()).done();
        self.write_policy(product);
    }

    /// Writes a product's present policy bundle.
    pub(crate) fn write_policy(&self, product: &str) {
        let out = self.policy(product);
        let out = out.to_str().expect("paths are text");
        self.authority(&["product", "policy", product, "--out", out])
            .done();
    }

    pub(crate) fn policy(&self, product: &str) -> PathBuf {
        self.path(&format!("{product}{}.policy", self.suffix()))
    }

    fn authority_dir(&self) -> String {
        format!("authority{}", self.suffix())
    }

    /// What tells a second publisher's files from the first one's.
    fn suffix(&self) -> String {
        match self.publisher {
            FIRST => String::new(),
            other => format!("-{other}"),
        }
    }

    /// Issues a key of a channel.
    pub(crate) fn key(&self, product: &str, channel: &str) -> String {
        let args = [
            "key",
            "issue",
            "--product",
            product,
            "--channel",
            channel,
            "--json",
        ];
        let issued = self.authority(&args).done().json();
        issued["keys"][0]["key"].as_str().expect("a key").to_owned()
    }

    /// Starts the authority's service.
    pub(crate) fn serve_authority(&self) -> Service {
        let args = self.authority_args(&["serve", "--listen", "127.0.0.1:0"]);
        Service::start(muster().args(args))
    }

    /// Certifies a host by wire under a new host product key.
    pub(crate) fn certify(&self, host: &str, product: &str, authority: &Service) {
        let key = self.key(product, "kms-host");
        let url = format!("http://{}", authority.address);
        self.kms(host, &["install-key", &key, "--authority", &url])
            .done();
    }

    /// Runs `muster kms …` on a host of the estate.
    pub(crate) fn kms(&self, host: &str, args: &[&str]) -> Outcome {
        run(self.kms_args(host, args))
    }

    /// The arguments of `muster kms …` on a host of the estate.
    pub(crate) fn kms_args(&self, host: &str, args: &[&str]) -> Vec<String> {
        let mut args = self.role("kms", host, args);
        args.extend(["--sysroot".to_owned(), self.hardware(host)]);
        args
    }

    /// Starts a KMS host.
    pub(crate) fn serve_kms(&self, host: &str, more: &[&str]) -> Service {
        let listen: &[&str] = if more.contains(&"--listen") {
            &[]
        } else {
            &["--listen", "127.0.0.1:0"]
        };
        let args = [&["serve"], listen, more].concat();
        Service::start(muster().args(self.kms_args(host, &args)))
    }

    /// Runs `muster client …` on a machine of the estate.
    pub(crate) fn client(&self, machine: &str, args: &[&str]) -> Outcome {
        run(self.client_args(machine, args))
    }

    /// The arguments of `muster client …` on a machine of the estate.
    pub(crate) fn client_args(&self, machine: &str, args: &[&str]) -> Vec<String> {
        let mut args = self.role("client", machine, args);
        args.extend(["--sysroot".to_owned(), self.hardware(machine)]);
        args
    }

    /// Installs a generic key on a machine and points it at a host.
    pub(crate) fn machine(&self, machine: &str, product: &str, generic: &str, host: &str) {
        let policy = self.policy(product);
        let policy = policy.to_str().expect("paths are text");
        self.client(machine, &["install-key", generic, "--policy", policy])
            .done();
        self.client(machine, &["set-host", host]).done();
    }

    /// The first product of a machine's status.
    pub(crate) fn status(&self, machine: &str) -> Value {
        self.client(machine, &["status", "--json"]).done().json()["products"][0].take()
    }

    /// The declared hardware of a machine: made when first named, different for each.
    pub(crate) fn hardware(&self, name: &str) -> String {
        let root = self.path(&format!("hardware-{name}"));
        let id = root.join("etc/machine-id");
        if !id.exists() {
            fs::create_dir_all(root.join("etc")).expect("a directory");
            fs::create_dir_all(root.join("sys/class/dmi/id")).expect("a directory");
            let text: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
            fs::write(&id, format!("{text:0>32}\n")).expect("a file");
            fs::write(
                root.join("sys/class/dmi/id/product_uuid"),
                format!("uuid of {name}\n"),
            )
            .expect("a file");
        }
        root.to_str().expect("paths are text").to_owned()
    }

    fn role(&self, noun: &str, dir: &str, args: &[&str]) -> Vec<String> {
        let dir = self.path(dir);
        let dir = dir.to_str().expect("paths are text");
        let head = std::iter::once(noun).chain(args.iter().copied());
        head.chain(["--dir", dir]).map(str::to_owned).collect()
    }
}

/// The time that has run, to measure how long something takes.
pub(crate) fn running_time() -> Span {
    muster_machine::clock::since_boot().expect("the system tells how long it runs")
}

/// Waits for what a running service notices by itself.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..100 {
        if holds() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(200));
    }
    panic!("never: {what}");
}

/// Copies a directory with its files.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("the directory is read") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
