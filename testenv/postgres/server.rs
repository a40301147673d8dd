//! The PostgreSQL of a test program: started once, ended with the program, a database for each
//! test. Taken in by `#[path]` where tests need it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A PostgreSQL at work.
pub(crate) struct Postgres {
    dir: PathBuf,
}

impl Postgres {
    /// The one that all tests of this program share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts one for a test alone, which may stop it. It ends with the program at the latest.
    pub(crate) fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("muster-postgres-{}-{number}", std::process::id());
        let server = Self {
            dir: std::env::temp_dir().join(name),
        };
        server.up();
        server
    }

    /// A new database; its URL.
    pub(crate) fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.script("createdb", &[&name]).trim().to_owned()
    }

    /// Starts it, also again after [`Postgres::down`]: the same port, the same data.
    pub(crate) fn up(&self) {
        let own = std::process::id().to_string();
        self.script("up", &["--until", &own]);
    }

    /// Stops it as a crash would.
    pub(crate) fn down(&self) {
        self.script("down", &["immediate"]);
    }

    fn script(&self, name: &str, arguments: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../testenv/postgres")
            .join(name);
        let output = Command::new(script)
            .arg(&self.dir)
            .args(arguments)
            .output()
            .expect("testenv/postgres can be run");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "testenv/postgres/{name}: {words}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
