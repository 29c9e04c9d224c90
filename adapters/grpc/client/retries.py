"""When a client tries again: bounded, further and further apart, never all clients at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import uniform

import grpc

RETRYABLE = frozenset(
    code.value[0]
    for code in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        # What had arrived at a server that stopped, and was not taken yet. A caller's own cancellation is no status.
        grpc.StatusCode.CANCELLED,
    )
)
"""The codes after which the same command id may be sent again, and is answered exactly once."""


@dataclass(frozen=True)
class Retries:
    """Exponential backoff with full jitter; with the defaults, the last attempt comes after 3.5 seconds on average."""

    attempts_max: int = 8
    first_seconds_max: float = 0.1
    seconds_max: float = 2.0

    def delays(self) -> Iterator[float]:
        """The seconds to wait before each further attempt."""
        for attempt in range(self.attempts_max - 1):
            yield uniform(0, min(self.seconds_max, self.first_seconds_max * 2**attempt))
