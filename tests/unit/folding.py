"""What the desk recorded, as the folds of views see it."""

from collections.abc import Sequence
from typing import Any

from ledger.events import decode_event
from projections.projection import Projection
from projections.recorded import Recorded
from tests.unit.ledger.desk import Desk


def events(desk: Desk, after: int = 0) -> list[Recorded]:
    """What the desk recorded after a position, as folds see it."""
    return [
        Recorded(
            record.position,
            record.programme,
            record.stream.split("/", 2)[-1],
            decode_event(record.topic, record.event),
            record.occurred_at,
            record.recorded_at,
            record.business_date,
            record.channel,
        )
        for record in desk.running.memory.records[after:]
    ]


def fold(projection: Projection, desk: Desk, after: int = 0, **rows: Sequence[Any]) -> dict[str, list[Any]]:
    """What the events after a position change, where these rows were loaded."""
    selected = projection.select(events(desk, after))
    found = {step.name: rows.get(step.name, ()) for step in projection.script.steps if step.kind == "load"}
    return {name: list(changed) for name, changed in projection.fold(found, selected).items()}
