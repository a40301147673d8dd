//! What systemd hears of a service: that it is ready, that it goes on, that it stops.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::estate::{Estate, muster};

/// A service under a supervisor that is this test.
struct Supervised {
    child: Child,
    socket: UnixDatagram,
}

impl Supervised {
    /// Starts a service with the variables that systemd sets; `watchdog` is the process that it
    /// waits for, `None` for the service itself.
    fn start(estate: &Estate, args: Vec<String>, watchdog: Option<u32>) -> Self {
        let path = estate.path("notify");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("the test's own material is good");
        let limit = Some(Duration::from_secs(30));
        socket
            .set_read_timeout(limit)
            .expect("the test's own material is good");
        let mut command = muster();
        command
            .args(args)
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "30000000")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(pid) = watchdog {
            command.env("WATCHDOG_PID", pid.to_string());
        }
        let child = command.spawn().expect("the test's own material is good");
        Self { child, socket }
    }

    /// What it says next.
    fn hear(&self) -> String {
        let mut said = [0; 64];
        let length = self.socket.recv(&mut said).expect("it says something");
        String::from_utf8_lossy(&said[..length]).into_owned()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let kill = std::process::Command::new("kill")
            .args([name, &pid])
            .status();
        assert!(kill.expect("the test's own material is good").success());
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A publisher with a certified host, and the arguments of each role's service.
fn services() -> (Estate, [Vec<String>; 3]) {
    let estate = Estate::solo();
    let dir = estate.path("authority");
    let dir = dir.to_str().expect("the test's own material is good");
    let authority = [
        "authority",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--dir",
        dir,
    ];
    let services = [
        authority.map(str::to_owned).to_vec(),
        estate.kms_args("kms", &["serve", "--listen", "127.0.0.1:0"]),
        estate.client_args("m", &["serve"]),
    ];
    (estate, services)
}

/// Ready first, and not before it is; then a beat a second; then that it stops.
#[test]
fn a_service_is_ready_beats_and_stops() {
    let (estate, services) = services();
    for args in services {
        let mut service = Supervised::start(&estate, args.clone(), None);
        let mut first = service.hear();
        // A client looks into its directory before it is ready, and that is a sign of life.
        while first == "WATCHDOG=1" {
            first = service.hear();
        }
        assert_eq!(first, "READY=1", "{args:?}");
        assert_eq!(service.hear(), "WATCHDOG=1", "{args:?}");
        assert_eq!(service.hear(), "WATCHDOG=1", "{args:?}");
        service.signal("-TERM");
        let mut last = service.hear();
        while last == "WATCHDOG=1" {
            last = service.hear();
        }
        assert_eq!(last, "STOPPING=1", "{args:?}");
        assert!(service.child.wait().unwrap().success(), "{args:?}");
    }
}

/// Another process's watchdog is not fed: a service started by a script says that it is ready, and
/// no more.
#[test]
fn another_process_s_watchdog_is_left_alone() {
    let (estate, [authority, ..]) = services();
    let service = Supervised::start(&estate, authority, Some(1));
    assert_eq!(service.hear(), "READY=1");
    let limit = Some(Duration::from_millis(2_500));
    service.socket.set_read_timeout(limit).unwrap();
    assert!(service.socket.recv(&mut [0; 64]).is_err(), "it said more");
}
