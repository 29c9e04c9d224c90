-- What all projections share: where each stands, and how instants look to those who read the views in SQL.

CREATE TABLE IF NOT EXISTS projections.projections (
    name            text NOT NULL,
    version         integer NOT NULL,
    position        bigint NOT NULL,
    live            boolean NOT NULL,    -- whether readers see this version
    moved_at        timestamptz NOT NULL,
    failed_position bigint,              -- set while it is stopped: the event that it cannot fold
    reason          text,
    PRIMARY KEY (name, version)
) WITH (fillfactor = 20);

-- Tables keep instants as events do, in microseconds since the Unix epoch; readers see time stamps.
CREATE OR REPLACE FUNCTION projections.instant(micros bigint) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE RETURN timestamptz 'epoch' + micros * interval '1 microsecond';

CREATE OR REPLACE VIEW projections.status AS
SELECT p.name, p.version, p.live, CASE WHEN p.failed_position IS NULL THEN 'RUNNING' ELSE 'STOPPED' END AS state,
       p.position, shard.position - p.position AS lag_events,
       coalesce(extract(epoch FROM clock_timestamp() - next.recorded_at), 0)::double precision AS lag_seconds,
       p.moved_at, p.failed_position, p.reason
FROM projections.projections AS p
JOIN ledger.shards AS shard ON shard.shard = 1
LEFT JOIN ledger.events AS next ON next.position = p.position + 1;
