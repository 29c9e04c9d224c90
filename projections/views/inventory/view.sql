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
CREATE OR REPLACE VIEW {schema}.inventory_items AS
SELECT programme, sku, location, on_hand, locked, greatest(on_hand - locked, 0) AS available, shipped, received, value,
       counted, transferred, greatest(locked - on_hand, 0) AS shortage
FROM {items};

CREATE OR REPLACE VIEW {schema}.inventory_locks AS
SELECT programme, sku, location, lock, quantity, projections.instant(locked_at) AS locked_at,
       projections.instant(expires_at) AS expires_at, redemption
FROM {locks};

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
