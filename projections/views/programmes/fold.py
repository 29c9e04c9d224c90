"""The programme view's fold: the settings in force, and the manual clock, by which queries and sweeps go."""

from collections.abc import Sequence

import msgspec

from ledger import events as e
from projections.projection import Changes, Keys, Projection, Row, Rows, read_script
from projections.recorded import Recorded

_encode = msgspec.json.Encoder().encode


def keys(events: Sequence[Recorded]) -> Keys:
    """All programmes that these events touch."""
    return {"known": {(recorded.programme,) for recorded in events}}


def fold(rows: Rows, events: Sequence[Recorded]) -> Changes:
    """The rows of these programmes: name, settings as JSON, clock, opened_at."""
    programmes: dict[str, Row] = {row[0]: row for row in rows["known"]}
    for recorded in events:
        event, name, at = recorded.event, recorded.programme, recorded.occurred_at
        if isinstance(event, e.ProgrammeOpened):
            programmes[name] = (name, _encode(event.settings).decode(), at, at)
        elif isinstance(event, e.ClockAdvanced):
            _, settings, _, opened_at = programmes[name]
            programmes[name] = (name, settings, event.now, opened_at)
    return {"changed": programmes.values()}


PROGRAMMES = Projection(
    "programmes", 1, read_script(__file__), frozenset((e.ProgrammeOpened, e.ClockAdvanced)), fold, keys
)
