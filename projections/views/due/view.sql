-- tables
CREATE TABLE {lots} (
    programme  text COLLATE "C" NOT NULL,
    member     text COLLATE "C" NOT NULL,
    unit       text COLLATE "C" NOT NULL,
    expires_at bigint NOT NULL,
    points     bigint NOT NULL,
    PRIMARY KEY (programme, expires_at, member, unit)
) WITH (fillfactor = 80);

CREATE TABLE {holds} (
    programme  text COLLATE "C" NOT NULL,
    member     text COLLATE "C" NOT NULL,
    hold       text COLLATE "C" NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (programme, member, hold)
);
CREATE INDEX ON {holds} (programme, expires_at);

CREATE TABLE {locks} (
    programme  text COLLATE "C" NOT NULL,
    sku        text COLLATE "C" NOT NULL,
    location   text COLLATE "C" NOT NULL,
    lock       text COLLATE "C" NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (programme, sku, location, lock)
);
CREATE INDEX ON {locks} (programme, expires_at);

-- readers
-- What comes to its end, and when: points, holds, and locks that belong to no redemption.
--   programme      the programme
--   due_at_micros  when, in microseconds since 1970
--   due_at         when
--   what           lots, hold or lock
--   member         whose points or hold; empty: it is a lock
--   sku            of a lock
--   location       of a lock
CREATE OR REPLACE VIEW {schema}.due AS
SELECT programme, expires_at AS due_at_micros, projections.instant(expires_at) AS due_at, 'lots' AS what, member,
       '' AS sku, '' AS location FROM {lots}
UNION ALL
SELECT programme, expires_at, projections.instant(expires_at), 'hold', member, '', '' FROM {holds}
UNION ALL
SELECT programme, expires_at, projections.instant(expires_at), 'lock', '', sku, location FROM {locks};

-- Points that will expire, by member and by when; those that never do, and those that are held, are left out.
--   programme   the programme
--   member      whose points they are
--   unit        the point unit
--   points      minor units; expired ones are in it until their expiry is posted
--   expires_at  when they end: from then on they can't be spent
CREATE OR REPLACE VIEW {schema}.expiring AS
SELECT programme, member, unit, points, projections.instant(expires_at) AS expires_at
FROM {lots}
WHERE points > 0;

-- write moved: lots
INSERT INTO {lots} AS lots SELECT * FROM {given} AS given
ON CONFLICT (programme, expires_at, member, unit) DO UPDATE SET points = lots.points + excluded.points

-- write emptied: lots (programme, member, unit, expires_at)
DELETE FROM {lots} AS lots USING {given} AS given
WHERE lots.programme = given.programme AND lots.expires_at = given.expires_at AND lots.member = given.member
  AND lots.unit = given.unit
  -- Never below 0. Of `points = 0` PostgreSQL expects one row, and would go through all given ones for each it finds.
  AND lots.points + 0 <= 0

-- write ended: holds (programme, member, hold)
DELETE FROM {holds} AS holds USING {given} AS given
WHERE holds.programme = given.programme AND holds.member = given.member AND holds.hold = given.hold

-- insert held: holds

-- write unlocked: locks (programme, sku, location, lock)
DELETE FROM {locks} AS locks USING {given} AS given
WHERE locks.programme = given.programme AND locks.sku = given.sku AND locks.location = given.location
  AND locks.lock = given.lock

-- insert locked: locks
