"""Where goods come from: the allocation policy, and the choice that it makes (I04)."""

from collections.abc import Iterable
from typing import NamedTuple

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import Decision
from ledger.errors import InvalidCommand
from ledger.policy import Policy
from ledger.quantities import VALUE_MAX
from ledger.states.lookup import States
from ledger.states.stock import Stock

LOCATIONS_MAX = 100
"""What one redemption may have to look at."""
DISTANCES_MAX = 10_000
"""About 700 kB as an event: a hundred destinations for each of a hundred locations."""


class Place(NamedTuple):
    """A location with what it has of a SKU; `allocation_version` is the policy's that chose it, 0: it was named."""

    location: str
    stock: Stock
    allocation_version: int = 0

    @property
    def order(self) -> tuple[bool, int]:
        """What equally near places are ordered by: those on offer first, then those with most units first."""
        return self.stock.discontinued, -self.stock.available


def decide_publish(states: States, policy: Policy, command: c.PublishAllocationPolicy, at: Instant) -> Decision:
    """Publish a version of the allocation policy; it holds for every redemption decided after it, whatever its date."""
    locations = set(command.locations)
    if not 0 < len(command.locations) <= LOCATIONS_MAX:
        raise InvalidCommand("locations", f"must have 1 to {LOCATIONS_MAX} locations, not {len(command.locations)}")
    if len(locations) < len(command.locations):
        raise InvalidCommand("locations", "must name each location once")
    if len(command.distances) > DISTANCES_MAX:
        raise InvalidCommand("distances", f"must have at most {DISTANCES_MAX} rows, not {len(command.distances)}")
    seen: set[tuple[str, str]] = set()
    for place, row in enumerate(command.distances):
        if row.location not in locations:
            raise InvalidCommand(f"distances[{place}].location", f"{row.location!r} is not among the locations")
        if not 0 <= row.distance <= VALUE_MAX:
            raise InvalidCommand(f"distances[{place}].distance", f"must be from 0 to {VALUE_MAX}, not {row.distance}")
        if (row.destination, row.location) in seen:
            raise InvalidCommand(f"distances[{place}]", "stands in the table before")
        seen.add((row.destination, row.location))
    version = states.allocation().version + 1
    published = e.AllocationPolicyPublished(version, command.locations, command.distances)
    return [(states.allocation_stream(), published)]


def place_streams(states: States, sku: str, location: str) -> Iterable[str]:
    """What finding a place needs: the stock there or, where no location is named, all that the policy looks at."""
    if location:
        yield states.stock_stream(sku, location)
        return
    yield states.allocation_stream()
    allocation = states.peek(states.allocation_stream())
    if allocation is not None:
        for candidate in allocation.locations:
            yield states.stock_stream(sku, candidate)


def place_of(states: States, reward: e.RewardDefined, command: c.Redeem) -> Place:
    """The location that the caller or the reward names, otherwise the policy's choice. Raises InvalidCommand."""
    location = command.location or reward.location
    if location:
        return Place(location, states.stock(reward.sku, location))
    if not states.allocation().version:
        raise InvalidCommand("location", f"is needed: reward {reward.reward!r} names none, nor is there a policy")
    return _choose(states, reward.sku, command.quantity, command.destination)


def _choose(states: States, sku: str, quantity: int, destination: str) -> Place:
    """The nearest place that has enough; of equally near ones that with most, then by name.

    Where no place has enough: the one that has most, the nearest of these.
    """
    allocation = states.allocation()
    places: list[Place] = []
    for rank in allocation.ranks(destination):
        near = [Place(location, states.stock(sku, location), allocation.version) for location in sorted(rank)]
        best = min(near, key=lambda place: place.order)
        if best.stock.available >= quantity and not best.stock.discontinued:
            return best
        places.append(best)
    return min(places, key=lambda place: place.order)
