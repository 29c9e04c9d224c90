"""What became of earlier versions of events: stored JSON of one version in, the topic and JSON of the next one out.

The log is never changed, so every version that was ever written stays readable. Only reading goes through here. Bytes
that were damaged raise KeyError or MsgspecError, as those of the present version do.
"""

from collections.abc import Callable

import msgspec


def _purchase_returned_v1(state: bytes) -> tuple[str, bytes]:
    """The lines as columns instead of one object each."""
    event = msgspec.json.decode(state, type=dict[str, msgspec.Raw])
    lines = msgspec.json.decode(event["lines"], type=list[dict[str, int]])
    columns = {column: [line[column] for line in lines] for column in ("line", "quantity", "net", "due")}
    event["lines"] = msgspec.Raw(msgspec.json.encode(columns))
    return "purchase.returned.v2", msgspec.json.encode(event)


UPCASTERS: dict[str, Callable[[bytes], tuple[str, bytes]]] = {"purchase.returned.v1": _purchase_returned_v1}
"""By outdated topic."""
