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
    reason        text NOT NULL,
    "order"       text NOT NULL,
    PRIMARY KEY (member, programme, unit, position)
);

-- readers
-- Statements: a row for each event that touched a member's points, with the balance after it.
--   programme      the programme
--   member         the member
--   position       where the event stands in the log
--   kind           the topic of the event, such as points.earned.v1
--   unit           the point unit
--   points         what it did to the balance, in minor units, signed
--   held           what it did to the held points, in minor units, signed
--   balance        the balance of the unit after it, in minor units, debts subtracted
--   occurred_at    when it happened
--   recorded_at    when it was recorded
--   business_date  the local day on which it happened, in the programme's time zone
--   channel        the channel through which it came
--   source_type    what the points stand on or were spent for, such as order, redemption or review
--   source_id      which one
--   rule           the rule that granted the points; empty: none
--   lots           the lots it touched, as a JSON array of [lot, points]
--   reason         the reason that was given, or why points expired (DUE or CLOSED); empty: none
--   order          the order it belongs to, as `<channel>/<order>` where it was recorded; empty: none
CREATE OR REPLACE VIEW {schema}.statement_entries AS
SELECT programme, member, position, kind, unit, points, held, balance, projections.instant(occurred_at) AS occurred_at,
       projections.instant(recorded_at) AS recorded_at, business_date::date AS business_date, channel, source_type,
       source_id, rule, lots::jsonb AS lots, reason, "order"
FROM {entries};

-- load balances: entries (programme, member, unit)
SELECT given.programme, given.member, given.unit, latest.balance
FROM {given} AS given
CROSS JOIN LATERAL (
    SELECT balance FROM {entries} AS entries
    WHERE entries.programme = given.programme AND entries.member = given.member AND entries.unit = given.unit
    ORDER BY position DESC LIMIT 1) AS latest

-- insert entries: entries
