"""The sweep: what is due by a programme's clock is posted, one command for each member or stock item.

Candidates come from the `due` view; decisions trust the streams only, so a late or repeated sweep changes nothing.
"""

import asyncio
from hashlib import sha256

import structlog

from adapters.grpc.ports import SweepResult
from ledger.calendar import Instant
from ledger.commands import ExpireDue, Request
from ledger.errors import LedgerError
from ledger.ports import Ledger
from ledger.receipts import Outcome, Receipt
from projections.queries import DueQueries, DueSubject, NotFound, TooFarBehind

log = structlog.get_logger(__name__)

ACTOR = "sweeper"
BATCH_SUBJECTS = 500
"""Subjects in one batch: large enough to be quick, small enough to let other commands in between."""


class DueSweeper:
    """Posts what is due, on request and by itself."""

    def __init__(self, ledger: Ledger, due: DueQueries, interval_seconds: float) -> None:
        self._ledger = ledger
        self._due = due
        self._interval_seconds = interval_seconds

    async def run(self) -> None:
        """Sweep every programme, now and then, until cancelled; a fault is logged and the next round tries again."""
        failing = False
        while True:
            try:
                for programme, now in await self._due.programmes():
                    await self.sweep_until(programme, now, limit=100_000)
                failing = False
            except TooFarBehind as lag:
                log.debug("sweep.waits", lag=str(lag))
            except (LedgerError, OSError) as fault:
                if not failing:  # once, not every second
                    log.warning("sweep.interrupted", fault=str(fault))
                failing = True
            await asyncio.sleep(self._interval_seconds)

    async def sweep(self, programme: str, limit: int, min_position: int) -> SweepResult:
        """Post what is due in a programme by its clock, for at most `limit` members and stock items.

        Raises NotFound for a programme that nobody opened, TooFarBehind when the view does not get to `min_position`.
        """
        await self._due.wait(min_position)
        now = dict(await self._due.programmes()).get(programme)
        if now is None:
            raise NotFound("programme", programme)
        return await self.sweep_until(programme, now, limit)

    async def sweep_until(self, programme: str, now: Instant, limit: int) -> SweepResult:
        """Post what is due by an instant."""
        posted = 0
        attempt = 0
        while posted < limit:
            subjects = await self._due.due(programme, now, min(limit - posted, BATCH_SUBJECTS))
            if not subjects:
                return SweepResult(posted, 0)
            requests = [_request(programme, subject, now, attempt) for subject in subjects]
            position = 0
            fresh = False
            for answer in await self._ledger.execute(requests):
                if isinstance(answer, LedgerError):
                    raise answer
                fresh = fresh or not answer.repeated
                position = max(position, _position(answer))
            posted += len(subjects)
            # A member with more lots due than one command posts comes up again, and needs another id.
            attempt = 0 if fresh else attempt + 1
            await self._due.wait(position)
        return SweepResult(posted, len(await self._due.due(programme, now, BATCH_SUBJECTS)))


def _position(outcome: Outcome) -> int:
    return outcome.answer.position if isinstance(outcome.answer, Receipt) else 0


def _request(programme: str, subject: DueSubject, cut_off: Instant, attempt: int) -> Request:
    """A command whose id follows from programme, subject and cut-off: the same sweep twice is one sweep."""
    name = f"{programme}\0{subject.member}\0{subject.sku}\0{subject.location}\0{cut_off}\0{attempt}"
    command = ExpireDue(cut_off, subject.member, subject.sku, subject.location)
    digest = bytearray(sha256(name.encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80  # UUID version 8: custom
    digest[8] = digest[8] & 0x3F | 0x80
    return Request(bytes(digest), programme, cut_off, (command,), ACTOR, ACTOR)
