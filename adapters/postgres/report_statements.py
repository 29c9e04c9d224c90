"""The statements behind the questions of `projections.reports`; `{days}` is the table `days` of the view asked."""

# What the sweep looks for, by the index that it uses.
EXPIRING = """
SELECT member, unit, points, expires_at
FROM {lots} AS lots
WHERE programme = %(programme)s AND points > 0 AND expires_at > %(after)s AND expires_at <= %(until)s
  AND (expires_at, member, unit) > (%(expires_at)s, %(last_member)s, %(unit)s)
ORDER BY expires_at, member, unit LIMIT %(limit)s
"""

# The same of one member: a few buckets, however many lots.
EXPIRING_OF_MEMBER = """
SELECT member, unit, remaining, expires_at
FROM {buckets} AS buckets
WHERE programme = %(programme)s AND member = %(member)s AND remaining > 0
  AND expires_at > %(after)s AND expires_at <= %(until)s
  AND (expires_at, member, unit) > (%(expires_at)s, %(last_member)s, %(unit)s)
ORDER BY expires_at, member, unit LIMIT %(limit)s
"""

_HOLDS = """
SELECT hold, member, state, unit, points, captured, released, redemption, channel, held_at, expires_at, ended_at,
       position
FROM {holds} AS holds
WHERE programme = %(programme)s AND (held_at, position) > (%(held_at)s, %(position)s) AND
"""
OPEN_HOLDS = _HOLDS + "ended_at IS NULL ORDER BY held_at, position LIMIT %(limit)s"
HOLDS_OF_MEMBER = _HOLDS + "member = %(member)s ORDER BY held_at, position LIMIT %(limit)s"

LOCKS = """
SELECT sku, location, lock, quantity, locked_at, expires_at, redemption
FROM {locks} AS locks
WHERE programme = %(programme)s AND %(sku)s IN ('', sku) AND %(location)s IN ('', location)
  AND (sku, location, lock) > (%(after_sku)s, %(after_location)s, %(after_lock)s)
ORDER BY sku, location, lock LIMIT %(limit)s
"""

# What is outstanding needs all days before, so that the range is cut out at the end.
TOTALS = """
SELECT * FROM (
    SELECT business_date, unit, of_channel, of_store, of_source, of_campaign, sum(issued)::bigint,
           sum(available)::bigint, sum(redeemed)::bigint, sum(expired)::bigint, sum(clawed_back)::bigint,
           sum(forfeited)::bigint, sum(reinstated)::bigint,
           (sum(sum(issued - redeemed - expired - clawed_back - forfeited + reinstated)) OVER (
               PARTITION BY unit, of_channel, of_store, of_source, of_campaign ORDER BY business_date))::bigint
    FROM {days} AS days
    CROSS JOIN LATERAL (
        SELECT CASE WHEN 'CHANNEL' = ANY(%(by)s::text[]) THEN channel ELSE '' END AS of_channel,
               CASE WHEN 'STORE' = ANY(%(by)s::text[]) THEN store ELSE '' END AS of_store,
               CASE WHEN 'SOURCE' = ANY(%(by)s::text[]) THEN source ELSE '' END AS of_source,
               CASE WHEN 'CAMPAIGN' = ANY(%(by)s::text[]) THEN campaign ELSE '' END AS of_campaign) AS dimensions
    WHERE programme = %(programme)s AND business_date <= %(last)s
    GROUP BY business_date, unit, of_channel, of_store, of_source, of_campaign) AS totals
WHERE business_date >= %(first)s
  AND (business_date, unit, of_channel, of_store, of_source, of_campaign)
    > (%(business_date)s, %(unit)s, %(channel)s, %(store)s, %(source)s, %(campaign)s)
ORDER BY business_date, unit, of_channel, of_store, of_source, of_campaign LIMIT %(limit)s
"""
