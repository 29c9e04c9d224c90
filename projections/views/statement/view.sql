-- tables
CREATE TABLE {entries} (
    programme     text COLLATE "C" NOT NULL,
    member        text COLLATE "C" NOT NULL,
    position      bigint NOT NULL,
    kind          text NOT NULL,
    unit          text COLLATE "C" NOT NULL,
    points        bigint NOT NULL,
    held          bigint NOT NULL,
    balance       bigint NOT NULL,
    occurred_at   bigint NOT NULL,
    recorded_at   bigint NOT NULL,
    business_date text NOT NULL,
    channel       text NOT NULL,
    source_type   text NOT NULL,
    source_id     text NOT NULL,
    rule          text NOT NULL,
    lots          text NOT NULL,
    PRIMARY KEY (member, programme, unit, position)
);

-- readers
CREATE OR REPLACE VIEW {schema}.statement_entries AS
SELECT programme, member, position, kind, unit, points, held, balance, projections.instant(occurred_at) AS occurred_at,
       projections.instant(recorded_at) AS recorded_at, business_date::date AS business_date, channel, source_type,
       source_id, rule, lots::jsonb AS lots
FROM {entries};

-- load balances: entries (programme, member, unit)
SELECT given.programme, given.member, given.unit, latest.balance
FROM {given} AS given
CROSS JOIN LATERAL (
    SELECT balance FROM {entries} AS entries
    WHERE entries.programme = given.programme AND entries.member = given.member AND entries.unit = given.unit
    ORDER BY position DESC LIMIT 1) AS latest

-- insert entries: entries
