"""The statements behind the questions about the past: sums of postings, then availability by date.

`%(as_of)s`, `%(known_at)s` and `%(position)s` say which postings count; `{points}` is a table of the view `postings`.
Of what changes a lot's dates, or how a member stands, the one recorded last counts, as it does at the present.
"""

_COUNTS = """
effective_at <= %(as_of)s AND recorded_at <= %(known_at)s AND position <= %(position)s
"""

MEMBER = f"""
SELECT status FROM {{members}} AS members WHERE programme = %(programme)s AND member = %(member)s AND {_COUNTS}
ORDER BY position DESC LIMIT 1
"""

# A lot is there from when its grant counts: what was taken of it may be dated back further than that.
_LOTS = f"""
WITH seen AS (
    SELECT * FROM {{points}} AS points WHERE programme = %(programme)s AND member = %(member)s AND {_COUNTS}
), standing AS (
    SELECT last_lot FROM {{members}} AS members
    WHERE programme = %(programme)s AND member = %(member)s AND {_COUNTS} ORDER BY position DESC LIMIT 1
), periods AS (
    SELECT DISTINCT ON (period) period, expires_at FROM seen WHERE period > 0 ORDER BY period, position DESC
), granted AS (
    SELECT unit, lot AS number, sum(remaining)::bigint AS remaining, sum(held)::bigint AS held,
           max(earned_at) AS earned_at,
           (array_agg(available_at ORDER BY position DESC) FILTER (WHERE available_at IS NOT NULL))[1] AS available_at,
           (array_agg(expires_at ORDER BY position DESC) FILTER (WHERE expires_at IS NOT NULL))[1] AS expires_at,
           (array_agg(period ORDER BY position DESC) FILTER (WHERE period IS NOT NULL))[1] AS period
    FROM seen WHERE lot > 0 GROUP BY unit, lot HAVING count(earned_at) > 0
), lots AS (
    SELECT unit, number, CASE WHEN %(as_of)s < ends THEN remaining ELSE 0 END AS remaining, held, earned_at,
           available_at, ends, coalesce(number > (SELECT last_lot FROM standing), false) AS quarantined
    FROM (
        SELECT granted.*, coalesce(periods.expires_at, granted.expires_at) AS ends
        FROM granted LEFT JOIN periods USING (period)) AS granted
)
"""

BALANCES = f"""
{_LOTS}
SELECT unit, coalesce(sum(remaining) FILTER (WHERE available_at <= %(as_of)s AND NOT quarantined), 0)::bigint,
       coalesce(sum(remaining) FILTER (WHERE available_at > %(as_of)s AND NOT quarantined), 0)::bigint,
       sum(held)::bigint, coalesce(sum(remaining) FILTER (WHERE quarantined), 0)::bigint, sum(debt)::bigint
FROM (
    SELECT unit, remaining, held, available_at, quarantined, 0 AS debt FROM lots
    UNION ALL
    SELECT unit, 0, 0, 0, false, debt FROM seen WHERE lot = 0) AS sums
GROUP BY unit
"""

LOTS = f"""
{_LOTS}
SELECT unit, number, remaining, held, earned_at, available_at, ends, quarantined
FROM lots
WHERE (remaining <> 0 OR held <> 0)
  AND (unit, ends, earned_at, number) > (%(unit)s, %(expires_at)s, %(earned_at)s, %(number)s)
ORDER BY unit, ends, earned_at, number LIMIT %(limit)s
"""

# What never changes of a lot stands in the balance view.
GRANTS = """
SELECT number, granted, issued, funding, source_type, source_id, root, unit_cost
FROM {lots} AS lots WHERE programme = %(programme)s AND member = %(member)s AND number = ANY (%(numbers)s::integer[])
"""

_ITEMS = f"""
SELECT sku, location, on_hand, locked, greatest(on_hand - locked, 0), shipped, received, value, counted, transferred,
       greatest(locked - on_hand, 0), EXISTS (
           SELECT FROM {{discontinued}} AS discontinued
           WHERE programme = %(programme)s AND discontinued.sku = items.sku
             AND discontinued.location IN ('', items.location) AND {_COUNTS})
FROM (
    SELECT sku, location, sum(on_hand)::bigint AS on_hand, sum(locked)::bigint AS locked,
           sum(shipped)::bigint AS shipped, sum(received)::bigint AS received, sum(value)::bigint AS value,
           sum(counted)::bigint AS counted, sum(transferred)::bigint AS transferred
    FROM {{stock}} AS stock WHERE programme = %(programme)s AND {_COUNTS} AND
"""
ITEM = _ITEMS + "sku = %(sku)s AND location = %(location)s GROUP BY sku, location) AS items"
ITEMS = (
    _ITEMS
    + """%(sku)s IN ('', sku) AND (sku, location) > (%(after_sku)s, %(after_location)s)
    GROUP BY sku, location) AS items
ORDER BY sku, location LIMIT %(limit)s
"""
)
