//! etcd, one node, and 64 clients that put. They speak gRPC by hand (HTTP/2 and two fields of
//! protobuf), since etcd's own JSON gateway would cost its server twice.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Stdio};
use std::time::Duration;

use h2::client::SendRequest;
use hyper::Request;
use muster_machine::random;
use muster_net::http::Bytes;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::{CLIENTS, free_port};
use crate::cores::process_time;
use crate::estate::room;
use crate::failure::{During, Failure, Outcome};
use crate::process::{find, on_core};

/// HTTP/2 connections that the clients share; etcd's own benchmark does the same.
const CONNECTIONS: usize = 16;
/// Keys are drawn from so many, as rows of our table are.
const KEYS: u64 = 1_000_000;
/// Bytes of a value: those of a row of ours.
const VALUE_BYTES: usize = 24;
const PUT: &str = "/etcdserverpb.KV/Put";
const READY: Duration = Duration::from_secs(20);

/// An etcd at work; it is killed when dropped.
pub(crate) struct Etcd {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

/// What a spell of puts came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Puts {
    /// Puts in a second.
    pub(crate) rate: f64,
    /// Server CPU for each, in microseconds.
    pub(crate) server_micros: f64,
}

impl Etcd {
    /// Starts etcd on a core and waits until it answers.
    pub(crate) async fn start(core: usize) -> Outcome<Self> {
        let program = find("etcd")
            .ok_or_else(|| Failure::said("no etcd here (Debian package etcd-server)"))?;
        let dir = room()?;
        let (client, peer) = (free_port()?, free_port()?);
        let log = File::create(dir.path().join("log")).during("etcd's log")?;
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        // Without the environment: `ETCD_…` variables are settings.
        let child = on_core(core, &program)
            .env_clear()
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .args(["--listen-client-urls", &url(client)])
            .args(["--advertise-client-urls", &url(client)])
            .args(["--listen-peer-urls", &url(peer)])
            .args(["--initial-advertise-peer-urls", &url(peer)])
            .args(["--initial-cluster", &format!("default={}", url(peer))])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .during("etcd")?;
        let etcd = Self {
            child,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, client)),
            _dir: dir,
        };
        etcd.wait_until_ready().await?;
        Ok(etcd)
    }

    async fn wait_until_ready(&self) -> Outcome<()> {
        let answers = async {
            loop {
                if let Ok(mut line) = connect(self.address).await
                    && put(&mut line).await.is_ok()
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(READY, answers).await.during("etcd does not answer")
    }

    /// Lets 64 clients put for a while.
    pub(crate) async fn load(&self, spell: Duration) -> Outcome<Puts> {
        let mut lines = Vec::new();
        for _ in 0..CONNECTIONS {
            lines.push(connect(self.address).await?);
        }
        let before = process_time(self.child.id())?;
        let start = Instant::now();
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let mut line = lines[number % CONNECTIONS].clone();
            clients.spawn(async move {
                let mut puts = 0_u64;
                while start.elapsed() < spell {
                    put(&mut line).await?;
                    puts += 1;
                }
                Ok::<_, Failure>(puts)
            });
        }
        let mut puts = 0;
        while let Some(done) = clients.join_next().await {
            puts += done.during("a client of etcd")??;
        }
        let wall = start.elapsed().as_secs_f64();
        let spent = process_time(self.child.id())?.saturating_sub(before);
        Ok(Puts {
            rate: puts as f64 / wall,
            server_micros: spent.as_secs_f64() * 1e6 / puts as f64,
        })
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Line = SendRequest<Bytes>;

async fn connect(address: SocketAddr) -> Outcome<Line> {
    let stream = TcpStream::connect(address).await.during("etcd")?;
    stream.set_nodelay(true).during("etcd")?;
    let (line, connection) = h2::client::handshake(stream).await.during("etcd")?;
    tokio::spawn(connection);
    Ok(line)
}

/// One put of a random key.
async fn put(line: &mut Line) -> Outcome<()> {
    let request = Request::post(format!("http://etcd{PUT}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("the parts are well formed");
    let ready = line.clone().ready().await.during("etcd")?;
    *line = ready;
    let (answer, mut body) = line.send_request(request, false).during("etcd")?;
    body.send_data(message(random::number() % KEYS), true)
        .during("etcd")?;
    let mut answer = answer.await.during("etcd")?.into_body();
    while let Some(data) = answer.data().await {
        let length = data.during("etcd")?.len();
        answer
            .flow_control()
            .release_capacity(length)
            .during("etcd")?;
    }
    let trailers = answer.trailers().await.during("etcd")?;
    let status = trailers.as_ref().and_then(|map| map.get("grpc-status"));
    match status.map(|value| value.as_bytes()) {
        Some(b"0") => Ok(()),
        other => Err(Failure(format!("etcd answers gRPC status {other:?}"))),
    }
}

/// A gRPC frame (flag and length) with a `PutRequest`: field 1 is the key, field 2 the value.
fn message(number: u64) -> Bytes {
    let mut request = vec![0x0a, 16];
    request.extend(u128::from(number).to_be_bytes());
    request.extend([0x12, VALUE_BYTES as u8]);
    request.extend([0x5a; VALUE_BYTES]);
    let mut frame = vec![0];
    frame.extend((request.len() as u32).to_be_bytes());
    frame.extend(request);
    frame.into()
}
