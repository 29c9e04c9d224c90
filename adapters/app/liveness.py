"""When a process counts as hung, and how soon one that died is started again.

Told the time, seconds of a clock that never goes back; reads none.
"""

LOOK_SECONDS_MAX = 1.0
RESTART_SECONDS_MIN = 0.2
RESTART_SECONDS_MAX = 10.0
LOOP_SECONDS = 30.0
"""Deaths so near to each other are a loop; a process that lived for longer begins anew."""


class Silence:
    """For how long a process has said nothing, as far as anybody listened.

    A supervisor that stood still itself (its machine was suspended, say) blames nobody for that: of the time between
    two looks at most a second counts.
    """

    def __init__(self, now: float) -> None:
        self._seconds = 0.0
        self._looked_at = now
        self._heard = False

    def end(self) -> None:
        """The process said something; called from any thread."""
        self._heard = True

    def look(self, now: float) -> float:
        """The seconds up to now."""
        if self._heard:
            self._heard = False
            self._seconds = 0.0
        else:
            self._seconds += min(now - self._looked_at, LOOK_SECONDS_MAX)
        self._looked_at = now
        return self._seconds


class Pauses:
    """Before each start of a process that died: twice as long with every other death of the last half minute.

    So one that dies at once is started six times in half a minute, whatever it does in between; and one that was killed
    a few times is soon started as fast as ever.
    """

    def __init__(self) -> None:
        self._deaths: list[float] = []

    def after_death(self, now: float) -> float:
        """The seconds to wait after a death at this moment."""
        self._deaths = [at for at in self._deaths if now - at < LOOP_SECONDS] + [now]
        return min(RESTART_SECONDS_MIN * 2.0 ** (len(self._deaths) - 1), RESTART_SECONDS_MAX)
