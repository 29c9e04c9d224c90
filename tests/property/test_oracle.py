"""The oracle itself: it finds what is wrong with a log, whoever made it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import pytest

from ledger import events as e
from ledger.events import Fact, decode_event, encode_event
from ledger.records import GENESIS, Record, chain, image_of
from tests.oracle.facts import Broken
from tests.oracle.model import Oracle
from tests.property.histories import START, long_history
from tests.unit.ledger.running import Running, ScriptedClock


@pytest.fixture(scope="module")
def log() -> list[Record]:
    with Running(ScriptedClock(START)) as running:
        running.execute([step.request for step in long_history(3, 1_200)])
        return running.memory.records


def check(records: Sequence[Record]) -> None:
    oracle = Oracle()
    oracle.fold(records)
    oracle.finish()


def chained(records: Sequence[Record]) -> list[Record]:
    """The same records with hashes that fit, as a writer with a defect would have made them."""
    previous = GENESIS
    found = []
    for record in records:
        previous = chain(previous, image_of(1, record))
        found.append(msgspec.structs.replace(record, hash=previous))
    return found


def with_event(log: Sequence[Record], place: int, **fields: object) -> list[Record]:
    """The log with another event in one place."""
    record = log[place]
    event = msgspec.structs.replace(decode_event(record.topic, record.event), **fields)
    return chained([*log[:place], msgspec.structs.replace(record, event=encode_event(event)), *log[place + 1 :]])


def places(log: Sequence[Record], kind: type[Fact], most: int = 6) -> list[tuple[int, Any]]:
    found = [(place, decode_event(record.topic, record.event)) for place, record in enumerate(log)]
    return [(place, event) for place, event in found if isinstance(event, kind)][:most]


def test_a_sound_log_is_sound(log: list[Record]) -> None:
    check(log)
    assert chained(log) == log


def test_an_edit_breaks_the_chain(log: list[Record]) -> None:
    edited = msgspec.structs.replace(log[100], actor="somebody else")
    with pytest.raises(Broken, match="position 101: the chain"):
        check([*log[:100], edited, *log[101:]])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"position": 7}, "follows"),
        ({"version": 99}, "has version 99"),
        ({"recorded_at": 5}, "went back"),
        ({"programme": "bar"}, "none of bar's streams"),
    ],
)
def test_an_envelope_that_does_not_fit_is_found(log: list[Record], change: dict[str, object], problem: str) -> None:
    edited = msgspec.structs.replace(log[100], **change)
    with pytest.raises(Broken, match=problem):
        check(chained([*log[:100], edited, *log[101:]]))


@pytest.mark.parametrize("gone", [20, 60, 200])
def test_a_record_that_is_missing_is_found(log: list[Record], gone: int) -> None:
    # Of the last record of a stream nobody but the head can tell.
    while all(record.stream != log[gone].stream for record in log[gone + 1 :]):
        gone += 1
    shifted = [msgspec.structs.replace(record, position=record.position - 1) for record in log[gone + 1 :]]
    with pytest.raises(Broken):
        check(chained([*log[:gone], *shifted]))


def other_points(event: Any) -> Iterator[dict[str, object]]:
    """A point more, a point less, a lot left out, a lot twice."""
    for more in (-1, 1):
        first = msgspec.structs.replace(event.parts[0], points=event.parts[0].points + more)
        yield {"parts": (first, *event.parts[1:])}
    yield {"parts": event.parts[1:]}
    yield {"parts": (*event.parts, event.parts[0])}


def other_expiry(event: e.PointsExpired) -> Iterator[dict[str, object]]:
    """Less than what is due may be posted, never more."""
    yield {"effective_at": event.effective_at + 1}
    _, more, _, twice = other_points(event)
    yield from (more, twice)


def other_children(event: e.PointsTransferredIn) -> Iterator[dict[str, object]]:
    for change in ({"points": event.lots[0].points + 1}, {"expires_at": 5}, {"root": "anna:999"}, {"unit_cost": "7"}):
        yield {"lots": (msgspec.structs.replace(event.lots[0], **change), *event.lots[1:])}


def other_earning(event: e.PurchaseRecorded) -> Iterator[dict[str, object]]:
    if event.earning is not None and event.earning.points:
        yield {"earning": msgspec.structs.replace(event.earning, points=event.earning.points + 1)}
        yield {"lot": ""}


def other_place(event: e.RedemptionPlaced) -> Iterator[dict[str, object]]:
    yield {"quantity": event.quantity + 1}
    if event.allocation_version:
        yield {"location": "hall"}
        yield {"allocation_version": event.allocation_version + 1}


def other_units(event: e.RedemptionFulfilled | e.RedemptionCancelled) -> Iterator[dict[str, object]]:
    """A unit more, a unit that is said to be left, a cent that is nobody's."""
    yield {"quantity": event.quantity + 1}
    yield {"left": event.left + 1}
    if event.tenders:
        first = msgspec.structs.replace(event.tenders[0], amount=event.tenders[0].amount + 1)
        yield {"tenders": (first, *event.tenders[1:])}


