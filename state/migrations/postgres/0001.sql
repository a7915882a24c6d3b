-- Schema version 1 of a state database. Every table is keyed by the state that its rows belong to: one database holds
-- many stacks and environments. Payloads, variables and blueprints are kept as the bytes that the engine wrote, since
-- jsonb would not give them back unchanged; the views below show them as jsonb.
-- Addresses sort by bytes (COLLATE "C"), as they do in every other store.

CREATE TABLE standfast.states (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stack       text   NOT NULL,
    environment text   NOT NULL,
    lineage     text   NOT NULL,
    serial      bigint NOT NULL DEFAULT 0,
    last_token  bigint NOT NULL DEFAULT 0, -- the last fencing token given out; never goes back
    last_run    bigint NOT NULL DEFAULT 0, -- the last run number given out
    created     timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (stack, environment)
);

CREATE TABLE standfast.resources (
    state         bigint NOT NULL REFERENCES standfast.states ON DELETE CASCADE,
    address       text   COLLATE "C" NOT NULL,
    deposed       text   COLLATE "C" NOT NULL DEFAULT '', -- '' is the current object
    kind          text   NOT NULL,
    id            text   NOT NULL,
    provider      text   NOT NULL,
    inputs_digest text   NOT NULL,
    dependencies  text[] NOT NULL,
    payload       bytea  NOT NULL,
    PRIMARY KEY (state, address, deposed)
);

CREATE SEQUENCE standfast.intents AS bigint;

CREATE TABLE standfast.journal (
    id      bigint  PRIMARY KEY, -- from the sequence `intents`
    state   bigint  NOT NULL REFERENCES standfast.states ON DELETE CASCADE,
    run     bigint  NOT NULL,
    address text    NOT NULL,
    deposed text    NOT NULL,
    action  text    NOT NULL,
    token   text    NOT NULL,
    payload bytea   NOT NULL,
    at      timestamptz(3) NOT NULL,
    open    boolean NOT NULL DEFAULT true, -- false once it is known how the intent ended
    outcome text    CHECK (outcome IN ('done', 'failed', 'unknown')),
    message text,
    settled timestamptz(3),
    serial  bigint                         -- the state's serial right after the outcome
);

CREATE INDEX journal_open ON standfast.journal (state) WHERE open;
CREATE INDEX journal_of_run ON standfast.journal (state, run);

-- Each distinct blueprint text once.
CREATE TABLE standfast.blueprints (
    state  bigint NOT NULL REFERENCES standfast.states ON DELETE CASCADE,
    digest text   NOT NULL, -- BLAKE3 of the text, hex
    body   bytea  NOT NULL,
    PRIMARY KEY (state, digest)
);

CREATE TABLE standfast.runs (
    state            bigint NOT NULL REFERENCES standfast.states ON DELETE CASCADE,
    id               bigint NOT NULL,
    command          text   NOT NULL,
    owner            text   NOT NULL,
    host             text   NOT NULL,
    started          timestamptz(3) NOT NULL,
    ended            timestamptz(3),
    result           text,
    summary          text   NOT NULL,
    variables        bytea  NOT NULL,
    blueprint_digest text,
    plan_id          text,
    serial_before    bigint NOT NULL,
    serial_after     bigint,
    PRIMARY KEY (state, id)
);

CREATE TABLE standfast.used_plans (
    state   bigint NOT NULL REFERENCES standfast.states ON DELETE CASCADE,
    plan_id text   COLLATE "C" NOT NULL,
    at      timestamptz(3) NOT NULL,
    run     bigint,
    PRIMARY KEY (state, plan_id)
);

CREATE TABLE standfast.meta (
    state bigint NOT NULL REFERENCES standfast.states ON DELETE CASCADE,
    key   text   NOT NULL,
    value text   NOT NULL,
    PRIMARY KEY (state, key)
);

-- At most one row a state: who may write. Times are this server's.
CREATE TABLE standfast.locks (
    state           bigint PRIMARY KEY REFERENCES standfast.states ON DELETE CASCADE,
    token           bigint NOT NULL,
    lease_ms        bigint NOT NULL,
    owner           text   NOT NULL,
    host            text   NOT NULL,
    process         bigint NOT NULL,
    command         text   NOT NULL,
    run             bigint,
    since           timestamptz(3) NOT NULL,
    heartbeat       timestamptz(3) NOT NULL,
    boot            text,  -- the boot of the holder's machine
    pid_namespace   text,  -- where `process` means something
    process_started bigint -- tells the process from a later one of the same number
);

-- The last transaction of each open store: how one whose COMMIT got no answer is known to have been kept.
CREATE TABLE standfast.writers (
    id    uuid   PRIMARY KEY,
    state bigint NOT NULL REFERENCES standfast.states ON DELETE CASCADE,
    batch bigint NOT NULL,
    at    timestamptz(3) NOT NULL
);

-- NULL where it is no JSON.
CREATE FUNCTION standfast.json(raw bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN convert_from(raw, 'UTF8')::jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;

-- For people and reports; standfast itself reads none of them.

CREATE VIEW standfast.history AS
SELECT s.stack, s.environment, r.id AS run, r.command, r.owner, r.host, r.started, r.ended, r.result, r.summary,
       standfast.json(r.variables) AS variables, r.plan_id, r.serial_before, r.serial_after,
       convert_from(b.body, 'UTF8') AS blueprint
FROM standfast.runs r
JOIN standfast.states s ON s.id = r.state
LEFT JOIN standfast.blueprints b ON b.state = r.state AND b.digest = r.blueprint_digest;

CREATE VIEW standfast.operations AS
SELECT s.stack, s.environment, j.run, r.owner, r.host, j.at, j.settled, j.address, j.deposed, j.action, j.outcome,
       j.message, j.open, j.token, j.serial, standfast.json(j.payload) AS payload
FROM standfast.journal j
JOIN standfast.states s ON s.id = j.state
LEFT JOIN standfast.runs r ON r.state = j.state AND r.id = j.run;

CREATE VIEW standfast.recorded AS
SELECT s.stack, s.environment, r.address, r.deposed, r.kind, r.id, r.provider, r.dependencies,
       standfast.json(r.payload) AS payload
FROM standfast.resources r
JOIN standfast.states s ON s.id = r.state;
