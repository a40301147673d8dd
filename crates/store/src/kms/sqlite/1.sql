-- The first version of a KMS host's store. Never changed: what follows comes as 2.sql.

-- The store's id (8 bytes) and ticket key (32 bytes), and the revision of `kept`.
CREATE TABLE store (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    identity BLOB NOT NULL,
    revision INTEGER NOT NULL
) STRICT;

-- One row for each count pool, and one with an empty name for all clients of a publisher.
-- `counted` is the count at the beginning of `hour`.
CREATE TABLE pools (
    number INTEGER PRIMARY KEY,
    publisher BLOB NOT NULL,
    name TEXT NOT NULL,
    owner INTEGER NOT NULL,
    counted INTEGER NOT NULL DEFAULT 0,
    hour INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    state0 INTEGER NOT NULL DEFAULT 0,
    state1 INTEGER NOT NULL DEFAULT 0,
    state2 INTEGER NOT NULL DEFAULT 0,
    state3 INTEGER NOT NULL DEFAULT 0,
    state4 INTEGER NOT NULL DEFAULT 0,
    state5 INTEGER NOT NULL DEFAULT 0,
    state6 INTEGER NOT NULL DEFAULT 0,
    UNIQUE (publisher, name)
) STRICT;

-- How many seats of a pool end at an hour: the count at an hour is the sum of the later ones.
CREATE TABLE ends (
    pool INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    seats INTEGER NOT NULL,
    PRIMARY KEY (pool, hour)
) STRICT, WITHOUT ROWID;

-- One row for each client; `publisher` is the number of its row in `pools`, `packed` the rest.
CREATE TABLE clients (
    id BLOB NOT NULL,
    publisher INTEGER NOT NULL,
    packed BLOB NOT NULL,
    PRIMARY KEY (id, publisher)
) STRICT, WITHOUT ROWID;

-- Settings, keys, certificates, policies: whatever the host keeps as it is.
CREATE TABLE kept (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- Only ever added to.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    event INTEGER NOT NULL,
    publisher INTEGER,
    subject BLOB,
    said TEXT
) STRICT;