def other_sending(event: e.PointsTransferredOut) -> Iterator[dict[str, object]]:
    yield from other_points(event)
    if not event.reverses:
        yield {"day": "2026-01-01" if event.day != "2026-01-01" else ""}


def other_lives(event: e.ExpiryExtended) -> Iterator[dict[str, object]]:
    """To another time, of other lots, or with other sums."""
    if event.activity is not None:
        yield {"expires_at": event.expires_at + 1}
    for name in ("periods", "lots"):
        rows = getattr(event, name)
        for change in ("was", "points", "held") if rows else ():
            first = msgspec.structs.replace(rows[0], **{change: getattr(rows[0], change) + 1})
            yield {name: (first, *rows[1:])}


def other_waiting(event: e.PointsActivated) -> Iterator[dict[str, object]]:
    first = event.lots[0]
    yield {"available_at": event.available_at + 1}
    yield {"lots": (msgspec.structs.replace(first, points=first.points + 1), *event.lots[1:])}
    yield {"lots": (*event.lots, first)}


def other_settings(event: e.ProgrammeChanged) -> Iterator[dict[str, object]]:
    yield {"version": event.version + 1}
    yield {"valid_from": START - 1}
    yield {"settings": msgspec.structs.replace(event.settings, zone="Europe/Berlin")}
    yield {"settings": msgspec.structs.replace(event.settings, units=event.settings.units[1:])}


FORGERIES: dict[type[Fact], Callable[[Any], Iterable[dict[str, object]]]] = {
    e.PointsHeld: other_points,
    e.PointsReleased: other_points,
    e.PointsRedeemed: other_points,
    e.PointsExpired: other_expiry,
    e.PointsTransferredOut: other_sending,
    e.PointsTransferredIn: other_children,
    e.PurchaseRecorded: other_earning,
    e.RedemptionPlaced: other_place,
    e.RedemptionFulfilled: other_units,
    e.RedemptionCancelled: other_units,
    e.StockLocked: lambda event: [{"quantity": 1_000}],
    e.StockReleased: lambda event: [{"quantity": event.quantity + 1}, {"left": event.left + 1}],
    e.StockShipped: lambda event: [{"quantity": event.quantity + 1}, {"cost": event.cost + 2}],
    e.StockCounted: lambda event: [{"expected": event.expected + 1}, {"value": event.value + 2}, {"shortage": 99}],
    e.StockDiscontinued: lambda event: [{"sku": "another"}],
    e.StockTransferredOut: lambda event: [{"quantity": event.quantity + 1}, {"cost": event.cost + 2}, {"to": "hall"}],
    e.StockTransferredIn: lambda event: [{"quantity": event.quantity + 1}, {"cost": event.cost - 1}],
    e.AllocationPolicyPublished: lambda event: [{"version": event.version + 1}],
    e.ProgrammeChanged: other_settings,
    e.ExpiryExtended: other_lives,
    e.PointsActivated: other_waiting,
    e.MemberFrozen: lambda event: [{"last_lot": event.last_lot + 1}, {"reason": ""}],
    e.MemberUnfrozen: lambda event: [{"reason": ""}],
    e.MemberClosed: lambda event: [{"reason": ""}],
}
"""For each kind of event what no writer may write in its place."""


@pytest.mark.parametrize("kind", FORGERIES, ids=lambda kind: kind.__name__)
def test_a_point_or_unit_too_many_or_too_few_is_found(log: list[Record], kind: type[Fact]) -> None:
    assert places(log, kind)
    for place, event in places(log, kind):
        for fields in FORGERIES[kind](event):
            with pytest.raises(Broken):
                check(with_event(log, place, **fields))


def test_a_command_that_committed_in_part_is_found(log: list[Record]) -> None:
    """A transfer that left and never arrived."""
    (place, _), *_ = places(log, e.PointsTransferredOut)
    with pytest.raises(Broken, match="committed in part"):
        check(log[: place + 1])
