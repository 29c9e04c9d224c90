-- tables
CREATE TABLE {redemptions} (
    programme  text COLLATE "C" NOT NULL,
    redemption text COLLATE "C" NOT NULL,
    member     text COLLATE "C" NOT NULL,
    reward     text NOT NULL,
    quantity   bigint NOT NULL,
    state      text NOT NULL,
    kind       text NOT NULL,
    points     bigint NOT NULL,
    unit       text NOT NULL,
    cash       bigint NOT NULL,
    sku        text NOT NULL,
    location   text NOT NULL,
    outbound   text NOT NULL,
    placed_at  bigint NOT NULL,
    expires_at bigint NOT NULL,
    closed_at  bigint,
    "order"    text NOT NULL,
    destination        text NOT NULL,
    allocation_version bigint NOT NULL,
    fulfilled          bigint NOT NULL,
    cancelled          bigint NOT NULL,
    cash_returned      bigint NOT NULL,
    PRIMARY KEY (programme, redemption)
) WITH (fillfactor = 80);
CREATE INDEX ON {redemptions} (programme, member, placed_at, redemption);

-- readers
-- Redemptions, from their placing to their end: quantity = open + fulfilled + cancelled.
--   programme           the programme
--   redemption          its id
--   member              who pays
--   reward              the reward
--   quantity            units
--   state               PLACED, PARTLY_FULFILLED, FULFILLED, CANCELLED or TIMED_OUT
--   kind                what the reward is: GOODS, SERVICE, COUPON, PRIVILEGE or PARTNER
--   points              the points of the whole quantity, in minor units
--   unit                the point unit
--   cash                the money on top of the whole quantity, in minor units
--   sku                 the SKU locked, for goods
--   location            where the goods come from
--   outbound            the virtual outbound order, for goods
--   placed_at           when it was placed; the age of an open redemption is the present less this
--   expires_at          when it times out
--   closed_at           when nothing of it was open any more; null: something is
--   order               the order it belongs to; empty: none
--   destination         where the goods go, as the caller said
--   allocation_version  the version of the allocation policy that chose the location; 0: none did
--   fulfilled           units fulfilled
--   cancelled           units given back, by request or by the clock
--   cash_returned       the money on top of these, in minor units
CREATE OR REPLACE VIEW {schema}.redemptions AS
SELECT programme, redemption, member, reward, quantity, state, kind, points, unit, cash, sku, location, outbound,
       projections.instant(placed_at) AS placed_at, projections.instant(expires_at) AS expires_at,
       projections.instant(closed_at) AS closed_at, "order", destination, allocation_version, fulfilled, cancelled,
       cash_returned
FROM {redemptions};

-- load open: redemptions (programme, redemption)
SELECT redemptions.* FROM {given} AS given JOIN {redemptions} AS redemptions USING (programme, redemption)

-- insert placed: redemptions

-- write changed: redemptions (programme, redemption, state, outbound, closed_at, fulfilled, cancelled, cash_returned)
UPDATE {redemptions} AS redemptions
SET state = given.state, outbound = given.outbound, closed_at = given.closed_at, fulfilled = given.fulfilled,
    cancelled = given.cancelled, cash_returned = given.cash_returned
FROM {given} AS given
WHERE redemptions.programme = given.programme AND redemptions.redemption = given.redemption
