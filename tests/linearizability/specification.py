"""What the service promises, one thing after the other: two members, and the goods that their redemptions take.

Written from the contract, apart from the ledger's own decisions. All commands are dated at the same instant, so the
rules about dates have no part in it. A redemption is of one unit, which costs `PRICE` points.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

PRICE = 5

Value = TypeVar("Value", bound=Hashable)


# -- calls


class Earn(NamedTuple):
    """Grant points; a source credits once, whatever the command's id."""

    member: str
    points: int
    source: str


class Hold(NamedTuple):
    """Set points aside under an id that is not in use by another open hold of the member."""

    member: str
    hold: str
    points: int


class Capture(NamedTuple):
    """Spend points of a hold, the rest goes back."""

    member: str
    hold: str
    points: int


class Release(NamedTuple):
    """Give the points of a hold back."""

    member: str
    hold: str


class Transfer(NamedTuple):
    """Move points from one member to the other."""

    sender: str
    receiver: str
    points: int


class Redeem(NamedTuple):
    """Hold the price and lock a unit, or neither."""

    redemption: str
    member: str


class Fulfil(NamedTuple):
    """Spend what a redemption holds and ship its unit."""

    redemption: str


class Cancel(NamedTuple):
    """Give points and unit of a redemption back."""

    redemption: str


class Receive(NamedTuple):
    """Take units in."""

    units: int


class Lock(NamedTuple):
    """Set units aside under an id that is not in use by another open lock."""

    lock: str
    units: int


class Unlock(NamedTuple):
    """Free locked units."""

    lock: str


class Ship(NamedTuple):
    """Send locked units out."""

    lock: str


class ReadBalance(NamedTuple):
    """Ask for a member's points."""

    member: str


class ReadStock(NamedTuple):
    """Ask for the units."""


# -- answers


class Balance(NamedTuple):
    """A member's points."""

    member: str
    open: int
    held: int


class Stock(NamedTuple):
    """Units that are there, and how many of them are set aside."""

    on_hand: int
    locked: int


class Accepted(NamedTuple):
    """It was done; the points of those it touched, as it left them."""

    balances: frozenset[Balance] = frozenset()


class Refused(NamedTuple):
    """The rules do not allow it; what there was instead, where the reason says so."""

    reason: str
    left: int | str | None = None


# -- the state


class State(NamedTuple):
    """A mapping is a set of its items, so that states can be compared and hashed."""

    open: frozenset[tuple[str, int]] = frozenset()
    """Points by member."""
    holds: frozenset[tuple[tuple[str, str], int]] = frozenset()
    """Points by member and hold."""
    credited: frozenset[str] = frozenset()
    """The sources that were credited."""
    on_hand: int = 0
    locks: frozenset[tuple[str, int]] = frozenset()
    """Units by lock."""
    placed: frozenset[tuple[str, str]] = frozenset()
    """The member, by open redemption."""
    ended: frozenset[tuple[str, str]] = frozenset()
    """What became of the others."""

    def balance(self, member: str) -> Balance:
        """A member's points."""
        held = sum(points for (owner, _), points in self.holds if owner == member)
        held += PRICE * sum(1 for _, owner in self.placed if owner == member)
        return Balance(member, dict(self.open).get(member, 0), held)

    @property
    def stock(self) -> Stock:
        """The units."""
        return Stock(self.on_hand, sum(units for _, units in self.locks) + len(self.placed))

    def paid(self, member: str, points: int) -> "State":
        """With so many more points of a member, or fewer."""
        return self._replace(open=_with(self.open, member, dict(self.open).get(member, 0) + points))


Step = tuple[State, Accepted | Refused | Balance | Stock]
Map = frozenset[tuple[Any, Value]]


def _with(items: Map[Value], key: Hashable, value: Value) -> Map[Value]:
    return frozenset({**dict(items), key: value}.items())


def _without(items: Map[Value], key: Hashable) -> Map[Value]:
    return frozenset(item for item in items if item[0] != key)


def apply(state: State, call: Any) -> Step:
    """The next state and the answer."""
    return _STEPS[type(call)](state, call)


def _accept(state: State, *members: str) -> Step:
    return state, Accepted(frozenset(state.balance(member) for member in members))


def _earn(state: State, call: Earn) -> Step:
    if call.source in state.credited:
        return state, Refused("SOURCE_ALREADY_USED")
    return _accept(state.paid(call.member, call.points)._replace(credited=state.credited | {call.source}), call.member)


