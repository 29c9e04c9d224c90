-- tables
CREATE TABLE {items} (
    programme   text COLLATE "C" NOT NULL,
    sku         text COLLATE "C" NOT NULL,
    location    text COLLATE "C" NOT NULL,
    on_hand     bigint NOT NULL,
    locked      bigint NOT NULL,
    shipped     bigint NOT NULL,
    received    bigint NOT NULL,
    value       bigint NOT NULL,
    counted     bigint NOT NULL,
    transferred bigint NOT NULL,
    PRIMARY KEY (programme, sku, location)
) WITH (fillfactor = 50);

CREATE TABLE {locks} (
    programme  text COLLATE "C" NOT NULL,
    sku        text COLLATE "C" NOT NULL,
    location   text COLLATE "C" NOT NULL,
    lock       text COLLATE "C" NOT NULL,
    quantity   bigint NOT NULL,
    locked_at  bigint NOT NULL,
    expires_at bigint NOT NULL,
    redemption text NOT NULL,
    PRIMARY KEY (programme, sku, location, lock)
);

-- What is offered no more; an empty location: the SKU wherever it lies.
CREATE TABLE {discontinued} (
    programme       text COLLATE "C" NOT NULL,
    sku             text COLLATE "C" NOT NULL,
    location        text COLLATE "C" NOT NULL,
    discontinued_at bigint NOT NULL,
    reason          text NOT NULL,
    PRIMARY KEY (programme, sku, location)
);

-- readers
-- Stock items: received + counted + transferred = on_hand + shipped, on_hand + shortage = available + locked.
--   programme    the programme
--   sku          the SKU
--   location     the location
--   on_hand      units that are there
--   locked       units set aside; which locks these are is in inventory_locks
--   available    units on hand that are not set aside
--   shipped      units that were shipped
--   received     units that were received
--   value        what the units on hand cost, in minor units of money
--   counted      units that counts found more than were expected, less those that they missed
--   transferred  units that came from other locations, less those that went there
--   shortage     units set aside that are not there
CREATE OR REPLACE VIEW {schema}.inventory_items AS
SELECT programme, sku, location, on_hand, locked, greatest(on_hand - locked, 0) AS available, shipped, received, value,
       counted, transferred, greatest(locked - on_hand, 0) AS shortage
FROM {items};

-- The open locks behind inventory_items.locked.
--   programme   the programme
--   sku         the SKU
--   location    the location
--   lock        its id; a redemption's lock is called `redemption:<id>`
--   quantity    units set aside
--   locked_at   since when; its age is the present less this
--   expires_at  when it times out
--   redemption  the redemption that it is for; empty: none
CREATE OR REPLACE VIEW {schema}.inventory_locks AS
SELECT programme, sku, location, lock, quantity, projections.instant(locked_at) AS locked_at,
       projections.instant(expires_at) AS expires_at, redemption
FROM {locks};

-- What is offered no more.
--   programme        the programme
--   sku              the SKU
--   location         where; empty: wherever it lies
--   discontinued_at  since when
--   reason           the reason that was given
CREATE OR REPLACE VIEW {schema}.inventory_discontinued AS
SELECT programme, sku, location, projections.instant(discontinued_at) AS discontinued_at, reason
FROM {discontinued};

-- write moved: items
INSERT INTO {items} AS items SELECT * FROM {given} AS given
ON CONFLICT (programme, sku, location)
DO UPDATE SET on_hand = items.on_hand + excluded.on_hand, locked = items.locked + excluded.locked,
              shipped = items.shipped + excluded.shipped, received = items.received + excluded.received,
              value = items.value + excluded.value, counted = items.counted + excluded.counted,
              transferred = items.transferred + excluded.transferred

-- update lowered: locks (programme, sku, location, lock, quantity)
UPDATE {locks} AS locks SET quantity = given.quantity
FROM {given} AS given
WHERE locks.programme = given.programme AND locks.sku = given.sku AND locks.location = given.location
  AND locks.lock = given.lock

-- write unlocked: locks (programme, sku, location, lock)
DELETE FROM {locks} AS locks USING {given} AS given
WHERE locks.programme = given.programme AND locks.sku = given.sku AND locks.location = given.location
  AND locks.lock = given.lock

-- insert locked: locks

-- insert discontinued: discontinued
