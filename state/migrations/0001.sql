-- Schema version 1. A file may hold many states; every table is keyed by the state that its rows belong to,
-- so that a server's database has the same tables. Times are milliseconds since 1970-01-01T00:00:00Z.
-- Payloads, variables and blueprints are opaque text: an encrypting store can keep ciphertext in them.

CREATE TABLE states (
    id          INTEGER PRIMARY KEY,
    stack       TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    lineage     TEXT    NOT NULL,
    checksum    INTEGER NOT NULL,           -- CRC-32 over the three columns above
    serial      INTEGER NOT NULL DEFAULT 0,
    last_token  INTEGER NOT NULL DEFAULT 0, -- the last fencing token given out; never goes back
    last_run    INTEGER NOT NULL DEFAULT 0, -- the last run number given out
    created_ms  INTEGER NOT NULL,
    -- How many records and open intents there are, and the sums of their checksums, kept by the triggers below.
    -- A read compares them: a row lost to a damaged index would else be missed by nobody.
    record_count INTEGER NOT NULL DEFAULT 0,
    record_sum   INTEGER NOT NULL DEFAULT 0,
    open_count   INTEGER NOT NULL DEFAULT 0,
    open_sum     INTEGER NOT NULL DEFAULT 0,
    UNIQUE (stack, environment)
) STRICT;

-- Plain rows and a narrow index: new rows fill the last page, so that a batch of results dirties few pages.
CREATE TABLE resources (
    state         INTEGER NOT NULL REFERENCES states (id) ON DELETE CASCADE,
    address       TEXT    NOT NULL,
    deposed       TEXT    NOT NULL DEFAULT '', -- '' is the current object
    kind          TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    provider      TEXT    NOT NULL,
    inputs_digest TEXT    NOT NULL,
    dependencies  TEXT    NOT NULL,            -- a JSON array of addresses
    payload       TEXT    NOT NULL,
    checksum      INTEGER NOT NULL,            -- CRC-32 over the columns above but `state`
    UNIQUE (state, address, deposed)
) STRICT;

CREATE TRIGGER record_added AFTER INSERT ON resources BEGIN
    UPDATE states SET record_count = record_count + 1, record_sum = record_sum + new.checksum WHERE id = new.state;
END;

CREATE TRIGGER record_changed AFTER UPDATE ON resources BEGIN
    UPDATE states SET record_sum = record_sum - old.checksum + new.checksum WHERE id = new.state;
END;

CREATE TRIGGER record_removed AFTER DELETE ON resources BEGIN
    UPDATE states SET record_count = record_count - 1, record_sum = record_sum - old.checksum WHERE id = old.state;
END;

CREATE TABLE journal (
    id         INTEGER PRIMARY KEY,
    state      INTEGER NOT NULL REFERENCES states (id) ON DELETE CASCADE,
    run        INTEGER NOT NULL,
    address    TEXT    NOT NULL,
    deposed    TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    token      TEXT    NOT NULL,
    payload    TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    checksum   INTEGER NOT NULL,           -- CRC-32 over address, deposed, action, token, payload
    open       INTEGER NOT NULL DEFAULT 1, -- 0 once it is known how the intent ended
    outcome    TEXT CHECK (outcome IN ('done', 'failed', 'unknown')),
    message    TEXT,
    settled_ms INTEGER,
    serial     INTEGER                     -- the state's serial right after the outcome
) STRICT;

CREATE INDEX journal_open ON journal (state) WHERE open = 1;

CREATE TRIGGER intent_opened AFTER INSERT ON journal WHEN new.open = 1 BEGIN
    UPDATE states SET open_count = open_count + 1, open_sum = open_sum + new.checksum WHERE id = new.state;
END;

CREATE TRIGGER intent_closed AFTER UPDATE ON journal WHEN old.open = 1 AND new.open = 0 BEGIN
    UPDATE states SET open_count = open_count - 1, open_sum = open_sum - old.checksum WHERE id = old.state;
END;

CREATE TRIGGER intent_dropped AFTER DELETE ON journal WHEN old.open = 1 BEGIN
    UPDATE states SET open_count = open_count - 1, open_sum = open_sum - old.checksum WHERE id = old.state;
END;

-- Each distinct blueprint text once.
CREATE TABLE blueprints (
    state  INTEGER NOT NULL REFERENCES states (id) ON DELETE CASCADE,
    digest TEXT    NOT NULL, -- BLAKE3 of the text, hex
    text   TEXT    NOT NULL,
    UNIQUE (state, digest)
) STRICT;

CREATE TABLE runs (
    state            INTEGER NOT NULL REFERENCES states (id) ON DELETE CASCADE,
    id               INTEGER NOT NULL,
    command          TEXT    NOT NULL,
    owner            TEXT    NOT NULL,
    host             TEXT    NOT NULL,
    started_ms       INTEGER NOT NULL,
    ended_ms         INTEGER,
    result           TEXT,
    summary          TEXT    NOT NULL,
    variables        TEXT    NOT NULL,
    blueprint_digest TEXT,
    plan_id          TEXT,
    serial_before    INTEGER NOT NULL,
    serial_after     INTEGER,
    first_intent     INTEGER NOT NULL, -- its journal entries are those from here to the next run's
    UNIQUE (state, id)
) STRICT;

CREATE TABLE used_plans (
    state   INTEGER NOT NULL REFERENCES states (id) ON DELETE CASCADE,
    plan_id TEXT    NOT NULL,
    at_ms   INTEGER NOT NULL,
    run     INTEGER,
    PRIMARY KEY (state, plan_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    state INTEGER NOT NULL REFERENCES states (id) ON DELETE CASCADE,
    key   TEXT    NOT NULL,
    value TEXT    NOT NULL,
    PRIMARY KEY (state, key)
) STRICT, WITHOUT ROWID;

-- At most one row a state: who may write. The host columns tell whether the holder still lives.
CREATE TABLE locks (
    state             INTEGER PRIMARY KEY REFERENCES states (id) ON DELETE CASCADE,
    token             INTEGER NOT NULL,
    lease_ms          INTEGER NOT NULL,
    owner             TEXT    NOT NULL,
    host              TEXT    NOT NULL,
    process           INTEGER NOT NULL,
    command           TEXT    NOT NULL,
    run               INTEGER,
    since_ms          INTEGER NOT NULL,
    heartbeat_ms      INTEGER NOT NULL, -- by the wall clock
    heartbeat_boot_ms INTEGER,          -- by the clock that counts from boot and cannot be set
    boot              TEXT,             -- the boot that this clock belongs to
    pid_namespace     TEXT,             -- where `process` means something
    process_started   INTEGER           -- tells the process from a later one of the same number
) STRICT;
