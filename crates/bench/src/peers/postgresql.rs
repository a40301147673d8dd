//! PostgreSQL and its own load generator, pgbench: one durable row put in each transaction.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{CLIENTS, free_port};
use crate::cores::Cores;
use crate::estate::room;
use crate::failure::{During, Failure, Outcome};
use crate::process::{find, on_core, run, signal};

/// Where Debian keeps the programs of each release.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Who runs the server where we are root: it refuses to.
const USER: &str = "postgres";
/// The table: a key and a value of a row's size.
const TABLE: &str = "CREATE TABLE client (id bigint PRIMARY KEY, packed bytea NOT NULL)";
const UPSERT: &str = "\\set id random(1, :rows)\n\
     INSERT INTO client VALUES (:id, '\\x5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a') \
     ON CONFLICT (id) DO UPDATE SET packed = excluded.packed;\n";

/// A PostgreSQL at work; it is ended when dropped.
pub(crate) struct Postgresql {
    child: Child,
    programs: PathBuf,
    port: String,
    rows: u64,
    cores: Cores,
    dir: TempDir,
}

impl Postgresql {
    /// Makes a cluster with the release's default settings, starts it on the server's core and fills
    /// its table.
    pub(crate) async fn start(cores: Cores, rows: u64) -> Outcome<Self> {
        let programs = programs()?;
        let dir = room()?;
        if is_root()? {
            run(Command::new("chown").arg(USER).arg(dir.path()))?;
        }
        let data = dir.path().join("data");
        let made = ["--auth=trust", "--username=bench", "--encoding=UTF8"];
        run(as_user(&programs.join("initdb"))?.args(made).arg(&data))?;
        let port = free_port()?.to_string();
        let log = File::create(dir.path().join("log")).during("PostgreSQL's log")?;
        let child = as_user(Path::new("taskset"))?
            .args(["--cpu-list", &cores.server.to_string()])
            .arg(programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port, "-h", "127.0.0.1", "-k"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .during("PostgreSQL")?;
        let server = Self {
            child,
            programs,
            port,
            rows,
            cores,
            dir,
        };
        server.wait_until_ready().await?;
        server.sql(TABLE)?;
        let fill = "INSERT INTO client SELECT i, decode(repeat('5a', 24), 'hex')";
        server.sql(&format!("{fill} FROM generate_series(1, {rows}) AS i"))?;
        server.sql("VACUUM ANALYZE client")?;
        server.sql("CHECKPOINT")?;
        fs::write(server.script(), UPSERT).during("a script of pgbench")?;
        Ok(server)
    }

    /// Where hosts find it.
    pub(crate) fn url(&self) -> String {
        format!("postgres://bench@127.0.0.1:{}/postgres", self.port)
    }

    /// Transactions in a second of 64 clients over a while; pgbench counts whole seconds.
    pub(crate) fn load(&self, spell: Duration) -> Outcome<f64> {
        let seconds = spell.as_secs_f64().ceil().to_string();
        let said = run(on_core(self.cores.load, &self.programs.join("pgbench"))
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=1"])
            .args([format!("--client={CLIENTS}"), format!("--time={seconds}")])
            .args([format!("--define=rows={}", self.rows)])
            .arg("--file")
            .arg(self.script())
            .args(self.place()))?;
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        rate.ok_or_else(|| Failure(format!("pgbench told no rate: {said}")))
    }

    async fn wait_until_ready(&self) -> Outcome<()> {
        let mut last = Failure::said("it was not asked");
        for _ in 0..200 {
            match self.sql("SELECT 1") {
                Ok(()) => return Ok(()),
                Err(failure) => last = failure,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(Failure(format!("PostgreSQL does not answer: {last}")))
    }

    fn sql(&self, text: &str) -> Outcome<()> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--command", text]);
        run(psql.args(self.place())).map(|_| ())
    }

    fn place(&self) -> [&str; 7] {
        [
            "-h",
            "127.0.0.1",
            "-p",
            &self.port,
            "-U",
            "bench",
            "postgres",
        ]
    }

    fn script(&self) -> PathBuf {
        self.dir.path().join("upsert.sql")
    }
}

impl Drop for Postgresql {
    /// SIGQUIT: at once and with its children.
    fn drop(&mut self) {
        let _ = signal("QUIT", self.child.id());
        let _ = self.child.wait();
    }
}

/// The folder of `postgres` and `pgbench`: Debian's newest, or that on the search path.
fn programs() -> Outcome<PathBuf> {
    let mut releases: Vec<PathBuf> = fs::read_dir(DEBIAN)
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")))
        .map(Iterator::collect)
        .unwrap_or_default();
    releases.sort();
    let on_path = find("postgres").and_then(|file| file.parent().map(Path::to_path_buf));
    releases.extend(on_path);
    let whole = |folder: &PathBuf| {
        let programs = ["postgres", "initdb", "psql", "pgbench"];
        programs.iter().all(|name| folder.join(name).is_file())
    };
    releases
        .into_iter()
        .rfind(whole)
        .ok_or_else(|| Failure::said("no PostgreSQL here (Debian package postgresql)"))
}

/// A command as somebody who may run the server: `setpriv` becomes the program, so that its process
/// is the one that was started.
fn as_user(program: &Path) -> Outcome<Command> {
    if !is_root()? {
        return Ok(Command::new(program));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--"]);
    command.arg(program);
    Ok(command)
}

fn is_root() -> Outcome<bool> {
    Ok(run(Command::new("id").arg("-u"))?.trim() == "0")
}
