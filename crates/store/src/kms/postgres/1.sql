-- The first version of a table of clients that several KMS hosts share. Never changed: what follows
-- comes as 2.sql.

-- The table's id (8 bytes) and ticket key (32 bytes), and the number of the last audit entry.
CREATE TABLE kms_store (
    single BIGINT PRIMARY KEY CHECK (single = 1),
    id BYTEA NOT NULL,
    key BYTEA NOT NULL,
    audited BIGINT NOT NULL DEFAULT 0
);

-- One row for each count pool, and one with an empty name for all clients of a publisher.
-- `counted` is the count at the beginning of `hour`. Whoever changes anything of a publisher holds
-- its rows here.
CREATE TABLE kms_pools (
    number BIGINT PRIMARY KEY,
    publisher BYTEA NOT NULL,
    name TEXT NOT NULL,
    owner BIGINT NOT NULL,
    counted BIGINT NOT NULL DEFAULT 0,
    hour BIGINT NOT NULL DEFAULT 0,
    total BIGINT NOT NULL DEFAULT 0,
    failed BIGINT NOT NULL DEFAULT 0,
    state0 BIGINT NOT NULL DEFAULT 0,
    state1 BIGINT NOT NULL DEFAULT 0,
    state2 BIGINT NOT NULL DEFAULT 0,
    state3 BIGINT NOT NULL DEFAULT 0,
    state4 BIGINT NOT NULL DEFAULT 0,
    state5 BIGINT NOT NULL DEFAULT 0,
    state6 BIGINT NOT NULL DEFAULT 0,
    UNIQUE (publisher, name)
);

-- How many seats of a pool end at an hour: the count at an hour is the sum of the later ones.
CREATE TABLE kms_ends (
    pool BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    seats BIGINT NOT NULL,
    PRIMARY KEY (pool, hour)
);

-- One row for each client; `publisher` is the number of its row in `kms_pools`, `packed` the rest.
CREATE TABLE kms_clients (
    id BYTEA NOT NULL,
    publisher BIGINT NOT NULL,
    packed BYTEA NOT NULL,
    PRIMARY KEY (id, publisher)
);

-- What became of clients. Only ever added to.
CREATE TABLE kms_audit (
    number BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    event BIGINT NOT NULL,
    publisher BIGINT NOT NULL,
    subject BYTEA NOT NULL
);
