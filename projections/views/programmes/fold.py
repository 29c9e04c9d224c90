"""The programme view's fold: all settings with the time from which they go, and the manual clock.

By the clock queries and sweeps know the present.
"""

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
    """The rows of these programmes: name, clock, opened_at; and of their new settings."""
    programmes: dict[str, Row] = {row[0]: row for row in rows["known"]}
    versions: list[Row] = []
    for recorded in events:
        event, name, at = recorded.event, recorded.programme, recorded.occurred_at
        if isinstance(event, e.ProgrammeOpened):
            programmes[name] = (name, at, at)
            versions.append((name, 1, at, _encode(event.settings).decode()))
        elif isinstance(event, e.ProgrammeChanged):
            versions.append((name, event.version, event.valid_from, _encode(event.settings).decode()))
        elif isinstance(event, e.ClockAdvanced):
            programmes[name] = (name, event.now, programmes[name][2])
    return {"changed": programmes.values(), "versions": versions}


PROGRAMMES = Projection(
    "programmes",
    2,
    read_script(__file__),
    frozenset((e.ProgrammeOpened, e.ProgrammeChanged, e.ClockAdvanced)),
    fold,
    keys,
)
