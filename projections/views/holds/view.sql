-- tables
CREATE TABLE {holds} (
    programme  text COLLATE "C" NOT NULL,
    member     text COLLATE "C" NOT NULL,
    hold       text COLLATE "C" NOT NULL,
    position   bigint NOT NULL,
    state      text NOT NULL,
    unit       text NOT NULL,
    points     bigint NOT NULL,
    captured   bigint NOT NULL,
    released   bigint NOT NULL,
    redemption text NOT NULL,
    channel    text NOT NULL,
    held_at    bigint NOT NULL,
    expires_at bigint NOT NULL,
    ended_at   bigint,
    PRIMARY KEY (member, programme, hold, position)
) WITH (fillfactor = 80);
CREATE INDEX ON {holds} (member, programme, held_at, position);
-- The oldest that are open; few of all holds are.
CREATE INDEX ON {holds} (programme, held_at, position) WHERE ended_at IS NULL;

-- readers
-- Points that were set aside, and what became of them: points = captured + released + what is still held.
--   programme   the programme
--   member      the member whose points they are
--   hold        its id; a redemption's hold is called `redemption:<id>`
--   position    where it began in the log: an id can be used again once its hold has ended
--   state       HELD, PARTLY_CAPTURED, CAPTURED (all or in part), RELEASED, or TIMED_OUT
--   unit        the point unit
--   points      minor units set aside
--   captured    minor units of them that were spent
--   released    minor units of them that went back
--   redemption  the redemption that they are for; empty: none
--   channel     the channel through which they were set aside
--   held_at     since when; the age of an open hold is the present less this
--   expires_at  when it times out
--   ended_at    when nothing of it was left; null: it is open
CREATE OR REPLACE VIEW {schema}.holds AS
SELECT programme, member, hold, position, state, unit, points, captured, released, redemption, channel,
       projections.instant(held_at) AS held_at, projections.instant(expires_at) AS expires_at,
       projections.instant(ended_at) AS ended_at
FROM {holds};

-- load open: holds (programme, member, hold)
-- Each by its key: OFFSET keeps PostgreSQL, which expects few open holds, from going through all given ones for each.
SELECT holds.* FROM {given} AS given CROSS JOIN LATERAL (
    SELECT * FROM {holds} AS holds
    WHERE holds.programme = given.programme AND holds.member = given.member AND holds.hold = given.hold
      AND holds.ended_at IS NULL
    OFFSET 0
) AS holds

-- write changed: holds (programme, member, hold, position, state, captured, released, ended_at)
UPDATE {holds} AS holds
SET state = given.state, captured = given.captured, released = given.released, ended_at = given.ended_at
FROM {given} AS given
WHERE holds.programme = given.programme AND holds.member = given.member AND holds.hold = given.hold
  AND holds.position = given.position

-- insert begun: holds
