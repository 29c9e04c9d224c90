-- tables
-- What an event did to one lot, to a debt, or to the end of a period of activity. Rows are never changed.
CREATE TABLE {points} (
    position     bigint NOT NULL,
    effective_at bigint NOT NULL,
    recorded_at  bigint NOT NULL,
    remaining    bigint NOT NULL,    -- these three signed: what is left of the lot without what is held,
    held         bigint NOT NULL,    -- what is held of it,
    debt         bigint NOT NULL,    -- what is owed
    earned_at    bigint,             -- with the grant of a lot, and only there
    available_at bigint,             -- from now on; null: as before
    expires_at   bigint,             -- from now on, and the next column with it; null: as before
    period       integer,            -- the period of activity on which the expiry hangs; 0: none
    lot          integer NOT NULL,   -- its number; 0: a debt, or a period by itself
    programme    text COLLATE "C" NOT NULL,
    member       text COLLATE "C" NOT NULL,
    unit         text COLLATE "C" NOT NULL
);
-- No primary key: position, lot and all would make it seven times as large, and nothing looks a posting up.
CREATE INDEX ON {points} (member, programme);

-- How a member stands from an event on.
CREATE TABLE {members} (
    position     bigint NOT NULL,
    effective_at bigint NOT NULL,
    recorded_at  bigint NOT NULL,
    last_lot     integer,            -- of a frozen member: lots with higher numbers are quarantined
    programme    text COLLATE "C" NOT NULL,
    member       text COLLATE "C" NOT NULL,
    status       text NOT NULL       -- ACTIVE, FROZEN or CLOSED
);
CREATE INDEX ON {members} (member, programme);

-- What an event did to a stock item, signed; the columns are those of the inventory.
CREATE TABLE {stock} (
    position     bigint NOT NULL,
    effective_at bigint NOT NULL,
    recorded_at  bigint NOT NULL,
    on_hand      bigint NOT NULL,
    locked       bigint NOT NULL,
    shipped      bigint NOT NULL,
    received     bigint NOT NULL,
    value        bigint NOT NULL,
    counted      bigint NOT NULL,
    transferred  bigint NOT NULL,
    programme    text COLLATE "C" NOT NULL,
    sku          text COLLATE "C" NOT NULL,
    location     text COLLATE "C" NOT NULL
);
CREATE INDEX ON {stock} (programme, sku, location);

-- What is offered no more from an event on; an empty location: the SKU wherever it lies.
CREATE TABLE {discontinued} (
    position     bigint NOT NULL,
    effective_at bigint NOT NULL,
    recorded_at  bigint NOT NULL,
    programme    text COLLATE "C" NOT NULL,
    sku          text COLLATE "C" NOT NULL,
    location     text COLLATE "C" NOT NULL,
    PRIMARY KEY (programme, sku, location)
);

-- readers
-- What each event did to points, signed, when that counts and when it was known: any past balance is a sum of these.
--   programme     the programme
--   member        whose points they are
--   position      where the event stands in the log
--   unit          the point unit
--   lot           the lot, as `<member>:<number>`; null: a debt, or a period of activity by itself
--   effective_at  the time of business from which it counts
--   recorded_at   when it was recorded
--   remaining     minor units by which what is left of the lot changed, without what is held
--   held          minor units by which what is held of it changed
--   debt          minor units by which what is owed changed
--   earned_at     when the lot was earned; null: it was there before
--   available_at  from when on the lot can be spent, from now on; null: as before
--   expires_at    when the lot ends, from now on; null: as before
--   period        the period of activity on which its end hangs; 0: none; null: as before
CREATE OR REPLACE VIEW {schema}.postings_points AS
SELECT programme, member, position, unit, CASE WHEN lot > 0 THEN member || ':' || lot END AS lot,
       projections.instant(effective_at) AS effective_at, projections.instant(recorded_at) AS recorded_at,
       remaining, held, debt, projections.instant(earned_at) AS earned_at,
       projections.instant(available_at) AS available_at, projections.instant(expires_at) AS expires_at, period
FROM {points};

-- How members stood from an event on.
--   programme     the programme
--   member        the member
--   position      where the event stands in the log
--   effective_at  the time of business from which it counts
--   recorded_at   when it was recorded
--   status        ACTIVE, FROZEN or CLOSED
--   last_lot      of a frozen member: lots with higher numbers are quarantined; null: the member is not frozen
CREATE OR REPLACE VIEW {schema}.postings_members AS
SELECT programme, member, position, projections.instant(effective_at) AS effective_at,
       projections.instant(recorded_at) AS recorded_at, status, last_lot
FROM {members};

-- What each event did to a stock item, in units, signed; the columns are those of inventory_items.
--   programme     the programme
--   sku           the SKU
--   location      the location
--   position      where the event stands in the log
--   effective_at  the time of business from which it counts
--   recorded_at   when it was recorded
--   on_hand       units that are there
--   locked        units set aside
--   shipped       units that were shipped
--   received      units that were received
--   value         what the units on hand cost, in minor units of money
--   counted       units that counts found more than were expected, less those that they missed
--   transferred   units that came from other locations, less those that went there
CREATE OR REPLACE VIEW {schema}.postings_stock AS
SELECT programme, sku, location, position, projections.instant(effective_at) AS effective_at,
       projections.instant(recorded_at) AS recorded_at, on_hand, locked, shipped, received, value, counted, transferred
FROM {stock};

-- What is offered no more from an event on.
--   programme     the programme
--   sku           the SKU
--   location      where; empty: wherever it lies
--   position      where the event stands in the log
--   effective_at  the time of business from which it counts
--   recorded_at   when it was recorded
CREATE OR REPLACE VIEW {schema}.postings_discontinued AS
SELECT programme, sku, location, position, projections.instant(effective_at) AS effective_at,
       projections.instant(recorded_at) AS recorded_at
FROM {discontinued};

-- insert points: points

-- insert members: members

-- insert stock: stock

-- insert discontinued: discontinued
