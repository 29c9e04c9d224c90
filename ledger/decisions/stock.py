"""Stock: units in, set aside, freed and out; counted, moved, and offered no more."""

from collections.abc import Iterable

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import QUANTITY_MAX, Decision, check_begun, check_money, check_positive, deadline
from ledger.errors import InvalidCommand
from ledger.events import CancelReason
from ledger.policy import Policy
from ledger.quantities import VALUE_MAX
from ledger.refusals import Reason, Refusal, refuse
from ledger.states.lookup import States
from ledger.states.stock import Lock, Stock


def item_stream(states: States, command: c.ReceiveStock | c.CountStock | c.ReleaseStock | c.ShipStock) -> Iterable[str]:
    """The stock item that a command names."""
    return (states.stock_stream(command.sku, command.location),)


def lock_streams(states: States, command: c.LockStock) -> Iterable[str]:
    """The stock item, and its SKU."""
    return states.stock_stream(command.sku, command.location), states.sku_stream(command.sku)


def discontinue_streams(states: States, command: c.DiscontinueStock) -> Iterable[str]:
    """The stock item, or its SKU where no location is named."""
    return (_discontinued_stream(states, command),)


def transfer_streams(states: States, command: c.TransferStock) -> Iterable[str]:
    """The stock items that give and receive."""
    return states.stock_stream(command.sku, command.sender), states.stock_stream(command.sku, command.receiver)


# -- in


def decide_receive(states: States, policy: Policy, command: c.ReceiveStock, at: Instant) -> Decision:
    """Take units in."""
    check_positive("quantity", command.quantity)
    check_money("unit_cost", command.unit_cost)
    stock = states.stock(command.sku, command.location)
    if (
        refusal := _beyond_limit(stock, command.sku, command.quantity, command.quantity * command.unit_cost)
    ) is not None:
        return refusal
    event = e.StockReceived(command.sku, command.location, command.quantity, command.unit_cost)
    return [(states.stock_stream(command.sku, command.location), event)]


def _beyond_limit(stock: Stock, sku: str, quantity: int, value: int) -> Refusal | None:
    """A refusal where units and their value would carry a stock item past what can be counted."""
    if stock.on_hand + quantity > QUANTITY_MAX:
        return refuse(Reason.LIMIT_EXCEEDED, sku=sku, owned=stock.on_hand, limit=QUANTITY_MAX)
    if stock.value + value > VALUE_MAX:
        return refuse(Reason.LIMIT_EXCEEDED, sku=sku, owned=stock.value, limit=VALUE_MAX)
    return None


# -- set aside, freed, out


def decide_lock(states: States, policy: Policy, command: c.LockStock, at: Instant) -> Decision:
    """Set units aside."""
    check_positive("quantity", command.quantity)
    expires_at = deadline("expires_at", command.expires_at, policy, at)
    stock = states.stock(command.sku, command.location)
    if command.lock in stock.locks:
        return refuse(Reason.LOCK_EXISTS, lock=command.lock)
    if states.sku(command.sku).discontinued or stock.discontinued:
        return _refuse_units(
            Reason.STOCK_DISCONTINUED, command.sku, command.location, command.quantity, stock.available
        )
    if stock.available < command.quantity:
        return _refuse_units(Reason.OUT_OF_STOCK, command.sku, command.location, command.quantity, stock.available)
    event = e.StockLocked(command.lock, command.sku, command.location, command.quantity, expires_at)
    return [(states.stock_stream(command.sku, command.location), event)]


def decide_release(states: States, policy: Policy, command: c.ReleaseStock, at: Instant) -> Decision:
    """Free locked units; a redemption's lock is freed by cancelling the redemption."""
    stock = states.stock(command.sku, command.location)
    lock = _lock_of(stock, command, at)
    if isinstance(lock, Refusal):
        return lock
    event = release_lock(stock, lock.id, command.sku, command.location, CancelReason.REQUESTED, lock.quantity)
    return [(states.stock_stream(command.sku, command.location), event)]


def decide_ship(states: States, policy: Policy, command: c.ShipStock, at: Instant) -> Decision:
    """Send locked units out."""
    stock = states.stock(command.sku, command.location)
    lock = _lock_of(stock, command, at)
    if isinstance(lock, Refusal):
        return lock
    if lock.expires_at <= at:
        return refuse(Reason.LOCK_EXPIRED, lock=lock.id, expired_at=lock.expires_at)
    if (refusal := check_there(stock, command.sku, command.location, lock.quantity)) is not None:
        return refusal
    event = ship(stock, lock.id, command.sku, command.location, lock.quantity)
    return [(states.stock_stream(command.sku, command.location), event)]


