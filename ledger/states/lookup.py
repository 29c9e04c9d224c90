"""Where decisions find the states they need: by kind and id, within one request's programme and channel."""

from typing import Any, Protocol, cast

from ledger import ids
from ledger.calendar import Instant
from ledger.events import Fact
from ledger.states.allocation import AllocationPolicy
from ledger.states.member import Member
from ledger.states.orders import Order
from ledger.states.programme import Programme
from ledger.states.reversals import Reversal
from ledger.states.rewards import Redemption, Reward
from ledger.states.stock import Sku, Stock


class State(Protocol):
    """What every state can do; `version` is the stream's, `weight` the bytes it takes in memory, about."""

    version: int

    @property
    def weight(self) -> int: ...
    def evolve(self, event: Fact, at: Instant) -> None: ...
    def clone(self) -> Any: ...


KINDS: dict[str, type[Any]] = {
    "programme": Programme,
    "member": Member,
    "order": Order,
    "redemption": Redemption,
    "reversal": Reversal,
    "reward": Reward,
    "allocation": AllocationPolicy,
    "sku": Sku,
    "stock": Stock,
}
"""The state of each kind of stream."""


def kind_of(stream: str) -> str:
    """The kind of a stream, the second part of its name."""
    return stream.split("/", 2)[1]


def programme_of(stream: str) -> str:
    """The programme of a stream, the first part of its name."""
    return stream.partition("/")[0]


def command_of(stream: str) -> bytes:
    """The command that a stream of reversals is about."""
    return bytes.fromhex(stream.rpartition("/")[2])


class NotLoaded(Exception):
    """Raised when a decision needs a stream that is not in memory; the writer loads it and decides again."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.stream = stream


class States:
    """The states in memory, as one request sees them; each access marks a state as the most recently used."""

    __slots__ = ("_loaded", "_members", "_programme", "channel", "name")

    def __init__(self, loaded: dict[str, State], programme: str, channel: str) -> None:
        self._loaded = loaded
        self.name = programme
        self.channel = channel
        self._programme = ids.programme_stream(programme)
        self._members = ids.member_stream(programme, "")

    def get(self, stream: str) -> State:
        """The state of a stream; raises NotLoaded."""
        try:
            state = self._loaded.pop(stream)
        except KeyError:
            raise NotLoaded(stream) from None
        self._loaded[stream] = state
        return state

    def peek(self, stream: str) -> Any:
        """The state of a stream if it is in memory, otherwise None."""
        return self._loaded.get(stream)

    # The streams of this request's programme, by the ids that commands carry.

    def programme_stream(self) -> str:
        return self._programme

    def member_stream(self, member: str) -> str:
        return self._members + member

    def order_stream(self, order: str, channel: str = "") -> str:
        return ids.order_stream(self.name, channel or self.channel, order)

    def reversal_stream(self, command_id: bytes) -> str:
        return ids.reversal_stream(self.name, command_id)

    def redemption_stream(self, redemption: str) -> str:
        return ids.redemption_stream(self.name, redemption)

    def reward_stream(self, reward: str) -> str:
        return ids.reward_stream(self.name, reward)

    def allocation_stream(self) -> str:
        return ids.allocation_stream(self.name)

    def sku_stream(self, sku: str) -> str:
        return ids.sku_stream(self.name, sku)

    def stock_stream(self, sku: str, location: str) -> str:
        return ids.stock_stream(self.name, sku, location)

    def programme(self) -> Programme:
        state = self._loaded.get(self._programme)
        if state is None:
            raise NotLoaded(self._programme)
        return state  # type: ignore[return-value]

    def member(self, member: str) -> Member:
        return self.get(self._members + member)  # type: ignore[return-value]

    def member_of(self, stream: str) -> Member:
        return cast(Member, self.get(stream))

    def order(self, order: str, channel: str = "") -> Order:
        return cast(Order, self.get(self.order_stream(order, channel)))

    def reversal(self, command_id: bytes) -> Reversal:
        return cast(Reversal, self.get(self.reversal_stream(command_id)))

    def redemption(self, redemption: str) -> Redemption:
        return cast(Redemption, self.get(self.redemption_stream(redemption)))

    def reward(self, reward: str) -> Reward:
        return cast(Reward, self.get(self.reward_stream(reward)))

    def allocation(self) -> AllocationPolicy:
        return cast(AllocationPolicy, self.get(self.allocation_stream()))

    def sku(self, sku: str) -> Sku:
        return cast(Sku, self.get(self.sku_stream(sku)))

    def stock(self, sku: str, location: str) -> Stock:
        return cast(Stock, self.get(self.stock_stream(sku, location)))
