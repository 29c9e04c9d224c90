"""What must hold after any fault, checked against what clients were told, and by a reckoning of its own."""

import asyncio
import uuid
from dataclasses import dataclass, field

import grpc

from adapters.grpc.positions import parse_position
from adapters.postgres.log import PostgresLog
from adapters.postgres.verify import verify
from adapters.postgres.views import PostgresQueries
from ledger.events import TOPICS, PointsEarned, PointsTransferredIn, PointsTransferredOut
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from tests.faults.load import OPTIONS, Journal, plain
from tests.integration.against_oracle import check_balances, check_goods
from tests.integration.service import PROGRAMME
from tests.oracle.model import Oracle

GROUP = tuple(TOPICS[kind] for kind in (PointsEarned, PointsTransferredOut, PointsTransferredIn))
"""What a group of an author's leads to."""
VIEW_SECONDS_MAX = 120.0
MEMBERS_AT_ONCE = 8


@dataclass
class Told:
    """What clients were told of their commands."""

    commands: int = 0
    accepted: dict[str, int] = field(default_factory=dict)
    """By command id, the position of the last event."""
    groups: set[str] = field(default_factory=set)
    """Those of them that are groups."""


@dataclass
class Found:
    """What the log holds."""

    oracle: Oracle = field(default_factory=Oracle)
    last: dict[str, int] = field(default_factory=dict)
    """By command id, the position of its last event."""
    topics: dict[str, list[str]] = field(default_factory=dict)
    """Of each group, in order."""


def check_all(address: str, dsn: str, journal: Journal) -> str:
    """Check everything; returns what there was. All that was sent must have been answered by now."""
    told = _ask_again(address, journal)
    found = asyncio.run(_check_log_and_views(dsn, told))
    report = verify(dsn)
    assert report.problems == []
    return (
        f"{told.commands:,} commands answered the same again, {len(told.accepted):,} of them accepted and in the log"
        f" once; {found.oracle.position:,} events, views equal them, the chain verifies"
    )


def _ask_again(address: str, journal: Journal) -> Told:
    """Send everything that was answered once more: the answers are the same, and none of it happens again."""
    told = Told()
    with grpc.insecure_channel(address, OPTIONS) as channel:
        execute = CommandServiceStub(channel).Execute
        for request, response in journal:
            again = execute(request, timeout=60).results
            assert [plain(result) for result in again] == [plain(result) for result in response.results]
            told.commands += len(again)
            for command, result in zip(request.commands, again, strict=True):
                kind = command.WhichOneof("command")
                assert kind is not None
                command_id = getattr(command, kind).header.command_id
                if result.HasField("refusal"):
                    assert result.refusal.repeated
                    continue
                assert result.receipt.repeated
                assert command_id not in told.accepted
                told.accepted[command_id] = parse_position(result.receipt.position, "position")
                if kind == "group":
                    told.groups.add(command_id)
    return told


async def _check_log_and_views(dsn: str, told: Told) -> Found:
    async with PostgresLog(dsn) as log, PostgresQueries(dsn, wait_seconds=VIEW_SECONDS_MAX) as queries:
        found = await _read(log, told)
        assert found.last == told.accepted, "the log is not what clients were told"
        for topics in found.topics.values():
            assert tuple(topic for topic in topics if topic in GROUP) == GROUP, "a group happened by halves"
        await _check_views(queries, found.oracle)
        return found


async def _read(log: PostgresLog, told: Told) -> Found:
    """Fold the log: the oracle raises Broken where a command was committed in part, or a balance does not follow."""
    found = Found()
    command_id = ""
    async for records in log.records(0, follow=False):
        found.oracle.fold(records)
        for record in records:
            previous, command_id = command_id, str(uuid.UUID(bytes=record.command_id))
            assert command_id == previous or command_id not in found.last, f"{command_id} happened twice"
            found.last[command_id] = record.position
            if command_id in told.groups:
                found.topics.setdefault(command_id, []).append(record.topic)
    found.oracle.finish()
    return found


async def _check_views(queries: PostgresQueries, oracle: Oracle) -> None:
    """Every member, every redemption, every stock item."""
    programme = oracle.programmes[PROGRAMME]
    await queries.wait(oracle.position)
    await queries.inventory(PROGRAMME, min_position=oracle.position)
    await queries.redemptions(PROGRAMME, next(iter(programme.members)), min_position=oracle.position)
    members = iter(programme.members.values())

    async def compare() -> None:
        for member in members:
            await check_balances(queries, oracle, programme, member, days=(0, 1))

    await asyncio.gather(*(compare() for _ in range(MEMBERS_AT_ONCE)))
    await check_goods(queries, programme)
