"""Run one seed and tell all that happened, or many and tell how often what happened."""

import sys
import time
from collections import Counter

from tests.simulation.world import simulate


def main() -> None:
    seed, count = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    begin, happened = time.perf_counter(), Counter[str]()
    for each in range(seed, seed + count):
        happened += simulate(each, print if count == 1 else lambda line: None)
    print(f"{count} seeds from {seed} on, {time.perf_counter() - begin:.1f} s: nothing wrong.")
    for what, times in happened.most_common():
        print(f"{times:9,}  {what}")


if __name__ == "__main__":
    main()
