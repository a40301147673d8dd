//! Users of a machine who are not its administrator: they ask its service, and may not write its
//! files. Real processes under other user ids. That needs root: without it these processes run as
//! the test's own user, whom the files of a test belong to, and tests that would then prove nothing
//! say that they are not run, and `cargo xtask test` repeats it in its summary.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::disks::set_mode;
use crate::estate::{Estate, Outcome, Service, muster};

/// A user without any right.
pub(crate) const NOBODY: u32 = 65_534;
/// Another one.
const SOMEBODY: u32 = 12_345;

/// Whether this process may become another user.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Whether a test of other users can be run; says that it is not where it cannot.
pub(crate) fn can_be_others() -> bool {
    if !is_root() {
        let test = std::thread::current();
        let test = test.name().unwrap_or("a test");
        let why = "only root may start processes of other users";
        // Past the harness, which keeps the words of tests that pass.
        let _ = writeln!(std::io::stderr(), "not run: {test}: {why}");
    }
    is_root()
}

/// Runs `muster` as a user whom the modes of files bind: root passes over them.
pub(crate) fn unprivileged(estate: &Estate, uid: u32, args: Vec<String>) -> Command {
    if !is_root() {
        let mut command = muster();
        command.args(args);
        return command;
    }
    // The program itself may lie where another user cannot go.
    let program = estate.path("muster");
    if !program.exists() {
        // By a process of its own: what this one holds open for writing, none of the commands that
        // other tests start meanwhile may inherit, or it cannot be executed.
        let copied = Command::new("cp")
            .arg(muster().get_program())
            .arg(&program)
            .status();
        assert!(copied.expect("cp runs").success());
    }
    set_mode(estate.dir.path(), 0o755);
    let mut command = Command::new("setpriv");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MUSTER_")) {
        command.env_remove(name);
    }
    command
        .args([format!("--reuid={uid}"), format!("--regid={uid}")])
        .args(["--clear-groups", "--inh-caps=-all"])
        .arg(program)
        .args(args)
        .stdin(Stdio::null());
    command
}

/// A machine `m` with a product installed and its service, and the host it asks.
struct Shared {
    estate: Estate,
    host: Service,
    service: Option<Service>,
}

impl Shared {
    fn new() -> Self {
        let estate = Estate::solo();
        let host = estate.serve_kms("kms", &[]);
        let generic = estate.key("solo", "generic");
        // Nobody is there yet: the service has asked in vain before users come.
        estate.machine("m", "solo", &generic, "127.0.0.1:1");
        let service = Some(Self::serve(&estate));
        Self {
            estate,
            host,
            service,
        }
    }

    fn serve(estate: &Estate) -> Service {
        Service::start(muster().args(estate.client_args("m", &["serve"])))
    }

    /// `muster client …` on the machine's directory, as a user.
    fn by(&self, uid: u32, args: &[&str]) -> Outcome {
        let args = self.estate.client_args("m", args);
        Outcome::of(&mut unprivileged(&self.estate, uid, args))
    }

    /// Asks that the host has had.
    fn asks(&self) -> u64 {
        let status = self.estate.kms("kms", &["status", "--json"]).done().json();
        let total = status["pools"][0]["requests"]["total"].as_u64();
        total.expect("the host counts asks")
    }

    fn files(&self) -> PathBuf {
        self.estate.path("m")
    }
}

