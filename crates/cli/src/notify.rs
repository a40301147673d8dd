//! Tells systemd that a service is ready (sd_notify(3)): one datagram to the socket that it names in
//! `NOTIFY_SOCKET`, a path or, after an `@`, an abstract name. Without the variable nobody is told.

use std::io;

/// Sends `READY=1` where systemd waits for it.
#[cfg(target_os = "linux")]
pub(crate) fn ready() -> io::Result<()> {
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
    UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address)?;
    Ok(())
}

/// Elsewhere there is no systemd.
#[cfg(not(target_os = "linux"))]
pub(crate) fn ready() -> io::Result<()> {
    Ok(())
}
