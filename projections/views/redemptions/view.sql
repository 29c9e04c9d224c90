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
