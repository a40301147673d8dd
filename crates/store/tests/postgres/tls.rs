//! TLS to the server: what is demanded of it by the URL, and what is told where it is not met.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use muster_proto::Reason;
use muster_proto::reason::store as reasons;
use muster_store::postgres::Fault;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

use crate::server::Postgres;
use crate::{block_on, connect, number, run, shown};

fn certified(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(vec![name.to_owned()]).unwrap()
}

/// Gives the server a certificate, and has it speak TLS from now on.
async fn show(postgres: &Postgres, url: &str, certified: &CertifiedKey<KeyPair>) {
    let data = PathBuf::from(shown(&connect(url), "SHOW data_directory").await);
    let owner = fs::metadata(&data).unwrap();
    let files = [
        ("server.crt", certified.cert.pem()),
        ("server.key", certified.signing_key.serialize_pem()),
    ];
    for (name, text) in files {
        let file = data.join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    postgres.down();
    let settings = data.join("postgresql.auto.conf");
    fs::write(&settings, "ssl = on\n").unwrap();
    postgres.up();
}

/// Whether a session is under TLS; the reason where there is none.
async fn speaks_tls(url: &str, parameters: &str) -> Result<bool, Reason> {
    let server = connect(&format!("{url}?{parameters}"));
    match server.begin_read().await {
        Ok(transaction) => transaction.roll_back().await.unwrap(),
        Err(Fault::Refused(refusal) | Fault::Lost(refusal)) => return Err(refusal.reason),
        Err(other) => panic!("{other:?}"),
    }
    const TLS: &str = "SELECT count(*) FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()";
    Ok(number(&server, TLS).await == 1)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_certificate_is_demanded_and_checked_as_the_url_says() {
    let postgres = Postgres::start();
    let url = postgres.database();
    let (ours, other) = (certified("127.0.0.1"), certified("127.0.0.1"));
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: String| {
        let file = dir.path().join(name);
        fs::write(&file, pem).unwrap();
        file
    };
    let root = file("root.pem", ours.cert.pem());
    let wrong = file("wrong.pem", other.cert.pem());
    let absent = dir.path().join("absent.pem");
    let untrusted = Err(reasons::SERVER_UNTRUSTED);
    let full = |root: &Path| format!("sslmode=verify-full&sslrootcert={}", text(root));
    block_on(async {
        run(&connect(&url), "CREATE TABLE kept (a BIGINT)").await;
        assert_eq!(speaks_tls(&url, "sslmode=prefer").await, Ok(false));
        assert_eq!(speaks_tls(&url, "sslmode=require").await, untrusted);
        show(&postgres, &url, &ours).await;
        assert_eq!(speaks_tls(&url, "sslmode=disable").await, Ok(false));
        for mode in ["prefer", "require"] {
            let parameters = format!("sslmode={mode}");
            assert_eq!(speaks_tls(&url, &parameters).await, Ok(true), "{mode}");
        }
        assert_eq!(speaks_tls(&url, &full(&root)).await, Ok(true));
        assert_eq!(speaks_tls(&url, &full(&wrong)).await, untrusted);
        assert_eq!(speaks_tls(&url, "sslmode=verify-full").await, untrusted);
        let elsewhere = url.replace("127.0.0.1", "localhost");
        assert_eq!(speaks_tls(&elsewhere, &full(&root)).await, untrusted);
        let authority = full(&root).replace("full", "ca");
        assert_eq!(speaks_tls(&elsewhere, &authority).await, Ok(true));
        let bad = Err(reasons::BAD_URL);
        assert_eq!(speaks_tls(&url, &full(&absent)).await, bad);
    });
    postgres.down();
}
