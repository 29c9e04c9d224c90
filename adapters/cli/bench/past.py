"""The rows about the past of a busy member: it sums all his postings, where the present is kept ready."""

import time
from collections.abc import Iterator

import psycopg

from adapters.cli.bench import workload
from adapters.cli.bench.asking import ask
from adapters.cli.bench.bench import Bench
from adapters.cli.bench.table import Row, percentiles
from loyalty.v1.queries_pb2 import GetBalanceRequest

ROWS = ("P1", "P2")
ASKED = 10
MEMBER = "m0"
"""The one that Zipf gives most."""
_POSTINGS = "SELECT count(*) FROM projections.postings_points WHERE programme = %s AND member = %s"


def rows(bench: Bench, address: str) -> Iterator[Row]:
    """As of now, so that all postings count: this is the longest past there is."""
    with psycopg.connect(bench.app_dsn) as connection:
        found = connection.execute(_POSTINGS, (workload.PROGRAMME, MEMBER)).fetchone()
    postings = int(found[0]) if found else 0
    present = GetBalanceRequest(programme=workload.PROGRAMME, member=MEMBER)
    alone = percentiles(ask(address, present, ASKED))
    now = time.time_ns() // 1_000_000_000
    as_of = GetBalanceRequest(programme=workload.PROGRAMME, member=MEMBER)
    as_of.as_of.FromSeconds(now)
    known_at = GetBalanceRequest()
    known_at.CopyFrom(as_of)
    known_at.known_at.FromSeconds(now)
    for name, work, request in (("P1", "as_of", as_of), ("P2", "as_of and known_at", known_at)):
        latencies = percentiles(ask(address, request, ASKED))
        each = latencies["p50"] / postings * 1_000
        yield Row(
            name,
            f"GetBalance with {work} of a busy member, p50",
            latencies["p50"],
            "ms",
            lower_is_better=True,
            yardstick=alone["p50"],
            yardstick_name="his balance at the present",
            notes=f"{postings:,} postings; over gRPC, one caller; {each:.2f} µs a posting",
            details={"postings": postings, "latency_ms": latencies},
        )
