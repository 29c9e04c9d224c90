-- The read side: which builds of which projections there are, and how far they are. What an earlier release folded is
-- thrown away: views are built again from the events.

DROP SCHEMA projections CASCADE;
CREATE SCHEMA projections;

-- A build is a set of a projection's tables, filled from position 0 on. One of them is what readers see.
CREATE TABLE projections.builds (
    name            text NOT NULL,
    build           integer NOT NULL,
    version         integer NOT NULL,                          -- of the fold that fills it
    schema          text NOT NULL DEFAULT 'projections',       -- where its tables are; replays are elsewhere
    state           text NOT NULL CHECK (state IN ('RUNNING', 'BUILDING', 'PAUSED', 'READY', 'RETIRED', 'REPLAYED')),
    position        bigint NOT NULL DEFAULT 0,                 -- the checkpoint; while it is loaded, its parts have theirs
    loading         boolean NOT NULL DEFAULT false,            -- whether processes load it, each its part of the streams
    upto            bigint,                                    -- of a replay: where it ends
    rate_max        integer,                                   -- events a second that loading may read
    compare         boolean NOT NULL DEFAULT false,            -- whether it takes over only if it equals the live one
    differences     bigint,                                    -- rows in which it differed from the live one
    replay_parked   boolean NOT NULL DEFAULT false,            -- whether somebody asked for its parked events
    readers         text NOT NULL DEFAULT '',                  -- the statements that show it to readers in SQL
    started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    moved_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    failed_position bigint,                                    -- set while it is stopped: the event that it cannot fold
    reason          text,
    PRIMARY KEY (name, build)
) WITH (fillfactor = 20);

CREATE UNIQUE INDEX builds_live ON projections.builds (name) WHERE state = 'RUNNING';
CREATE UNIQUE INDEX builds_next ON projections.builds (name)
    WHERE schema = 'projections' AND state IN ('BUILDING', 'PAUSED', 'READY');

-- How far each process has come that loads its part of the streams into a build.
CREATE TABLE projections.parts (
    name     text NOT NULL,
    build    integer NOT NULL,
    part     integer NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (name, build, part),
    FOREIGN KEY (name, build) REFERENCES projections.builds ON DELETE CASCADE
) WITH (fillfactor = 20);

-- Events that wait because their key is parked: the first could not be folded, the others came after it.
CREATE TABLE projections.parked (
    name      text NOT NULL,
    build     integer NOT NULL,
    key       text COLLATE "C" NOT NULL,
    position  bigint NOT NULL,
    reason    text,                                            -- of the one that failed
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, build, key, position),
    FOREIGN KEY (name, build) REFERENCES projections.builds ON DELETE CASCADE
);

-- The first rows in which a build differs from the live one; null: there is none.
CREATE TABLE projections.differences (
    name       text NOT NULL,
    build      integer NOT NULL,
    table_name text NOT NULL,
    live       jsonb,
    rebuilt    jsonb,
    FOREIGN KEY (name, build) REFERENCES projections.builds ON DELETE CASCADE
);

-- Tables keep instants as events do, in microseconds since the Unix epoch; readers see time stamps.
CREATE FUNCTION projections.instant(micros bigint) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE RETURN timestamptz 'epoch' + micros * interval '1 microsecond';

-- While a build is loaded, its position is what its parts have read on average.
CREATE VIEW projections.status AS
SELECT builds.name, builds.build, builds.version, builds.schema, builds.state = 'RUNNING' AS live,
       CASE WHEN builds.failed_position IS NOT NULL AND builds.state IN ('RUNNING', 'BUILDING', 'READY') THEN 'STOPPED'
            ELSE builds.state END AS state,
       at.position, greatest(coalesce(builds.upto, shard.position) - at.position, 0) AS lag_events,
       CASE WHEN builds.upto IS NULL THEN coalesce(extract(epoch FROM clock_timestamp() - next.recorded_at), 0) ELSE 0
       END::double precision AS lag_seconds,
       (SELECT count(DISTINCT key) FROM projections.parked
        WHERE parked.name = builds.name AND parked.build = builds.build) AS parked_keys,
       builds.loading, builds.differences, builds.moved_at, builds.failed_position, builds.reason
FROM projections.builds
CROSS JOIN LATERAL (
    SELECT coalesce((SELECT avg(parts.position)::bigint FROM projections.parts
                     WHERE parts.name = builds.name AND parts.build = builds.build), builds.position) AS position) AS at
JOIN ledger.shards AS shard ON shard.shard = 1
LEFT JOIN ledger.events AS next ON next.position = at.position + 1;

GRANT USAGE, CREATE ON SCHEMA projections TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON projections.builds, projections.parts, projections.parked, projections.differences
TO {app};
GRANT SELECT ON projections.status TO {app};
