"""A history with every kind of command and of answer, and a writer that is led through it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from ledger import commands as c
from ledger.calendar import DAY, MINUTE, SECOND, Instant
from ledger.events import Distance, Line, Price, RewardKind, Source, Tender, TenderType
from ledger.ports import Ledger, Store
from ledger.quantities import Amount, Rounding
from ledger.settings import ClockKind, PointUnit, Settings
from ledger.writer import Answer, Writer

OPENING: Instant = 1_772_323_200 * SECOND

SETTINGS = Settings(
    zone="Asia/Shanghai",
    clock=ClockKind.WALL,
    units=(PointUnit("points"), PointUnit("stars", 2)),
    currency="CNY",
    currency_digits=2,
    earning_unit="points",
    earning_rate="1/100",
    rounding=Rounding.HALF_UP,
    point_value="1",
    hold_seconds=7 * 86_400,
    backdating_seconds=30 * 86_400,
    lot_months=12,
)


def points(value: int) -> Amount:
    return Amount("points", value)


def earn(member: str, value: int, visit: str) -> c.Earn:
    return c.Earn(member, points(value), Source("visit", visit))


def redeem(redemption: str) -> c.Redeem:
    return c.Redeem(redemption, "bo", "mug", tenders=CASH)


MUG = c.DefineReward("mug", RewardKind.GOODS, Price(points(30), cash=500), sku="mug", location="hall", list_price=2000)
BOX = c.DefineReward("box", RewardKind.GOODS, Price(points(2)), sku="box")
POLICY = c.PublishAllocationPolicy(("hall", "attic"), (Distance("up", "attic", 3), Distance("up", "hall", 9)))
BILL = (Line("tea", 2, 9_900, 9_900), Line("cup", 1, 5_050, 5_050, category="ware"))
CASH = (Tender(TenderType.CASH, 500),)
PAID = (Tender(TenderType.CASH, 14_930), Tender(TenderType.POINTS, 20, points(20)))

# Each step is what the writer gets at once; each item of a step is one request: a command, or a group of them.
STEPS: Sequence[Sequence[Sequence[c.Command]]] = (
    ([earn("anna", 5, "too early")], [c.OpenProgramme(SETTINGS)], [c.OpenProgramme(SETTINGS)]),
    ([c.EnrolMember("anna")], [c.EnrolMember("bo")], [c.EnrolMember("anna")], [earn("anna", 100, "1")]),
    ([earn("anna", 100, "1")], [earn("bo", 7, "2")], [c.Transfer("anna", "bo", points(60))]),
    ([c.ReceiveStock("mug", "hall", 3, 800)], [MUG], [redeem("r1")], [redeem("r2")], [redeem("r3")]),
    ([c.EnrolMember("cy"), earn("cy", 10, "3")], [earn("cy", 10, "4"), c.Transfer("cy", "bo", points(99))]),
    ([c.RecordPurchase("anna", "o1", BILL, "hall", PAID)], [c.RecordPurchase("anna", "o1", BILL)]),
    ([c.Hold("h1", "anna", points(15))], [c.ReleaseHold("h1", "anna")], [c.Hold("h2", "anna", points(5))]),
    ([c.Fulfil("r1")], [c.Cancel("r1")], [c.LockStock("l1", "mug", "hall", 1)], [c.ShipStock("l1", "mug", "hall")]),
    (
        [c.LockStock("l2", "mug", "hall", 1)],
        [c.ReleaseStock("l2", "mug", "hall")],
        [c.ReleaseStock("l2", "mug", "hall")],
    ),
    ([c.Cancel("r2")], [c.Redeem("r4", "di", "mug")], [c.AdvanceClock(OPENING)]),
    ([POLICY], [BOX], [c.ReceiveStock("box", "hall", 5, 77)], [c.TransferStock("box", "hall", "attic", 3)]),
    ([c.Redeem("r5", "anna", "box", 4)], [c.Redeem("r6", "anna", "box", 3, destination="up")], [c.Fulfil("r6", 4)]),
    ([c.Fulfil("r6", 1)], [c.CountStock("box", "attic", 0, "count")], [c.Fulfil("r6", 1)], [c.Cancel("r6", 1)]),
    ([c.DiscontinueStock("box", "gone")], [c.DiscontinueStock("mug", "gone", "hall")], [redeem("r7")]),
    ([c.ExpireDue(OPENING + 30 * DAY, member="anna")], [c.Transfer("bo", "cy", points(1))]),
)


class ScriptedClock:
    """A wall clock that shows what it was set to."""

    def __init__(self) -> None:
        self.instant = OPENING

    def now(self) -> Instant:
        return self.instant


def requests_of(step: int) -> list[c.Request]:
    """The requests of a step; those of the last one are dated a month later, and repeat an earlier request."""
    at = OPENING + step * MINUTE + (31 * DAY if step == len(STEPS) - 1 else 0)
    return [
        c.Request(
            id=bytes([step, place]) * 8,
            programme="club",
            occurred_at=at,
            commands=tuple(commands),
            actor=f"till {place}",
            channel="shop",
            correlation_id=f"step {step}",
            trace=bytes([place]),
        )
        for place, commands in enumerate(STEPS[step])
    ]


@contextlib.asynccontextmanager
async def running(store: Store, clock: ScriptedClock) -> AsyncIterator[Writer]:
    """A writer that leads, on a store."""
    writer = Writer(store, clock)
    leading = asyncio.Event()
    writer.on_lead = lambda leads: leading.set() if leads else None
    task = asyncio.create_task(writer.run())
    try:
        async with asyncio.timeout(5):
            await leading.wait()
        yield writer
    finally:
        writer.stop()
        await task


async def tell(
    store: Store, steps: range, reach: Callable[[Writer], AbstractAsyncContextManager[Ledger]] = nullcontext
) -> list[Answer]:
    """Lead a new writer through some steps of the history; each step is one batch. `reach` is how it is called."""
    clock = ScriptedClock()
    answers: list[Answer] = []
    async with running(store, clock) as writer, reach(writer) as ledger:
        for step in steps:
            requests = requests_of(step)
            clock.instant = requests[0].occurred_at + SECOND
            answers += await ledger.execute([*requests, requests[0]])
    return answers
