-- tables
CREATE TABLE {orders} (
    programme      text COLLATE "C" NOT NULL,
    channel        text COLLATE "C" NOT NULL,
    "order"        text COLLATE "C" NOT NULL,
    position       bigint NOT NULL,
    member         text NOT NULL,
    store          text NOT NULL,
    business_date  text NOT NULL,
    occurred_at    bigint NOT NULL,
    lines          integer NOT NULL,
    currency       text NOT NULL,
    net            bigint NOT NULL,
    due            bigint NOT NULL,
    paid_in_points bigint NOT NULL,
    tenders        text NOT NULL,
    unit           text NOT NULL,
    points         bigint NOT NULL,
    exact_points   text NOT NULL,
    rule           text NOT NULL,
    rule_version   integer NOT NULL,
    lot            text NOT NULL,
    PRIMARY KEY (programme, channel, "order")
);

CREATE TABLE {lines} (
    programme  text COLLATE "C" NOT NULL,
    channel    text COLLATE "C" NOT NULL,
    "order"    text COLLATE "C" NOT NULL,
    line       integer NOT NULL,
    sku        text NOT NULL,
    quantity   bigint NOT NULL,
    list_price bigint NOT NULL,
    discount   bigint NOT NULL,
    net        bigint NOT NULL,
    due        bigint NOT NULL,
    cost       bigint,
    tax_rate   text NOT NULL,
    tax_code   text NOT NULL,
    brand      text NOT NULL,
    category   text NOT NULL,
    campaign   text NOT NULL,
    points     bigint NOT NULL,
    PRIMARY KEY (programme, channel, "order", line)
);

CREATE TABLE {returns} (
    programme     text COLLATE "C" NOT NULL,
    channel       text COLLATE "C" NOT NULL,
    "order"       text COLLATE "C" NOT NULL,
    refund        text COLLATE "C" NOT NULL,
    position      bigint NOT NULL,
    member        text NOT NULL,
    business_date text NOT NULL,
    occurred_at   bigint NOT NULL,
    currency      text NOT NULL,
    net           bigint NOT NULL,
    due           bigint NOT NULL,
    tenders       text NOT NULL,
    kept          bigint NOT NULL,
    clawed_back   bigint NOT NULL,
    deducted      bigint NOT NULL,
    reason        text NOT NULL,
    PRIMARY KEY (programme, channel, "order", refund)
);

CREATE TABLE {returned} (
    programme text COLLATE "C" NOT NULL,
    channel   text COLLATE "C" NOT NULL,
    "order"   text COLLATE "C" NOT NULL,
    refund    text COLLATE "C" NOT NULL,
    line      integer NOT NULL,
    quantity  bigint NOT NULL,
    net       bigint NOT NULL,
    due       bigint NOT NULL,
    PRIMARY KEY (programme, channel, "order", refund, line)
);

-- readers
-- Purchases, one a row, as they were recorded; what came back is in purchase_returns.
--   programme       the programme
--   channel         the channel that recorded it; an order is known by channel and id
--   order           its id
--   position        where it stands in the log
--   member          who bought
--   store           where; empty: not said
--   business_date   the local day of the purchase, in the programme's time zone
--   occurred_at     when it was bought
--   lines           how many lines it has
--   currency        the currency of all money of the row
--   net             what the lines come to without tax, in minor units of money
--   due             what the lines come to with tax: what was paid, in minor units of money
--   paid_in_points  the part of it that points paid, in minor units of money
--   tenders         what it was paid with, as a JSON array of {type, amount, points, hold}
--   unit            the point unit that it earns; empty: it earns none
--   points          minor units of points that it earned
--   exact_points    the same before rounding, as an exact fraction
--   rule            the rule by which they were reckoned
--   rule_version    the version of the settings by which they were reckoned
--   lot             the lot that they are; empty: nothing was earned
CREATE OR REPLACE VIEW {schema}.purchase_orders AS
SELECT programme, channel, "order", position, member, store, business_date::date AS business_date,
       projections.instant(occurred_at) AS occurred_at, lines, currency, net, due, paid_in_points,
       tenders::jsonb AS tenders, unit, points, exact_points, rule, rule_version, lot
FROM {orders};

-- The lines of purchases; money is for the whole line.
--   programme   the programme
--   channel     the channel of the order
--   order       the order
--   line        its place in the order, counted from 0
--   sku         what was bought
--   quantity    how many units; 0: not counted in units
--   list_price  in minor units of money
--   discount    what was taken off the list price, in minor units of money, all discounts together
--   net         what it comes to without tax, in minor units of money
--   due         what it comes to with tax, in minor units of money
--   cost        what the goods cost the seller, in minor units of money; null: not said
--   tax_rate    an exact fraction; empty: none
--   tax_code    as the channel said
--   brand       as the channel said
--   category    as the channel said
--   campaign    as the channel said
--   points      the part of the order's points that this line earned, in minor units
CREATE OR REPLACE VIEW {schema}.purchase_lines AS
SELECT programme, channel, "order", line, sku, quantity, list_price, discount, net, due, cost, tax_rate, tax_code, brand,
       category, campaign, points
FROM {lines};

-- Refunds of purchases, each all or in part.
--   programme      the programme
--   channel        the channel of the order
--   order          the order
--   refund         the id of the refund within the order
--   position       where it stands in the log
--   member         who bought
--   business_date  the local day of the refund, in the programme's time zone
--   occurred_at    when it came back
--   currency       the currency of all money of the row
--   net            what came back comes to without tax, in minor units of money
--   due            what came back comes to with tax, in minor units of money
--   tenders        what goes back of each tender of the purchase, as a JSON array of {type, amount, points, hold}
--   kept           minor units of points that the kept lines would earn
--   clawed_back    minor units of points to be taken back for it
--   deducted       money kept back for points that are gone, in minor units
--   reason         as the channel said
CREATE OR REPLACE VIEW {schema}.purchase_returns AS
SELECT programme, channel, "order", refund, position, member, business_date::date AS business_date,
       projections.instant(occurred_at) AS occurred_at, currency, net, due, tenders::jsonb AS tenders, kept, clawed_back,
       deducted, reason
FROM {returns};

-- The lines of refunds.
--   programme  the programme
--   channel    the channel of the order
--   order      the order
--   refund     the refund
--   line       the line's place in the order, counted from 0
--   quantity   units that came back
--   net        what they come to without tax, in minor units of money
--   due        what they come to with tax, in minor units of money
CREATE OR REPLACE VIEW {schema}.purchase_returned_lines AS
SELECT programme, channel, "order", refund, line, quantity, net, due
FROM {returned};

-- insert orders: orders

-- insert lines: lines

-- insert returns: returns

-- insert returned: returned
