-- tables
CREATE TABLE {members} (
    programme   text COLLATE "C" NOT NULL,
    member      text COLLATE "C" NOT NULL,
    enrolled_at bigint NOT NULL,
    status      text NOT NULL,    -- ACTIVE, FROZEN or CLOSED
    last_lot    integer,          -- of a frozen member: lots with higher numbers are quarantined
    PRIMARY KEY (programme, member)
) WITH (fillfactor = 90);

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
    expires_at   bigint NOT NULL,     -- as granted or extended; where there is a period, that knows better
    period       integer NOT NULL,    -- the period of activity on which the expiry hangs; 0: none
    issued       text NOT NULL,
    funding      text NOT NULL,
    source_type  text NOT NULL,
    source_id    text NOT NULL,
    root         text NOT NULL,
    unit_cost    text,
    PRIMARY KEY (member, programme, number)
) WITH (fillfactor = 90);
-- Most members have none of these.
CREATE INDEX ON {lots} (member, programme, available_at) WHERE available_at > earned_at;

-- When the lots of a period of activity end: one row, however many lots there are.
CREATE TABLE {periods} (
    programme  text COLLATE "C" NOT NULL,
    member     text COLLATE "C" NOT NULL,
    period     integer NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (member, programme, period)
) WITH (fillfactor = 80);

-- Sums over lots: what is left and held, by expiry.
CREATE TABLE {buckets} (
    programme  text COLLATE "C" NOT NULL,
    member     text COLLATE "C" NOT NULL,
    unit       text COLLATE "C" NOT NULL,
    expires_at bigint NOT NULL,
    remaining  bigint NOT NULL,
    held       bigint NOT NULL,
    PRIMARY KEY (member, programme, unit, expires_at)
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
-- Members and how they stand.
--   programme    the programme
--   member       the member
--   enrolled_at  when the member joined
--   status       ACTIVE, FROZEN or CLOSED
--   last_lot     of a frozen member: lots with higher numbers are quarantined; null: the member is not frozen
CREATE OR REPLACE VIEW {schema}.balance_members AS
SELECT programme, member, projections.instant(enrolled_at) AS enrolled_at, status, last_lot
FROM {members};

-- Points that were granted together, each lot with what is left of it; emptied lots stay.
--   programme     the programme
--   member        whose points they are
--   number        the number of the lot within the member, counted from 1
--   lot           its id, as in events: `<member>:<number>`
--   unit          the point unit
--   granted       minor units that it began with
--   remaining     minor units left, without what is held; expired ones are in it until their expiry is posted
--   held          minor units set aside by holds
--   earned_at     when the points were earned; of transferred ones, by the first owner
--   available_at  from when on they can be spent; in the year 9999: not before Activate
--   expires_at    when they end; in the year 9999: never
--   issued        the business month of the grant, as YYYY-MM
--   funding       who paid for them: SALE, PROMO or PARTNER_SOLD
--   source_type   what the grant stands on, such as order or review
--   source_id     which one
--   root          the lot that was first granted; differs from `lot` after a transfer
--   unit_cost     what one minor unit of points costs, in minor units of money, as an exact number; null: not known
--   quarantined   whether they are locked away while the member is frozen
CREATE OR REPLACE VIEW {schema}.balance_lots AS
SELECT programme, member, number, member || ':' || number AS lot, unit, granted, remaining, held,
       projections.instant(earned_at) AS earned_at, projections.instant(available_at) AS available_at,
       projections.instant(coalesce(periods.expires_at, lots.expires_at)) AS expires_at, issued, funding, source_type,
       source_id, root, unit_cost, coalesce(number > last_lot, false) AS quarantined
FROM {lots} AS lots
JOIN {members} AS members USING (programme, member)
LEFT JOIN {periods} AS periods USING (programme, member, period);

-- Sums over a member's lots that end at the same time: what balances are made of.
--   programme   the programme
--   member      whose points they are
--   unit        the point unit
--   expires_at  when they end; in the year 9999: never
--   remaining   minor units left, without what is held; expired ones are in it until their expiry is posted
--   held        minor units set aside by holds
CREATE OR REPLACE VIEW {schema}.balance_buckets AS
SELECT programme, member, unit, projections.instant(expires_at) AS expires_at, remaining, held
FROM {buckets};

-- What members owe; a debt that was paid stays with 0.
--   programme  the programme
--   member     who owes
--   unit       the point unit
--   points     minor units owed
CREATE OR REPLACE VIEW {schema}.balance_debts AS
SELECT programme, member, unit, points
FROM {debts};

-- insert enrolled: members

-- update stood: members (programme, member, status, last_lot)
UPDATE {members} AS members SET status = given.status, last_lot = given.last_lot
FROM {given} AS given
WHERE members.programme = given.programme AND members.member = given.member

-- write moved: buckets
INSERT INTO {buckets} AS buckets SELECT * FROM {given} AS given
ON CONFLICT (programme, member, unit, expires_at)
DO UPDATE SET remaining = buckets.remaining + excluded.remaining, held = buckets.held + excluded.held

-- write emptied: buckets (programme, member, unit, expires_at)
DELETE FROM {buckets} AS buckets USING {given} AS given
WHERE buckets.programme = given.programme AND buckets.member = given.member AND buckets.unit = given.unit
  AND buckets.expires_at = given.expires_at
  -- Neither is ever below 0. Of `= 0` PostgreSQL expects one row, and would go through all given ones for each it finds.
  AND buckets.remaining + buckets.held <= 0

-- write went_on: periods
INSERT INTO {periods} SELECT * FROM {given} AS given
ON CONFLICT (programme, member, period) DO UPDATE SET expires_at = excluded.expires_at

-- write owed: debts
INSERT INTO {debts} AS debts SELECT * FROM {given} AS given
ON CONFLICT (programme, member, unit) DO UPDATE SET points = debts.points + excluded.points

-- update drawn: lots (programme, member, number, remaining, held)
UPDATE {lots} AS lots SET remaining = lots.remaining + given.remaining, held = lots.held + given.held
FROM {given} AS given
WHERE lots.programme = given.programme AND lots.member = given.member AND lots.number = given.number

-- update extended: lots (programme, member, number, expires_at, period)
UPDATE {lots} AS lots SET expires_at = given.expires_at, period = given.period
FROM {given} AS given
WHERE lots.programme = given.programme AND lots.member = given.member AND lots.number = given.number

-- update activated: lots (programme, member, number, available_at)
UPDATE {lots} AS lots SET available_at = given.available_at
FROM {given} AS given
WHERE lots.programme = given.programme AND lots.member = given.member AND lots.number = given.number

-- insert granted: lots
