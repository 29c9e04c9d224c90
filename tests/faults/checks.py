"""What must hold after any fault, checked against what clients were told, and by a reckoning of its own."""

import asyncio
import uuid

import grpc

from adapters.grpc.positions import parse_position
from adapters.postgres.log import PostgresLog
from adapters.postgres.verify import verify
from adapters.postgres.views import PostgresQueries
from ledger.events import TOPICS, PointsEarned, PointsTransferredIn, PointsTransferredOut
from loyalty.v1 import commands_pb2 as c
from loyalty.v1.answers_pb2 import Result
from loyalty.v1.commands_pb2_grpc import CommandServiceStub
from tests.faults.load import OPTIONS, Journal, ask, command_id_of, paired, plain
from tests.integration.against_oracle import check_balances, check_redemptions, check_stock
from tests.integration.service import PROGRAMME
from tests.oracle.model import Oracle

GROUP = [TOPICS[kind] for kind in (PointsEarned, PointsTransferredOut, PointsTransferredIn)]
"""What a group of an author's leads to."""
VIEW_SECONDS_MAX = 120.0
MEMBERS_AT_ONCE = 8


class Checks:
    """Checks one service again and again, each time what came since the last time, on top of all before."""

    def __init__(self) -> None:
        self._oracle = Oracle()
        self._told: dict[str, int] = {}
        """By the id of each command that was accepted, the position of its last event, as clients were told."""
        self._groups: set[str] = set()
        """Those of them that are groups."""
        self._logged: dict[str, int] = {}
        """The same by the log."""
        self._touched: set[tuple[str, str]] = set()
        """Kind and id of the streams that changed since the last check."""

    def run(self, address: str, dsn: str, journal: Journal) -> str:
        """Check everything; returns what there was. All that was sent must have been answered by now."""
        commands = self._ask_again(address, journal)
        asyncio.run(self._check_log_and_views(dsn))
        assert verify(dsn, processes=1).problems == []
        return (
            f"{commands:,} commands answered the same again; all {len(self._told):,} accepted so far are in the log,"
            f" once and whole; views equal its {self._oracle.position:,} events; the chain verifies"
        )

    def _ask_again(self, address: str, journal: Journal) -> int:
        """Send everything that was answered once more: the answers are the same, and none of it happens again."""
        commands = 0
        with grpc.insecure_channel(address, OPTIONS) as channel:
            stub = CommandServiceStub(channel)
            for request, response in journal:
                before = {command_id_of(command): plain(result) for command, result in paired(request, response)}
                for answered in ask(stub, request):
                    for command, result in paired(*answered):
                        assert plain(result) == before.pop(command_id_of(command))
                        self._note(command, result)
                        commands += 1
                assert not before
        journal.empty()
        return commands

    def _note(self, command: c.Command, result: Result) -> None:
        if result.HasField("refusal"):
            assert result.refusal.repeated
            return
        command_id = command_id_of(command)
        assert result.receipt.repeated
        assert command_id not in self._told
        self._told[command_id] = parse_position(result.receipt.position, "position")
        if command.HasField("group"):
            self._groups.add(command_id)

    async def _check_log_and_views(self, dsn: str) -> None:
        async with PostgresLog(dsn) as log, PostgresQueries(dsn, wait_seconds=VIEW_SECONDS_MAX) as queries:
            await self._read(log)
            assert self._logged == self._told, "the log is not what clients were told"
            await self._check_views(queries)

    async def _read(self, log: PostgresLog) -> None:
        """Fold the log; the oracle raises Broken for a command committed in part, or a balance that does not follow."""
        previous, topics = "", dict[str, list[str]]()
        async for records in log.records(self._oracle.position, follow=False):
            self._oracle.fold(records)
            for record in records:
                command_id = str(uuid.UUID(bytes=record.command_id))
                assert command_id == previous or command_id not in self._logged, f"{command_id} happened twice"
                previous, self._logged[command_id] = command_id, record.position
                kind, _, name = record.stream.partition("/")[2].partition("/")
                self._touched.add((kind, name))
                if command_id in self._groups:
                    topics.setdefault(command_id, []).append(record.topic)
        self._oracle.finish()
        for found in topics.values():
            assert [topic for topic in found if topic in GROUP] == GROUP, "a group happened by halves"

    async def _check_views(self, queries: PostgresQueries) -> None:
        """Every member and redemption that something happened to, and every stock item."""
        programme, position = self._oracle.programmes[PROGRAMME], self._oracle.position
        await queries.wait(position)
        await queries.inventory(PROGRAMME, min_position=position)
        await queries.redemptions(PROGRAMME, next(iter(programme.members)), min_position=position)
        members = (programme.members[name] for kind, name in self._touched if kind == "member")

        async def compare() -> None:
            for member in members:
                await check_balances(queries, self._oracle, programme, member, days=(0, 1))

        await asyncio.gather(*(compare() for _ in range(MEMBERS_AT_ONCE)))
        redemptions = [name for kind, name in self._touched if kind == "redemption"]
        await check_redemptions(queries, programme, redemptions)
        await check_stock(queries, programme)
        self._touched.clear()