def _insufficient(state: State, member: str, points: int) -> Refused | None:
    spendable = state.balance(member).open
    return Refused("INSUFFICIENT_POINTS", spendable) if spendable < points else None


def _hold(state: State, call: Hold) -> Step:
    key = (call.member, call.hold)
    if key in dict(state.holds):
        return state, Refused("HOLD_EXISTS")
    if (refused := _insufficient(state, call.member, call.points)) is not None:
        return state, refused
    held = _with(state.holds, key, call.points)
    return _accept(state.paid(call.member, -call.points)._replace(holds=held), call.member)


def _capture(state: State, call: Capture) -> Step:
    held = dict(state.holds).get((call.member, call.hold))
    if held is None:
        return state, Refused("HOLD_NOT_FOUND")
    if call.points > held:
        return state, Refused("QUANTITY_EXCEEDED", held)
    freed = state._replace(holds=_without(state.holds, (call.member, call.hold)))
    return _accept(freed.paid(call.member, held - call.points), call.member)


def _release(state: State, call: Release) -> Step:
    return _capture(state, Capture(call.member, call.hold, 0))


def _transfer(state: State, call: Transfer) -> Step:
    if (refused := _insufficient(state, call.sender, call.points)) is not None:
        return state, refused
    moved = state.paid(call.sender, -call.points).paid(call.receiver, call.points)
    return _accept(moved, call.sender, call.receiver)


def _redeem(state: State, call: Redeem) -> Step:
    if call.redemption in dict(state.placed) or call.redemption in dict(state.ended):
        return state, Refused("REDEMPTION_EXISTS")
    if (refused := _out_of_stock(state, 1) or _insufficient(state, call.member, PRICE)) is not None:
        return state, refused
    placed = _with(state.placed, call.redemption, call.member)
    return _accept(state.paid(call.member, -PRICE)._replace(placed=placed), call.member)


def _fulfil(state: State, call: Fulfil) -> Step:
    return _end(state, call.redemption, "FULFILLED", points=0, units=1)


def _cancel(state: State, call: Cancel) -> Step:
    return _end(state, call.redemption, "CANCELLED", points=PRICE, units=0)


def _end(state: State, redemption: str, stage: str, points: int, units: int) -> Step:
    member = dict(state.placed).get(redemption)
    if member is None:
        ended = dict(state.ended).get(redemption)
        return state, Refused("REDEMPTION_NOT_FOUND") if ended is None else Refused("REDEMPTION_CLOSED", ended)
    after = state.paid(member, points)._replace(
        on_hand=state.on_hand - units,
        placed=_without(state.placed, redemption),
        ended=_with(state.ended, redemption, stage),
    )
    return _accept(after, member)


def _receive(state: State, call: Receive) -> Step:
    return _accept(state._replace(on_hand=state.on_hand + call.units))


def _out_of_stock(state: State, units: int) -> Refused | None:
    available = state.on_hand - state.stock.locked
    return Refused("OUT_OF_STOCK", available) if available < units else None


def _lock(state: State, call: Lock) -> Step:
    if call.lock in dict(state.locks):
        return state, Refused("LOCK_EXISTS")
    if (refused := _out_of_stock(state, call.units)) is not None:
        return state, refused
    return _accept(state._replace(locks=_with(state.locks, call.lock, call.units)))


def _unlock(state: State, call: Unlock) -> Step:
    return _end_lock(state, call.lock, shipped=False)


def _ship(state: State, call: Ship) -> Step:
    return _end_lock(state, call.lock, shipped=True)


def _end_lock(state: State, lock: str, shipped: bool) -> Step:
    units = dict(state.locks).get(lock)
    if units is None:
        return state, Refused("LOCK_NOT_FOUND")
    left = state.on_hand - units if shipped else state.on_hand
    return _accept(state._replace(locks=_without(state.locks, lock), on_hand=left))


def _read_balance(state: State, call: ReadBalance) -> Step:
    return state, state.balance(call.member)


def _read_stock(state: State, call: ReadStock) -> Step:
    return state, state.stock


_STEPS: dict[type, Callable[[State, Any], Step]] = {
    Earn: _earn,
    Hold: _hold,
    Capture: _capture,
    Release: _release,
    Transfer: _transfer,
    Redeem: _redeem,
    Fulfil: _fulfil,
    Cancel: _cancel,
    Receive: _receive,
    Lock: _lock,
    Unlock: _unlock,
    Ship: _ship,
    ReadBalance: _read_balance,
    ReadStock: _read_stock,
}
