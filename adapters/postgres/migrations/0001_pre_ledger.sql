-- The write side. Column order is by size, so that a row has no padding; what is empty is '', so that it has no NULLs.

CREATE SCHEMA ledger;
CREATE SCHEMA projections;

-- Where each shard stands. The one row that is updated: every append locks it, and so it fences other writers.
CREATE TABLE ledger.shards (
    shard       smallint PRIMARY KEY,
    epoch       bigint NOT NULL,
    position    bigint NOT NULL,
    batch       bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    renewed_at  timestamptz NOT NULL,
    hash        bytea NOT NULL,
    batch_hash  bytea NOT NULL
) WITH (fillfactor = 10);

INSERT INTO ledger.shards
VALUES (1, 0, 0, 0, 'epoch', 'epoch', decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'));

CREATE TABLE ledger.events (
    position       bigint NOT NULL,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    version        integer NOT NULL,
    business_date  date NOT NULL,
    shard          smallint NOT NULL,
    command_id     uuid NOT NULL,
    business_key   uuid,
    programme      text NOT NULL,
    stream         text COLLATE "C" NOT NULL,
    topic          text NOT NULL,
    actor          text NOT NULL,
    channel        text NOT NULL,
    correlation_id text NOT NULL,
    trace          bytea NOT NULL,
    event          bytea NOT NULL,
    hash           bytea NOT NULL,
    CONSTRAINT events_position PRIMARY KEY (position),
    CONSTRAINT events_stream_version UNIQUE (stream, version)
);

-- One grant for one business key, whichever command asks for it.
CREATE UNIQUE INDEX events_business_key ON ledger.events (business_key) WHERE business_key IS NOT NULL;

-- What became of each command id, for ever.
CREATE TABLE ledger.outcomes (
    batch        bigint NOT NULL,
    ordinal      integer NOT NULL,
    command_id   uuid NOT NULL,
    request_hash uuid NOT NULL,
    answer       bytea NOT NULL,
    CONSTRAINT outcomes_command_id PRIMARY KEY (command_id)
);

-- Outcomes lie in the order of their batches, so a few pages of BRIN find them again for verification.
CREATE INDEX outcomes_batch ON ledger.outcomes USING brin (batch) WITH (pages_per_range = 32);

CREATE TABLE ledger.batches (
    batch           bigint NOT NULL,
    epoch           bigint NOT NULL,
    first_position  bigint NOT NULL,
    recorded_at     timestamptz NOT NULL,
    events          integer NOT NULL,
    commands        integer NOT NULL,
    shard           smallint NOT NULL,
    outcomes_digest bytea NOT NULL,
    hash            bytea NOT NULL,
    CONSTRAINT batches_batch PRIMARY KEY (shard, batch)
);

-- States as of a version; they may be thrown away.
CREATE TABLE ledger.snapshots (
    stream      text COLLATE "C" PRIMARY KEY,
    version     integer NOT NULL,
    fingerprint text NOT NULL,
    state       bytea NOT NULL
);

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.outcomes
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.batches
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- Not even a replication role may pass them by.
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger.outcomes ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger.batches ENABLE ALWAYS TRIGGER append_only;

-- For auditors: the log with its events decoded, and instants inside them as time stamps.
CREATE FUNCTION ledger.decoded(event bytea) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_object_agg(
        field.key,
        CASE WHEN field.key LIKE '%\_at' AND jsonb_typeof(field.value) = 'number'
             THEN to_jsonb(to_timestamp((field.value #>> '{}')::numeric / 1000000))
             ELSE field.value
        END)
    FROM jsonb_each(convert_from(event, 'UTF8')::jsonb) AS field
$$;

CREATE VIEW ledger.event_log AS
SELECT position, programme, stream, version, topic, ledger.decoded(event) AS event, command_id, actor, channel,
       correlation_id, encode(trace, 'hex') AS trace, occurred_at, recorded_at, business_date, encode(hash, 'hex') AS hash
FROM ledger.events;

GRANT USAGE ON SCHEMA ledger TO {app};
GRANT SELECT, INSERT ON ledger.events, ledger.outcomes, ledger.batches TO {app};
GRANT SELECT, UPDATE ON ledger.shards TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.snapshots TO {app};
GRANT SELECT ON ledger.event_log TO {app};
GRANT USAGE, CREATE ON SCHEMA projections TO {app};
