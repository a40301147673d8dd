//! Servers that stop, connections that break, answers that do not come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_proto::reason::store as reasons;
use muster_store::postgres::sqlx_core::raw_sql::raw_sql;
use muster_store::postgres::sqlx_postgres::PgConnection;
use muster_store::postgres::{Fault, Server, Working};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::server::Postgres;
use crate::{block_on, connect, number, run};

async fn put(connection: &mut PgConnection) -> Result<(), Fault> {
    raw_sql("INSERT INTO kept VALUES (1)")
        .execute(connection)
        .await?;
    Ok(())
}

/// Puts a row, and has the server cut the connection before the commit.
fn put_and_cut(connection: &mut PgConnection, cuts: bool) -> Working<'_, ()> {
    const CUT: &str = "SELECT pg_terminate_backend(pg_backend_pid())";
    Box::pin(async move {
        put(connection).await?;
        if cuts {
            raw_sql(CUT).execute(connection).await?;
        }
        Ok(())
    })
}

async fn kept(server: &Server) -> i64 {
    number(server, "SELECT count(*) FROM kept").await
}

/// A server that is stopped is refused as that; when it is back the same `Server` goes on.
#[test]
fn a_stopped_server_is_found_again() {
    let postgres = Postgres::start();
    let server = connect(&postgres.database());
    block_on(async {
        run(&server, "CREATE TABLE kept (a BIGINT)").await;
        server.transact(|it| Box::pin(put(it))).await.unwrap();
        postgres.down();
        for _ in 0..2 {
            let refusal = server.transact(|it| Box::pin(put(it))).await.unwrap_err();
            assert_eq!(refusal.reason, reasons::SERVER_UNREACHABLE, "{refusal}");
            assert!(
                !refusal.detail.contains("muster:"),
                "no password: {refusal}"
            );
        }
        postgres.up();
        server.transact(|it| Box::pin(put(it))).await.unwrap();
        assert_eq!(kept(&server).await, 2);
    });
    postgres.down();
}

/// A connection that is cut in the middle of a transaction: it is run again on another one.
#[test]
fn a_connection_cut_before_the_commit_is_made_anew() {
    block_on(async {
        let server = connect(&Postgres::shared().database());
        run(&server, "CREATE TABLE kept (a BIGINT)").await;
        let mut runs = 0;
        let ran = server.transact(|connection| {
            runs += 1;
            put_and_cut(connection, runs == 1)
        });
        ran.await.unwrap();
        assert_eq!(runs, 2);
        assert_eq!(kept(&server).await, 1);
    });
}

/// The answer to a commit is lost on the way: neither done nor failed, and it was done.
#[test]
fn a_lost_answer_to_a_commit_is_told_as_unknown() {
    block_on(async {
        let url = Postgres::shared().database();
        let server = connect(&url);
        run(&server, "CREATE TABLE kept (a BIGINT)").await;
        let (front, is_armed) = swallow_commits(&url).await;
        let through = connect(&front);
        through.transact(|it| Box::pin(put(it))).await.unwrap();
        is_armed.store(true, Ordering::Relaxed);
        let refusal = through.transact(|it| Box::pin(put(it))).await.unwrap_err();
        assert_eq!(refusal.reason, reasons::OUTCOME_UNKNOWN, "{refusal}");
        assert_eq!(kept(&server).await, 2, "it was committed");
        is_armed.store(false, Ordering::Relaxed);
        through.transact(|it| Box::pin(put(it))).await.unwrap();
    });
}

/// Stands before a server; armed, it passes a commit on and cuts the connection in place of the
/// answer.
pub(crate) async fn swallow_commits(url: &str) -> (String, Arc<AtomicBool>) {
    let (login, place) = url.rsplit_once('@').unwrap();
    let (behind, database) = place.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap();
    let is_armed = Arc::new(AtomicBool::new(false));
    let (behind, armed) = (behind.to_owned(), Arc::clone(&is_armed));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&behind).await.unwrap();
            tokio::spawn(pass(client, server, Arc::clone(&armed)));
        }
    });
    (format!("{login}@{own}/{database}"), is_armed)
}

async fn pass(mut client: TcpStream, mut server: TcpStream, is_armed: Arc<AtomicBool>) {
    let (mut asked, mut told) = ([0; 8_192], [0; 8_192]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                server.write_all(&asked[..read]).await.unwrap();
                let is_commit = asked[..read].windows(6).any(|part| part == b"COMMIT");
                if is_commit && is_armed.load(Ordering::Relaxed) {
                    // The server has answered, so it is done; the answer stays here.
                    let _ = server.read(&mut told).await;
                    return;
                }
            }
            read = server.read(&mut told) => {
                let Ok(read @ 1..) = read else { return };
                client.write_all(&told[..read]).await.unwrap();
            }
        }
    }
}

#[test]
fn a_wrong_login_and_a_missing_database_are_named() {
    block_on(async {
        let url = Postgres::shared().database();
        let (_, place) = url.rsplit_once('@').unwrap();
        let wrong = connect(&format!("postgres://muster:wrong@{place}"));
        let refusal = wrong.transact(|it| Box::pin(put(it))).await.unwrap_err();
        assert_eq!(refusal.reason, reasons::LOGIN_REFUSED, "{refusal}");
        assert!(!refusal.detail.contains("wrong"), "{refusal}");
        let missing = connect(&format!("{url}_missing"));
        let refusal = missing.transact(|it| Box::pin(put(it))).await.unwrap_err();
        assert_eq!(refusal.reason, reasons::LOGIN_REFUSED, "{refusal}");
    });
}

/// Of several hosts the one that takes changes is found; where there is none, that is said.
#[test]
fn the_host_that_takes_changes_is_found() {
    block_on(async {
        let url = Postgres::shared().database();
        let (login, place) = url.rsplit_once('@').unwrap();
        // Nobody listens on port 1.
        let server = connect(&format!("{login}@127.0.0.1:1,{place}"));
        run(&server, "CREATE TABLE kept (a BIGINT)").await;
        server.transact(|it| Box::pin(put(it))).await.unwrap();
        let name = url.rsplit_once('/').unwrap().1;
        let still = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
        run(&server, &still).await;
        let other = connect(&format!("{login}@127.0.0.1:1,{place}"));
        let refusal = other.transact(|it| Box::pin(put(it))).await.unwrap_err();
        assert_eq!(refusal.reason, reasons::NOT_PRIMARY, "{refusal}");
    });
}

/// What a server without standbys says of itself.
#[test]
fn a_lone_server_replicates_nothing() {
    block_on(async {
        let server = connect(&Postgres::shared().database());
        let replication = server.replication().await.unwrap();
        assert_eq!(replication.synchronous_standby_names, "");
        assert_eq!(replication.synchronous_commit, "on");
        assert!(replication.standbys.is_empty());
    });
}
