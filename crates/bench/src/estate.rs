//! A publisher with one product and certified hosts, made by the real command line in a directory
//! of its own. Everything goes by files, so that no authority has to serve.

use std::fs;
use std::path::{Path, PathBuf};

use muster_proto::statement::policy::Policy;
use muster_proto::wire::Bundle;
use tempfile::TempDir;

use crate::cores::Cores;
use crate::failure::{During, Failure, Outcome};
use crate::process::{Server, command, run};

/// The product; one machine is enough for it, so that a single one is licensed.
const PRODUCT: &str = "cad";
/// Machines that a host may count: more than any table here.
const CLIENT_BUDGET: &str = "20000000";
/// The host that all others are copied from.
const CERTIFIED: &str = "certified";
/// Where everything is kept: a directory that is on a disk, as `/tmp` often is not.
const ROOM: &str = "/var/tmp";

/// The publisher, its files and the binary under test.
pub(crate) struct Estate {
    dir: TempDir,
    muster: PathBuf,
    /// Which cores are used.
    pub(crate) cores: Cores,
    /// The product's bundle.
    pub(crate) bundle: Bundle,
    /// The policy in it.
    pub(crate) policy: Policy,
}

impl Estate {
    /// Makes the publisher, its product, and the certified host that all others are copied from.
    pub(crate) fn new(muster: &Path, cores: Cores) -> Outcome<Self> {
        let dir = room()?;
        let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        let role = |noun: &str, directory: &str, words: &[&str]| {
            let mut command = command(muster);
            run(command
                .arg(noun)
                .args(words)
                .args(["--dir", &path(directory)]))
        };
        let authority = |words: &[&str]| role("authority", "authority", words);
        authority(&["init", "--publisher", "Contoso"])?;
        let add = ["product", "add", PRODUCT, "--name", "Contoso CAD"];
        authority(&[&add[..], &["--kind", "client", "--threshold", "1"]].concat())?;
        authority(&["product", "policy", PRODUCT, "--out", &path("policy")])?;
        let issue = |channel: &[&str], file: &str| {
            let head = ["key", "issue", "--product", PRODUCT, "--channel"];
            let key = authority(&[&head[..], channel].concat())?;
            fs::write(path(file), key).during("a product key")
        };
        issue(&["generic"], "generic.key")?;
        issue(&["kms-host", "--client-budget", CLIENT_BUDGET], "host.key")?;
        let kms = |words: &[&str]| role("kms", CERTIFIED, words);
        let key = format!("@{}", path("host.key"));
        let offline = ["install-key", &key, "--root", &path("policy"), "--offline"];
        kms(&[&offline[..], &["--out", &path("request")]].concat())?;
        authority(&["certify", &path("request"), "--out", &path("answer")])?;
        kms(&["apply", &path("answer")])?;
        let bundle = Bundle::decode(&fs::read(path("policy")).during("the policy")?)?;
        let policy = bundle.verify()?.policy.claims;
        Ok(Self {
            dir,
            muster: muster.to_owned(),
            cores,
            bundle,
            policy,
        })
    }

    /// The binary under test.
    pub(crate) fn muster(&self) -> &Path {
        &self.muster
    }

    /// A file or directory of the estate.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Another host directory with the same keys and an empty table.
    pub(crate) fn host(&self, name: &str) -> Outcome<PathBuf> {
        let to = self.path(name);
        fs::create_dir(&to).during("a host's directory")?;
        for file in fs::read_dir(self.path(CERTIFIED)).during("a host's directory")? {
            let file = file.during("a host's directory")?;
            fs::copy(file.path(), to.join(file.file_name())).during("a host's files")?;
        }
        Ok(to)
    }

    /// Starts `muster kms serve` on the server's core, on a free port.
    pub(crate) fn serve(&self, host: &Path) -> Outcome<Server> {
        self.serve_with(host, &[])
    }

    /// The same with further words.
    pub(crate) fn serve_with(&self, host: &Path, words: &[&str]) -> Outcome<Server> {
        let dir = host.to_string_lossy();
        let args = ["kms", "serve", "--listen", "127.0.0.1:0", "--dir", &dir];
        let args = [&args[..], words].concat();
        Server::start(&self.muster, &args, self.cores.server, &host.join("log"))
    }

    /// A machine that is licensed by a host, this machine's own hardware; its directory.
    pub(crate) fn licensed_machine(&self, host: &Server) -> Outcome<PathBuf> {
        let dir = self.path("machine");
        let client = |words: &[&str]| {
            let mut command = command(&self.muster);
            run(command.arg("client").args(words).arg("--dir").arg(&dir))
        };
        let key = format!("@{}", self.path("generic.key").display());
        let policy = self.path("policy").to_string_lossy().into_owned();
        client(&["install-key", &key, "--policy", &policy])?;
        client(&["set-host", &host.address.to_string()])?;
        client(&["activate"])?;
        Ok(dir)
    }
}

/// A new directory on a disk that only this user can read; it goes when it is dropped.
pub(crate) fn room() -> Outcome<TempDir> {
    let made = tempfile::Builder::new()
        .prefix("muster-bench-")
        .tempdir_in(ROOM);
    made.map_err(|error| Failure(format!("a directory in {ROOM}: {error}")))
}
