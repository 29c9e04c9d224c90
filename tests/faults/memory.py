"""How much memory the processes of a service take while something is done to it."""

import threading

from tests.faults.stand import Stand

LOOK_SECONDS = 0.05
GROWTH_MIB_MAX = 300
"""More than noise, and less than it would take to keep everything that is thrown at a process."""


class Peaks:
    """The most that each process takes within a block, in MiB, and what it took before."""

    def __init__(self, under_test: Stand) -> None:
        self._under_test = under_test
        self.before: dict[str, float] = {}
        self.most: dict[str, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Peaks":
        self.before = self._under_test.memory()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            for name, mib in self._under_test.memory().items():
                self.most[name] = max(mib, self.most.get(name, 0.0))

    def growth(self) -> float:
        """By how many MiB the process grew most that grew most."""
        return max(mib - self.before[name] for name, mib in self.most.items())

    def __str__(self) -> str:
        return ", ".join(f"{name} {self.before[name]:.0f} MiB, {mib:.0f} at most" for name, mib in self.most.items())
