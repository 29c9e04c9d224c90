"""When a process counts as hung. Told the time, seconds of a clock that never goes back; reads none."""

LOOK_SECONDS_MAX = 1.0


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
