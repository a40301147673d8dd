//! Tells systemd how a service is (sd_notify(3)): one datagram to the socket that it names in
//! `NOTIFY_SOCKET`, a path or, after an `@`, an abstract name. Without the variable nobody is told.

use std::io;
use std::sync::Arc;

use muster_net::watch::Alive;

/// Says that the service is ready.
pub(crate) fn ready() -> io::Result<()> {
    send(b"READY=1")
}

/// Says that the service has begun to stop. Where nobody listens any more nothing is lost.
pub(crate) fn stopping() {
    let _ = send(b"STOPPING=1");
}

/// The sign of life that systemd's watchdog waits for (`WatchdogSec=`); none where it does not wait
/// for this process. A beat that is lost shows by itself.
pub(crate) fn watchdog() -> Option<Alive> {
    let variable = |name: &str| std::env::var(name).ok();
    let limit_microseconds: u64 = variable("WATCHDOG_USEC")?.parse().ok()?;
    let pid = variable("WATCHDOG_PID").and_then(|pid| pid.parse().ok());
    let is_meant = pid.is_none_or(|pid: u32| pid == std::process::id());
    (is_meant && limit_microseconds > 0).then(|| {
        let beat = || {
            let _ = send(b"WATCHDOG=1");
        };
        Arc::new(beat) as Alive
    })
}

/// Sends one message where systemd waits for it.
#[cfg(target_os = "linux")]
fn send(message: &[u8]) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A full queue must not hold the service: the beat is lost, and the next one comes.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(message, &address)?;
    Ok(())
}

/// Elsewhere there is no systemd.
#[cfg(not(target_os = "linux"))]
fn send(_: &[u8]) -> io::Result<()> {
    Ok(())
}
