-- tables
-- Sums of a day, by where the points came from or went to; empty: the events do not say.
CREATE TABLE {days} (
    programme     text COLLATE "C" NOT NULL,
    business_date text COLLATE "C" NOT NULL,
    unit          text COLLATE "C" NOT NULL,
    channel       text COLLATE "C" NOT NULL,
    store         text COLLATE "C" NOT NULL,
    source        text COLLATE "C" NOT NULL,
    campaign      text COLLATE "C" NOT NULL,
    issued        bigint NOT NULL,
    available     bigint NOT NULL,
    redeemed      bigint NOT NULL,
    expired       bigint NOT NULL,
    clawed_back   bigint NOT NULL,
    forfeited     bigint NOT NULL,
    reinstated    bigint NOT NULL,
    PRIMARY KEY (programme, business_date, unit, channel, store, source, campaign)
) WITH (fillfactor = 50);

-- What later events need to know of earlier ones: the time zone, the stores of orders, where waiting lots came from.
CREATE TABLE {zones} (
    programme text COLLATE "C" PRIMARY KEY,
    zone      text NOT NULL
);

CREATE TABLE {stores} (
    programme text COLLATE "C" NOT NULL,
    purchase  text COLLATE "C" NOT NULL,    -- `<channel>/<order>`
    store     text NOT NULL,
    PRIMARY KEY (programme, purchase)
);

CREATE TABLE {waiting} (
    programme text COLLATE "C" NOT NULL,
    lot       text COLLATE "C" NOT NULL,
    channel   text NOT NULL,
    store     text NOT NULL,
    source    text NOT NULL,
    campaign  text NOT NULL,
    PRIMARY KEY (programme, lot)
);

-- readers
-- What became of a programme's points on a business day, by where they came from or went to. An event counts on its own
-- business date, however late it was recorded. What members transfer to each other changes nothing here.
--   programme      the programme
--   business_date  the local day, in the programme's time zone
--   unit           the point unit
--   channel        the channel of the event
--   store          the store of the order that the event names; empty: it names none
--   source         what points were granted or taken back for (the type of the source, such as order or review), what
--                  they were spent on (redemption, order, hold), or why they were taken away (adjustment, command)
--   campaign       the campaign that the event names; empty: none
--   issued         minor units granted
--   available      minor units by the first day on which they can be spent: those granted on their date, those that
--                  waited for Activate on the day of it
--   redeemed       minor units spent
--   expired        minor units that ended
--   clawed_back    minor units of grants that were taken back, what is owed included
--   forfeited      minor units taken away by adjustments that name no grant
--   reinstated     minor units that were spent or taken away, and were put back
CREATE OR REPLACE VIEW {schema}.totals AS
SELECT programme, business_date::date AS business_date, unit, channel, store, source, campaign, issued, available,
       redeemed, expired, clawed_back, forfeited, reinstated
FROM {days};

-- The same by day and unit, with what all members own together at the end of the day.
--   programme      the programme
--   business_date  the local day, in the programme's time zone; days on which nothing happened are left out
--   unit           the point unit
--   issued         minor units granted
--   available      minor units by the first day on which they can be spent; it may lie in the future
--   redeemed       minor units spent
--   expired        minor units that ended
--   clawed_back    minor units of grants that were taken back, what is owed included
--   forfeited      minor units taken away by adjustments that name no grant
--   reinstated     minor units that were spent or taken away, and were put back
--   outstanding    the sum of all balances at the end of the day, debts subtracted, in minor units:
--                  issued - redeemed - expired - clawed_back - forfeited + reinstated, since the beginning
CREATE OR REPLACE VIEW {schema}.totals_by_day AS
SELECT programme, business_date::date AS business_date, unit, sum(issued)::bigint AS issued,
       sum(available)::bigint AS available, sum(redeemed)::bigint AS redeemed, sum(expired)::bigint AS expired,
       sum(clawed_back)::bigint AS clawed_back, sum(forfeited)::bigint AS forfeited,
       sum(reinstated)::bigint AS reinstated,
       (sum(sum(issued - redeemed - expired - clawed_back - forfeited + reinstated))
        OVER (PARTITION BY programme, unit ORDER BY business_date))::bigint AS outstanding
FROM {days}
GROUP BY programme, business_date, unit;

-- load zones: zones (programme)
SELECT zones.* FROM {given} AS given JOIN {zones} AS zones USING (programme)

-- load stores: stores (programme, purchase)
SELECT stores.* FROM {given} AS given JOIN {stores} AS stores USING (programme, purchase)

-- load waiting: waiting (programme, lot)
SELECT waiting.* FROM {given} AS given JOIN {waiting} AS waiting USING (programme, lot)

-- insert opened: zones

-- insert sold: stores

-- insert waits: waiting

-- write moved: days
INSERT INTO {days} AS days SELECT * FROM {given} AS given
ON CONFLICT (programme, business_date, unit, channel, store, source, campaign)
DO UPDATE SET issued = days.issued + excluded.issued, available = days.available + excluded.available,
              redeemed = days.redeemed + excluded.redeemed, expired = days.expired + excluded.expired,
              clawed_back = days.clawed_back + excluded.clawed_back, forfeited = days.forfeited + excluded.forfeited,
              reinstated = days.reinstated + excluded.reinstated
