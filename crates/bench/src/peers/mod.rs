//! The peers: servers of others that are started here, on the server's core, with a directory on the
//! same disk as ours.

pub(crate) mod etcd;
pub(crate) mod postgresql;

use std::net::{Ipv4Addr, TcpListener};

use crate::failure::{During, Outcome};

/// Clients of a peer at once; ours are as many.
pub(crate) const CLIENTS: usize = 64;

/// A port that was free a moment ago, for servers that cannot choose one themselves.
fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).during("a free port")?;
    Ok(listener.local_addr().during("a free port")?.port())
}
