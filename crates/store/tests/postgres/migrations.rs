//! Tables are brought to the present version, by whoever comes first.

use muster_proto::reason::store as reasons;
use muster_store::postgres::{Schema, Server, Step};

use crate::server::Postgres;
use crate::{block_on, connect, number, run};

const MAKE: Step = Step {
    sql: "CREATE TABLE test_rows (a BIGINT NOT NULL); INSERT INTO test_rows VALUES (1);",
    min_reader: 1,
};
const ADD: Step = Step {
    sql: "ALTER TABLE test_rows ADD COLUMN b BIGINT",
    min_reader: 1,
};
const TAKE: Step = Step {
    sql: "ALTER TABLE test_rows DROP COLUMN a",
    min_reader: 3,
};

const fn schema(steps: &'static [Step]) -> Schema {
    Schema {
        role: "test",
        steps,
        works_from: 1,
    }
}
const FIRST: Schema = schema(&[MAKE]);
const SECOND: Schema = schema(&[MAKE, ADD]);
const THIRD: Schema = schema(&[MAKE, ADD, TAKE]);

#[test]
fn eight_at_once_migrate_once() {
    block_on(async {
        let url = Postgres::shared().database();
        let mut all = tokio::task::JoinSet::new();
        for seed in 0..8 {
            let server = Server::new(url.parse().unwrap(), seed);
            all.spawn(async move { server.migrate(&SECOND).await });
        }
        for result in all.join_all().await {
            result.unwrap();
        }
        let server = connect(&url);
        assert_eq!(server.schema_version("test").await.unwrap(), 2);
        assert_eq!(number(&server, "SELECT count(*) FROM test_rows").await, 1);
    });
}

/// A step that adds runs before its code is everywhere; after one that takes away, older code is
/// refused.
#[test]
fn older_code_works_until_something_is_taken_away() {
    block_on(async {
        let server = connect(&Postgres::shared().database());
        server.migrate(&FIRST).await.unwrap();
        server.migrate(&SECOND).await.unwrap();
        server.migrate(&FIRST).await.unwrap();
        assert_eq!(server.schema_version("test").await.unwrap(), 2);
        server.migrate(&THIRD).await.unwrap();
        for old in [&FIRST, &SECOND] {
            let refusal = server.migrate(old).await.unwrap_err();
            assert_eq!(refusal.reason, reasons::NEWER, "{refusal}");
        }
        server.migrate(&THIRD).await.unwrap();
    });
}

/// A step that fails leaves the old version, whole.
#[test]
fn a_failed_step_leaves_the_old_version() {
    const BROKEN: Step = Step {
        sql: "CREATE TABLE test_more (a BIGINT); DROP TABLE nonsense",
        min_reader: 1,
    };
    const FAILS: Schema = schema(&[MAKE, BROKEN]);
    block_on(async {
        let server = connect(&Postgres::shared().database());
        server.migrate(&FIRST).await.unwrap();
        assert_eq!(
            server.migrate(&FAILS).await.unwrap_err().reason,
            reasons::INTERNAL
        );
        assert_eq!(server.schema_version("test").await.unwrap(), 1);
        let made = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'test_more'";
        assert_eq!(number(&server, made).await, 0);
        server.migrate(&SECOND).await.unwrap();
    });
}

/// A user without the right to change tables works with those he finds, if his code can.
#[test]
fn a_user_who_may_not_migrate_works_with_what_is_there() {
    block_on(async {
        let url = Postgres::shared().database();
        let server = connect(&url);
        server.migrate(&FIRST).await.unwrap();
        let role = url.rsplit_once('/').unwrap().1;
        let grant = format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'worker'; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
        );
        run(&server, &grant).await;
        let place = url.rsplit_once('@').unwrap().1;
        let worker = connect(&format!("postgres://{role}:worker@{place}"));
        worker.migrate(&SECOND).await.unwrap();
        assert_eq!(worker.schema_version("test").await.unwrap(), 1);
        let needs = Schema {
            works_from: 2,
            ..SECOND
        };
        assert_eq!(
            worker.migrate(&needs).await.unwrap_err().reason,
            reasons::NOT_PERMITTED
        );
    });
}
