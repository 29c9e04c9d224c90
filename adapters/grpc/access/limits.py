"""How much one caller may send: a token bucket each."""

import time
from collections import OrderedDict
from collections.abc import Callable

CALLERS_MAX = 10_000
"""Callers whose buckets are kept; who was silent for longest begins with a full one again."""


class RateLimits:
    """So many commands a second for each caller; a bucket holds those of one second.

    A bucket goes into debt: a batch is taken whole as long as there is anything left, however large it is, and the
    caller then waits until the debt is paid. So no rate makes a batch impossible.
    """

    def __init__(self, commands_per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = commands_per_second
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def exceeded(self, actor: str) -> bool:
        """Whether the caller has to wait."""
        return self._left(actor) <= 0

    def spend(self, actor: str, commands: int) -> None:
        """Count commands that were taken; a query counts as one."""
        self._buckets[actor] = (self._left(actor) - commands, self._clock())
        self._buckets.move_to_end(actor)
        if len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)

    def _left(self, actor: str) -> float:
        left, since = self._buckets.get(actor, (self._rate, 0.0))
        return min(self._rate, left + (self._clock() - since) * self._rate)