def _lock_of(stock: Stock, command: c.ReleaseStock | c.ShipStock, at: Instant) -> Lock | Refusal:
    """The lock that a command ends; a redemption's is the redemption's alone."""
    lock = stock.locks.get(command.lock)
    if lock is None or lock.redemption:
        return refuse(Reason.LOCK_NOT_FOUND, lock=command.lock)
    return check_begun(lock.locked_at, at) or lock


def check_there(stock: Stock, sku: str, location: str, quantity: int) -> Refusal | None:
    """A refusal where a count found fewer units than are to be shipped, although they are locked."""
    if stock.on_hand < quantity:
        return _refuse_units(Reason.OUT_OF_STOCK, sku, location, quantity, stock.on_hand)
    return None


def _refuse_units(reason: Reason, sku: str, location: str, wanted: int, available: int) -> Refusal:
    return refuse(reason, sku=sku, location=location, wanted=wanted, available=available, substitutes=[])


def ship(stock: Stock, lock_id: str, sku: str, location: str, quantity: int) -> e.StockShipped:
    """The shipping of so many of a lock's units, at their moving average cost."""
    lock = stock.locks[lock_id]
    cost = stock.cost_of(quantity)
    return e.StockShipped(lock.id, sku, location, quantity, cost, lock.redemption, lock.quantity - quantity)


def release_lock(
    stock: Stock, lock_id: str, sku: str, location: str, reason: CancelReason, quantity: int
) -> e.StockReleased:
    """The freeing of so many of a lock's units."""
    lock = stock.locks[lock_id]
    return e.StockReleased(lock.id, sku, location, quantity, reason, lock.quantity - quantity)


# -- counted, moved, offered no more


def decide_count(states: States, policy: Policy, command: c.CountStock, at: Instant) -> Decision:
    """Let the books follow a count, also below what is locked: what is not there must not be promised again."""
    if not 0 <= command.counted <= QUANTITY_MAX:
        raise InvalidCommand("counted", f"must be from 0 to {QUANTITY_MAX}, not {command.counted}")
    stock = states.stock(command.sku, command.location)
    if (refusal := check_begun(stock.moved_at, at)) is not None:
        return refusal
    difference = command.counted - stock.on_hand
    value = stock.cost_of(difference)
    if (refusal := _beyond_limit(stock, command.sku, difference, value)) is not None:
        return refusal
    event = e.StockCounted(
        command.sku,
        command.location,
        command.counted,
        stock.on_hand,
        difference,
        value,
        command.reason,
        command.document,
        max(stock.locked - command.counted, 0),
    )
    return [(states.stock_stream(command.sku, command.location), event)]


def decide_discontinue(states: States, policy: Policy, command: c.DiscontinueStock, at: Instant) -> Decision:
    """Offer a stock item, or a SKU wherever it lies, no more (I05)."""
    if command.location:
        discontinued = states.stock(command.sku, command.location).discontinued
    else:
        discontinued = states.sku(command.sku).discontinued
    if discontinued:
        return refuse(Reason.STOCK_DISCONTINUED, sku=command.sku, location=command.location)
    event = e.StockDiscontinued(command.sku, command.reason, command.location)
    return [(_discontinued_stream(states, command), event)]


def _discontinued_stream(states: States, command: c.DiscontinueStock) -> str:
    if command.location:
        return states.stock_stream(command.sku, command.location)
    return states.sku_stream(command.sku)


def decide_transfer(states: States, policy: Policy, command: c.TransferStock, at: Instant) -> Decision:
    """Move free units to another location; exactly what they cost goes with them."""
    check_positive("quantity", command.quantity)
    if command.sender == command.receiver:
        return refuse(Reason.SAME_LOCATION, sku=command.sku, location=command.sender)
    stock = states.stock(command.sku, command.sender)
    if stock.available < command.quantity:
        return _refuse_units(Reason.OUT_OF_STOCK, command.sku, command.sender, command.quantity, stock.available)
    cost = stock.cost_of(command.quantity)
    receiver = states.stock(command.sku, command.receiver)
    if (refusal := _beyond_limit(receiver, command.sku, command.quantity, cost)) is not None:
        return refusal
    sku, sender, to, quantity = command.sku, command.sender, command.receiver, command.quantity
    left = e.StockTransferredOut(sku, sender, quantity, cost, to, command.document)
    came = e.StockTransferredIn(sku, to, quantity, cost, sender, command.document)
    return [(states.stock_stream(sku, sender), left), (states.stock_stream(sku, to), came)]