#[test]
fn a_user_activates_by_the_service_and_cannot_hammer_the_host() {
    if !can_be_others() {
        return;
    }
    let mut shared = Shared::new();
    let socket = shared.files().join("client.sock");
    assert_eq!(
        shared
            .service
            .as_ref()
            .map(|service| service.address.clone()),
        Some(socket.display().to_string())
    );
    // The administrator names the host; the service asks it by itself.
    let place = shared.host.address.clone();
    shared.estate.client("m", &["set-host", &place]).done();
    let outcome = shared.by(NOBODY, &["activate", "--json"]);
    let told = eventually_licensed(&shared, outcome);
    assert_eq!(told["licensed"], true, "{told:#}");
    assert!(shared.asks() >= 1);
    shared.by(NOBODY, &["status", "--check"]).done();
    // However often users come within the minute, whoever they are.
    let before = shared.asks();
    for uid in [NOBODY, SOMEBODY, NOBODY, SOMEBODY] {
        let outcome = shared.by(uid, &["activate"]).done();
        assert!(outcome.stderr.contains("MUSTER-CLI-0101"), "{outcome:#?}");
        assert!(outcome.stderr.contains("MUSTER-CLI-0102"), "{outcome:#?}");
    }
    assert_eq!(shared.asks(), before);
    // Nothing but an ask is to be had: the files are the administrator's.
    let policy = shared.estate.policy("solo");
    let generic = shared.estate.key("solo", "generic");
    let install = [
        "install-key",
        &generic,
        "--policy",
        policy.to_str().expect("text"),
    ];
    for args in [
        &install[..],
        &["set-host", "192.0.2.1"],
        &["reset-identity"],
        &["serve"],
    ] {
        shared.by(NOBODY, args).refused("MUSTER-CFG-0004");
    }
    let identity = fs::metadata(shared.files().join("identity")).expect("a file");
    assert_eq!((identity.mode() & 0o777, identity.uid()), (0o600, 0));
    // Stopped in order, it leaves neither socket nor link.
    let service = shared.service.take().expect("it runs");
    assert_eq!(service.stop(), 0);
    assert!(!socket.exists() && !shared.files().join("service").is_symlink());
    shared.by(NOBODY, &["activate"]).refused("MUSTER-CFG-0004");
    shared.by(NOBODY, &["status", "--check"]).done();
}

/// The service may have asked in vain a moment before the host was named: then its own next ask is
/// waited for, since no user may cause one so soon.
fn eventually_licensed(shared: &Shared, mut outcome: Outcome) -> Value {
    for _ in 0..100 {
        let told = outcome.json();
        if told["licensed"] == true {
            return told;
        }
        std::thread::park_timeout(Duration::from_millis(200));
        outcome = shared.by(NOBODY, &["activate", "--json"]);
    }
    panic!("never licensed: {outcome:#?}");
}

#[test]
fn a_killed_service_is_replaced_and_users_are_told_meanwhile() {
    if !can_be_others() {
        return;
    }
    let mut shared = Shared::new();
    let socket = shared.files().join("client.sock");
    shared.service.take().expect("it runs").kill();
    assert!(socket.exists(), "nobody tidied up");
    shared.by(NOBODY, &["activate"]).refused("MUSTER-CFG-0004");
    let service = Shared::serve(&shared.estate);
    let asked = shared.by(NOBODY, &["activate"]);
    assert!(asked.stderr.contains("MUSTER-CLI-0101"), "{asked:#?}");
    // A second service renews too, and leaves the first one's socket alone.
    let second = Shared::serve(&shared.estate);
    let log = second.log();
    assert!(
        log.iter().any(|line| line.contains("MUSTER-CLI-0110")),
        "{log:#?}"
    );
    assert_eq!(second.stop(), 0);
    let asked = shared.by(NOBODY, &["activate"]);
    assert!(asked.stderr.contains("MUSTER-CLI-0101"), "{asked:#?}");
    // SIGKILL while a user waits, or just before he comes: he is told, and nothing hangs.
    let idle = UnixStream::connect(&socket).expect("it listens");
    service.kill();
    drop(idle);
    assert_eq!(shared.by(NOBODY, &["activate"]).code, 1);
}

#[test]
fn a_file_in_the_sockets_place_is_named_and_left() {
    let estate = Estate::solo();
    let generic = estate.key("solo", "generic");
    estate.machine("m", "solo", &generic, "127.0.0.1:1");
    let path = estate.path("m").join("client.sock");
    fs::write(&path, b"somebody's").expect("a file");
    let service = Shared::serve(&estate);
    let log = service.log();
    assert!(
        log.iter().any(|line| line.contains("MUSTER-CLI-0111")),
        "{log:#?}"
    );
    assert_eq!(service.stop(), 0);
    assert_eq!(fs::read(&path).expect("it is there"), b"somebody's");
    // In the folder that systemd made there is room.
    let run = estate.path("run");
    let mut command = muster();
    command.args(estate.client_args("m", &["serve"]));
    let service = Service::start(command.env("RUNTIME_DIRECTORY", &run));
    assert_eq!(
        service.address,
        run.join("client.sock").display().to_string()
    );
    let link = fs::read_link(estate.path("m").join("service"));
    assert_eq!(link.expect("a link"), run.join("client.sock"));
}

