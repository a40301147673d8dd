//! The tables of an authority on PostgreSQL: as in SQLite, and the names of what was done.

use crate::postgres::{Schema, Step};

/// The tables. Steps are only ever added to.
///
/// A name in `authority_done` is that of a committed transaction, with the database's time in
/// seconds since 1970.
pub(super) const SCHEMA: Schema = Schema {
    role: "authority",
    steps: &[
        Step {
            sql: FIRST,
            min_reader: 1,
        },
        Step {
            sql: SIGNING_KEYS,
            min_reader: 1,
        },
    ],
    works_from: 1,
};

/// A signing key has one certificate more where the first was issued again.
const SIGNING_KEYS: &str = "
    ALTER TABLE authority_cert DROP CONSTRAINT authority_cert_signing_key_key;
    CREATE INDEX authority_cert_signing_key ON authority_cert (signing_key);
";

const FIRST: &str = "
    CREATE TABLE authority_setting (name TEXT PRIMARY KEY, value BYTEA NOT NULL);
    CREATE TABLE authority_product (
        id TEXT PRIMARY KEY, product_group BIGINT NOT NULL UNIQUE, version BIGINT NOT NULL,
        validity_max BIGINT NOT NULL, added BIGINT NOT NULL
    );
    CREATE TABLE authority_policy (
        product TEXT NOT NULL REFERENCES authority_product, version BIGINT NOT NULL,
        statement BYTEA NOT NULL, PRIMARY KEY (product, version)
    );
    CREATE TABLE authority_serial (
        channel BIGINT NOT NULL, product_group BIGINT NOT NULL, next BIGINT NOT NULL,
        PRIMARY KEY (channel, product_group)
    );
    CREATE TABLE authority_product_key (
        id BIGINT PRIMARY KEY, last5 TEXT NOT NULL,
        product TEXT NOT NULL REFERENCES authority_product, site TEXT NOT NULL,
        hosts_max BIGINT NOT NULL, activations_max BIGINT NOT NULL,
        client_budget BIGINT NOT NULL, issued BIGINT NOT NULL, revoked BIGINT
    );
    CREATE INDEX authority_product_key_last5 ON authority_product_key (last5);
    CREATE INDEX authority_product_key_product ON authority_product_key (product, id);
    CREATE TABLE authority_slot (
        product_key BIGINT NOT NULL REFERENCES authority_product_key, number BIGINT NOT NULL,
        machine BYTEA NOT NULL, activations BIGINT NOT NULL, host BIGINT NOT NULL,
        cert BYTEA NOT NULL, freed BIGINT, PRIMARY KEY (product_key, number)
    );
    CREATE INDEX authority_slot_host ON authority_slot (host);
    CREATE TABLE authority_cert (
        number BIGINT PRIMARY KEY, name BYTEA NOT NULL UNIQUE, request BYTEA NOT NULL UNIQUE,
        host BIGINT NOT NULL, signing_key BYTEA NOT NULL UNIQUE, keys TEXT NOT NULL,
        products TEXT NOT NULL, site TEXT NOT NULL, client_budget BIGINT NOT NULL,
        host_name TEXT NOT NULL, issued BIGINT NOT NULL, not_after BIGINT NOT NULL,
        successor BYTEA, revoked BIGINT, forks BIGINT NOT NULL
    );
    CREATE INDEX authority_cert_host ON authority_cert (host);
    CREATE TABLE authority_cert_statement (
        name BYTEA PRIMARY KEY, parent BYTEA NOT NULL, statement BYTEA NOT NULL,
        is_signed BIGINT NOT NULL
    );
    CREATE TABLE authority_issuing (
        number BIGINT PRIMARY KEY, name BYTEA NOT NULL UNIQUE, signing_key BYTEA NOT NULL,
        statement BYTEA NOT NULL, added BIGINT NOT NULL
    );
    CREATE TABLE authority_revocation (
        number BIGINT PRIMARY KEY, signing_key BYTEA NOT NULL UNIQUE, ends BIGINT NOT NULL
    );
    CREATE TABLE authority_delta (number BIGINT PRIMARY KEY, statement BYTEA NOT NULL);
    CREATE TABLE authority_audit (
        number BIGINT PRIMARY KEY, at BIGINT NOT NULL, event TEXT NOT NULL,
        subject TEXT NOT NULL, detail TEXT NOT NULL
    );
    CREATE TABLE authority_done (name BYTEA PRIMARY KEY, at BIGINT NOT NULL);
    CREATE INDEX authority_done_at ON authority_done (at);
";
