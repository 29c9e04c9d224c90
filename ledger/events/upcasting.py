"""What became of earlier versions of events: stored JSON of one version in, the topic and JSON of the next one out.

The log is never changed, so every version that was ever written stays readable. Only reading goes through here.
"""

from collections.abc import Callable
from typing import Any

import msgspec


def _purchase_returned_v1(state: bytes) -> tuple[str, bytes]:
    """The lines as columns instead of one object each."""
    event: dict[str, Any] = msgspec.json.decode(state)
    lines = event["lines"]
    event["lines"] = {column: [line[column] for line in lines] for column in ("line", "quantity", "net", "due")}
    return "purchase.returned.v2", msgspec.json.encode(event)


UPCASTERS: dict[str, Callable[[bytes], tuple[str, bytes]]] = {"purchase.returned.v1": _purchase_returned_v1}
"""By outdated topic."""