#[test]
fn a_slow_and_a_hostile_user_keep_nobody_from_asking() {
    if !can_be_others() {
        return;
    }
    let shared = Shared::new();
    let socket = shared.files().join("client.sock");
    // Root's own share is full of callers who say nothing.
    let idle: Vec<_> = (0..40)
        .map_while(|_| UnixStream::connect(&socket).ok())
        .collect();
    assert_eq!(idle.len(), 40);
    let asked = shared.by(NOBODY, &["activate"]);
    assert!(asked.stderr.contains("MUSTER-CLI-0101"), "{asked:#?}");
    for bytes in [
        &[0xff; 4_096][..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0, 3, 1, 2, 3],
    ] {
        if let Ok(mut stream) = UnixStream::connect(&socket) {
            let _ = stream.write_all(bytes);
        }
    }
    let asked = shared.by(SOMEBODY, &["activate"]);
    assert!(asked.stderr.contains("MUSTER-CLI-0101"), "{asked:#?}");
}

/// The machine's own directory and `/run`, in file systems that only this script sees: a user with
/// no options on his command line, first without a service, then with one.
const MACHINE_WIDE: &str = r#"
mount -t tmpfs none /var/lib
mount -t tmpfs none /run
chmod 755 /var/lib /run
as_user() {
  HOME=$USER_HOME setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$MUSTER" client "$@"
}
"$MUSTER" client install-key "$KEY" --policy "$POLICY"
"$MUSTER" client set-host "$HOST"
echo "== alone"
as_user activate && exit 3                       # his own directory knows no host
as_user set-host "$HOST"
as_user activate
as_user status
as_user status --json > "$OUT.alone"
echo "== with a service"
"$MUSTER" client serve > "$OUT.service" & service=$!
for _ in $(seq 100); do grep -q 'listening on /run/muster/client.sock' "$OUT.service" && break; sleep 0.1; done
[ "$(readlink /var/lib/muster/client/service)" = /run/muster/client.sock ]
for _ in $(seq 100); do as_user activate && break; sleep 0.1; done
as_user status --json > "$OUT.served"
kill "$service"
wait "$service"
[ ! -e /run/muster/client.sock ]
"#;

#[test]
fn a_user_needs_no_options_with_and_without_a_service() {
    if !can_be_others() {
        return;
    }
    let estate = Estate::new("solo", "client");
    let set = ["product", "set", "solo", "--threshold", "1"];
    estate
        .authority(&[&set[..], &["--count-users", "true"]].concat())
        .done();
    estate.write_policy("solo");
    let authority = estate.serve_authority();
    estate.certify("kms", "solo", &authority);
    let host = estate.serve_kms("kms", &[]);
    let generic = estate.key("solo", "generic");
    let home = estate.path("home");
    fs::create_dir(&home).expect("a folder");
    set_mode(&home, 0o777);
    let out = estate.path("out");
    // Makes the copy of the program that other users can reach.
    unprivileged(&estate, NOBODY, Vec::new());
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "bash", "-euc", MACHINE_WIDE])
        .env("MUSTER", estate.path("muster"))
        .env("KEY", generic)
        .env("POLICY", estate.policy("solo"))
        .env("HOST", &host.address)
        .env("USER_HOME", &home)
        .env("OUT", &out)
        .env_remove("XDG_DATA_HOME");
    let outcome = Outcome::of(&mut command).done();
    let seen = |name: &str| {
        let file = fs::read(out.with_extension(name)).expect("the script wrote it");
        let json: Value = serde_json::from_slice(&file).expect("a document");
        json["products"][0].clone()
    };
    let (alone, served) = (seen("alone"), seen("served"));
    assert_eq!(
        (&alone["state"], &alone["user_identity"]),
        (&"licensed".into(), &true.into())
    );
    assert_eq!(
        (&served["state"], &served["user_identity"]),
        (&"licensed".into(), &false.into())
    );
    assert_ne!(alone["client_id"], served["client_id"]);
    assert!(
        outcome.stdout.contains("user's own directory"),
        "{outcome:#?}"
    );
    assert!(outcome.stderr.contains("MUSTER-CLI-0101"), "{outcome:#?}");
}
