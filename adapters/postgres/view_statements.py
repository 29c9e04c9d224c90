"""The statements behind the questions of `projections.queries`; `{lots}` is the table `lots` of the live build."""

POSITIONS = "SELECT name, build, position FROM projections.builds WHERE state = 'RUNNING'"

PROGRAMMES = """
SELECT programme, newest.settings, clock
FROM {programmes} AS programmes
CROSS JOIN LATERAL (
    SELECT settings FROM {settings} AS settings
    WHERE settings.programme = programmes.programme ORDER BY version DESC LIMIT 1) AS newest
WHERE %(programme)s IN ('', programme)
"""

MEMBER = "SELECT status FROM {members} AS members WHERE programme = %(programme)s AND member = %(member)s"

# A member's lots, each with its end and with whether it is locked away.
_LOTS = """
SELECT lots.*, coalesce(periods.expires_at, lots.expires_at) AS ends, coalesce(number > last_lot, false) AS quarantined
FROM {lots} AS lots
JOIN {members} AS members USING (programme, member)
LEFT JOIN {periods} AS periods USING (programme, member, period)
WHERE programme = %(programme)s AND member = %(member)s
"""

# At the present or later: sums of buckets; of what is left unexpired, some may be pending or quarantined.
BALANCES = f"""
SELECT unit, (sum(unexpired) - sum(pending) - sum(quarantined))::bigint, sum(pending)::bigint, sum(held)::bigint,
       sum(quarantined)::bigint, sum(debt)::bigint
FROM (
    SELECT unit, CASE WHEN expires_at > %(as_of)s THEN remaining ELSE 0 END AS unexpired, held, 0 AS pending,
           0 AS quarantined, 0 AS debt
    FROM {{buckets}} AS buckets WHERE programme = %(programme)s AND member = %(member)s
    UNION ALL
    SELECT unit, 0, 0, remaining, 0, 0
    FROM ({_LOTS} AND available_at > earned_at AND available_at > %(as_of)s) AS lots
    WHERE ends > %(as_of)s AND NOT quarantined
    UNION ALL
    SELECT unit, 0, 0, 0, remaining, 0 FROM ({_LOTS} AND number > last_lot) AS lots WHERE ends > %(as_of)s
    UNION ALL
    SELECT unit, 0, 0, 0, 0, points FROM {{debts}} AS debts
    WHERE programme = %(programme)s AND member = %(member)s) AS sums
GROUP BY unit
"""

LOTS = f"""
SELECT member || ':' || number, unit, CASE WHEN ends > %(as_of)s THEN remaining ELSE 0 END, held, granted, earned_at,
       available_at, ends, issued, funding, source_type, source_id, root, unit_cost, quarantined
FROM ({_LOTS}) AS lots
WHERE (remaining > 0 AND ends > %(as_of)s OR held > 0)
  AND (unit, ends, earned_at, number) > (%(unit)s, %(expires_at)s, %(earned_at)s, %(number)s)
ORDER BY unit, ends, earned_at, number LIMIT %(limit)s
"""

# Of each unit the newest, by the index; then the newest of these.
ENTRIES = """
SELECT position, kind, entries.unit, points, held, balance, occurred_at, recorded_at, business_date, channel,
       source_type, source_id, rule, lots, reason, "order"
FROM unnest(%(units)s::text[]) AS units (unit)
CROSS JOIN LATERAL (
    SELECT * FROM {entries} AS entries
    WHERE programme = %(programme)s AND member = %(member)s AND unit = units.unit AND position < %(before)s
    ORDER BY position DESC LIMIT %(limit)s) AS entries
ORDER BY position DESC LIMIT %(limit)s
"""

_REDEMPTIONS = """
SELECT redemption, member, reward, quantity, state, kind, points, unit, cash, sku, location, outbound, placed_at,
       expires_at, closed_at, "order", destination, allocation_version, fulfilled, cancelled, cash_returned
FROM {redemptions} AS redemptions WHERE programme = %(programme)s AND
"""
REDEMPTION = _REDEMPTIONS + "redemption = %(redemption)s"
REDEMPTIONS = (
    _REDEMPTIONS
    + """member = %(member)s AND (placed_at, redemption) < (%(before)s, %(redemption)s)
ORDER BY placed_at DESC, redemption DESC LIMIT %(limit)s
"""
)

_ITEMS = """
SELECT sku, location, on_hand, locked, greatest(on_hand - locked, 0), shipped, received, value, counted, transferred,
       greatest(locked - on_hand, 0), EXISTS (
           SELECT FROM {discontinued} AS discontinued
           WHERE discontinued.programme = items.programme AND discontinued.sku = items.sku
             AND discontinued.location IN ('', items.location))
FROM {items} AS items
WHERE programme = %(programme)s AND
"""
ITEM = _ITEMS + "sku = %(sku)s AND location = %(location)s"
ITEMS = (
    _ITEMS
    + """%(sku)s IN ('', sku) AND (sku, location) > (%(after_sku)s, %(after_location)s)
ORDER BY sku, location LIMIT %(limit)s
"""
)

# Bounded in each branch: when a million lots end at one midnight, no query sees them all.
DUE = """
SELECT member, sku, location
FROM (
    (SELECT expires_at, member, '' AS sku, '' AS location FROM {lots} AS lots
     WHERE programme = %(programme)s AND expires_at <= %(until)s AND points > 0 ORDER BY expires_at LIMIT %(limit)s)
    UNION ALL
    (SELECT expires_at, member, '', '' FROM {holds} AS holds
     WHERE programme = %(programme)s AND expires_at <= %(until)s ORDER BY expires_at LIMIT %(limit)s)
    UNION ALL
    (SELECT expires_at, '', sku, location FROM {locks} AS locks
     WHERE programme = %(programme)s AND expires_at <= %(until)s ORDER BY expires_at LIMIT %(limit)s)) AS ends
GROUP BY member, sku, location ORDER BY min(expires_at), member, sku, location LIMIT %(limit)s
"""
