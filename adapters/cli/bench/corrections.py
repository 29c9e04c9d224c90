"""The rows about corrections: refunds, holds and reversals, in batches of 1,000 on top of what they correct."""

from collections.abc import Iterable, Iterator
from itertools import islice

from adapters.cli.bench import drive, workload
from adapters.cli.bench.table import Row
from loyalty.v1 import commands_pb2 as c

COUNT = 50_000
BAR = 20_000


def rows(address: str) -> Iterator[Row]:
    """Each of them by itself: the purchases and grants are made before the clock runs."""
    members = workload.zipf_members(workload.MEMBERS, COUNT, seed=11)
    purchases = [
        c.Command(record_purchase=workload.purchase(member, f"c-{place}")) for place, member in enumerate(members)
    ]
    drive.batches(address, _batches(purchases), in_flight=4)
    yield _row(
        "C1", "refunds of whole purchases of 10 lines", address, [workload.refund(f"c-{n}") for n in range(COUNT)]
    )
    grants = [c.Command(earn=workload.earn(member, f"c-{place}")) for place, member in enumerate(members)]
    drive.batches(address, _batches(grants), in_flight=4)
    holds = [workload.hold(member, place) for place, member in enumerate(members)]
    yield _row("C2", "holds", address, holds)
    reversals = [workload.reverse(grant.earn.header.command_id) for grant in grants]
    yield _row("C3", "reversals of grants", address, reversals)


def _row(name: str, work: str, address: str, commands: list[c.Command]) -> Row:
    run = drive.batches(address, list(_batches(commands)), in_flight=4)
    return Row(name, work, run.rate, "commands/s", BAR, notes="batches of 1,000")


def _batches(commands: Iterable[c.Command]) -> Iterator[c.ExecuteRequest]:
    source = iter(commands)
    while chunk := list(islice(source, 1_000)):
        yield c.ExecuteRequest(commands=chunk)
