//! The small authoritative DNS server of `muster lab`: one zone, answers over UDP and TCP on one
//! port, updates only under one TSIG key. It is hickory-server with its updatable zone store.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{LowerName, Name};
use hickory_server::Server;
use hickory_server::store::sqlite::{SqliteConfig, SqliteZoneHandler, TsigKeyConfig};
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneHandler, ZoneType};
use muster_proto::Refusal;
use muster_proto::limits::TSIG_FUDGE_SECONDS;
use muster_proto::reason::dns as reason;
use tokio::net::{TcpListener, UdpSocket};

use super::name;
use super::tsig::TsigKey;

/// How long a TCP connection may stay silent.
const TCP_IDLE_SECONDS: u64 = 10;
/// Answers that may wait on one TCP connection.
const TCP_ANSWERS_MAX: usize = 32;
/// How often a free port is looked for that UDP and TCP both have.
const PORT_TRIES: usize = 32;

/// A running server; it stops when it is dropped or told to.
pub struct LabDns {
    server: Server<Catalog>,
    addr: SocketAddr,
}

impl LabDns {
    /// Starts the server for one zone on `addr` (port 0 takes a free one) with an empty zone:
    /// hosts register themselves when they start, so nothing is worth keeping from the last run.
    /// Zone, journal and the key's secret are written below `dir`, the secret for its owner only.
    ///
    /// # Errors
    /// `DNS_NAME_INVALID`, `DNS_LAB_SERVER`.
    pub async fn start(
        zone: &str,
        addr: SocketAddr,
        key: &TsigKey,
        dir: &Path,
    ) -> Result<Self, Refusal> {
        let origin = name::full(zone)?;
        let (udp, tcp, addr) = bind(addr).await.map_err(failed)?;
        let config = write_files(&origin, addr, key, dir).map_err(failed)?;
        let handler: SqliteZoneHandler = SqliteZoneHandler::try_from_config(
            origin.clone(),
            ZoneType::Primary,
            AxfrPolicy::AllowAll,
            false,
            None,
            &config,
            None,
        )
        .await
        .map_err(failed)?;
        let mut catalog = Catalog::new();
        let handler: Arc<dyn ZoneHandler> = Arc::new(handler);
        catalog.upsert(LowerName::from(origin), vec![handler]);
        let mut server = Server::new(catalog);
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(TCP_IDLE_SECONDS), TCP_ANSWERS_MAX);
        Ok(Self { server, addr })
    }

    /// Where it listens, UDP and TCP alike.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops answering and waits until its tasks have ended.
    ///
    /// # Errors
    /// `DNS_LAB_SERVER` when a task had failed.
    pub async fn stop(mut self) -> Result<(), Refusal> {
        self.server.shutdown_gracefully().await.map_err(failed)
    }
}

impl std::fmt::Debug for LabDns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabDns")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(reason::DNS_LAB_SERVER, error.to_string())
}

/// Binds UDP and TCP to the same port; a free UDP port may be taken for TCP, so it tries again.
async fn bind(addr: SocketAddr) -> std::io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    let mut tries = PORT_TRIES;
    loop {
        let udp = UdpSocket::bind(addr).await?;
        let bound = udp.local_addr()?;
        tries -= 1;
        match TcpListener::bind(bound).await {
            Ok(tcp) => return Ok((udp, tcp, bound)),
            Err(error) if addr.port() != 0 || tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

fn write_files(
    origin: &Name,
    addr: SocketAddr,
    key: &TsigKey,
    dir: &Path,
) -> std::io::Result<SqliteConfig> {
    let (zone_path, journal_path) = (dir.join("lab.zone"), dir.join("lab.journal"));
    let key_file = dir.join("lab.tsig");
    fs::create_dir_all(dir)?;
    for path in [&zone_path, &journal_path, &key_file] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::write(&zone_path, zone_text(origin, addr))?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&key_file)?
        .write_all(key.secret())?;
    Ok(SqliteConfig {
        zone_path,
        journal_path,
        allow_update: true,
        tsig_keys: vec![TsigKeyConfig {
            name: format!("{}.", key.name()),
            key_file,
            algorithm: key.algorithm().clone(),
            fudge: TSIG_FUDGE_SECONDS,
        }],
    })
}

/// A zone with nothing but its own server; negative answers live one second, since machines look
/// for the host while it is still starting.
fn zone_text(origin: &Name, addr: SocketAddr) -> String {
    let zone = format!("{}.", name::text(origin));
    let (kind, ip) = (if addr.is_ipv6() { "AAAA" } else { "A" }, addr.ip());
    format!(
        "{zone} 60 IN SOA ns.{zone} hostmaster.{zone} 1 3600 600 86400 1\n\
         {zone} 60 IN NS ns.{zone}\n\
         ns.{zone} 60 IN {kind} {ip}\n"
    )
}
