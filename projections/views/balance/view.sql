-- tables
CREATE TABLE {members} (
    programme   text COLLATE "C" NOT NULL,
    member      text COLLATE "C" NOT NULL,
    enrolled_at bigint NOT NULL,
    PRIMARY KEY (programme, member)
);

CREATE TABLE {lots} (
    programme    text COLLATE "C" NOT NULL,
    member       text COLLATE "C" NOT NULL,
    number       integer NOT NULL,
    unit         text NOT NULL,
    granted      bigint NOT NULL,
    remaining    bigint NOT NULL CHECK (remaining >= 0),
    held         bigint NOT NULL CHECK (held >= 0),
    earned_at    bigint NOT NULL,
    available_at bigint NOT NULL,
    expires_at   bigint NOT NULL,
    issued       text NOT NULL,
    funding      text NOT NULL,
    source_type  text NOT NULL,
    source_id    text NOT NULL,
    root         text NOT NULL,
    unit_cost    text,
    PRIMARY KEY (member, programme, number)
) WITH (fillfactor = 90);

-- Sums over lots: what is left and held, by expiry; and of that what began as pending, by the time it becomes available.
CREATE TABLE {buckets} (
    programme  text COLLATE "C" NOT NULL,
    member     text COLLATE "C" NOT NULL,
    unit       text COLLATE "C" NOT NULL,
    expires_at bigint NOT NULL,
    remaining  bigint NOT NULL,
    held       bigint NOT NULL,
    PRIMARY KEY (member, programme, unit, expires_at)
) WITH (fillfactor = 80);

CREATE TABLE {pending} (
    programme    text COLLATE "C" NOT NULL,
    member       text COLLATE "C" NOT NULL,
    unit         text COLLATE "C" NOT NULL,
    available_at bigint NOT NULL,
    points       bigint NOT NULL,
    PRIMARY KEY (programme, member, unit, available_at)
) WITH (fillfactor = 80);

-- What members owe; a debt that was paid stays with 0.
CREATE TABLE {debts} (
    programme text COLLATE "C" NOT NULL,
    member    text COLLATE "C" NOT NULL,
    unit      text COLLATE "C" NOT NULL,
    points    bigint NOT NULL,
    PRIMARY KEY (programme, member, unit)
);

-- readers
CREATE OR REPLACE VIEW projections.balance_members AS
SELECT programme, member, projections.instant(enrolled_at) AS enrolled_at
FROM {members};

CREATE OR REPLACE VIEW projections.balance_lots AS
SELECT programme, member, number, member || ':' || number AS lot, unit, granted, remaining, held,
       projections.instant(earned_at) AS earned_at, projections.instant(available_at) AS available_at,
       projections.instant(expires_at) AS expires_at, issued, funding, source_type, source_id, root, unit_cost
FROM {lots};

CREATE OR REPLACE VIEW projections.balance_buckets AS
SELECT programme, member, unit, projections.instant(expires_at) AS expires_at, remaining, held
FROM {buckets};

CREATE OR REPLACE VIEW projections.balance_pending AS
SELECT programme, member, unit, projections.instant(available_at) AS available_at, points
FROM {pending};

CREATE OR REPLACE VIEW projections.balance_debts AS
SELECT programme, member, unit, points
FROM {debts};

-- insert enrolled: members

-- write moved: buckets
INSERT INTO {buckets} AS buckets SELECT * FROM {given} AS given
ON CONFLICT (programme, member, unit, expires_at)
DO UPDATE SET remaining = buckets.remaining + excluded.remaining, held = buckets.held + excluded.held

-- write emptied: buckets (programme, member, unit, expires_at)
DELETE FROM {buckets} AS buckets USING {given} AS given
WHERE buckets.programme = given.programme AND buckets.member = given.member AND buckets.unit = given.unit
  AND buckets.expires_at = given.expires_at AND buckets.remaining = 0 AND buckets.held = 0

-- write pending: pending
INSERT INTO {pending} AS pending SELECT * FROM {given} AS given
ON CONFLICT (programme, member, unit, available_at) DO UPDATE SET points = pending.points + excluded.points

-- write owed: debts
INSERT INTO {debts} AS debts SELECT * FROM {given} AS given
ON CONFLICT (programme, member, unit) DO UPDATE SET points = debts.points + excluded.points

-- update drawn: lots (programme, member, number, remaining, held)
UPDATE {lots} AS lots SET remaining = lots.remaining + given.remaining, held = lots.held + given.held
FROM {given} AS given
WHERE lots.programme = given.programme AND lots.member = given.member AND lots.number = given.number

-- insert granted: lots
