"""Stock: units in, set aside, freed, and out."""

from ledger import commands as c
from ledger import events as e
from ledger.calendar import Instant
from ledger.decisions.checks import QUANTITY_MAX, Decision, check_money, check_positive, deadline
from ledger.events import CancelReason
from ledger.policy import Policy
from ledger.quantities import VALUE_MAX
from ledger.refusals import Reason, refuse
from ledger.states.lookup import States
from ledger.states.stock import Lock, Stock


def decide_receive(states: States, policy: Policy, command: c.ReceiveStock, at: Instant) -> Decision:
    """Take units in."""
    check_positive("quantity", command.quantity)
    check_money("unit_cost", command.unit_cost)
    stock = states.stock(command.sku, command.location)
    if stock.on_hand + command.quantity > QUANTITY_MAX:
        return refuse(Reason.LIMIT_EXCEEDED, sku=command.sku, owned=stock.on_hand, limit=QUANTITY_MAX)
    if stock.value + command.quantity * command.unit_cost > VALUE_MAX:
        return refuse(Reason.LIMIT_EXCEEDED, sku=command.sku, owned=stock.value, limit=VALUE_MAX)
    event = e.StockReceived(command.sku, command.location, command.quantity, command.unit_cost)
    return [(states.stock_stream(command.sku, command.location), event)]


def decide_lock(states: States, policy: Policy, command: c.LockStock, at: Instant) -> Decision:
    """Set units aside."""
    check_positive("quantity", command.quantity)
    expires_at = deadline("expires_at", command.expires_at, policy, at)
    stock = states.stock(command.sku, command.location)
    if command.lock in stock.locks:
        return refuse(Reason.LOCK_EXISTS, lock=command.lock)
    if stock.available < command.quantity:
        return refuse(
            Reason.OUT_OF_STOCK,
            sku=command.sku,
            location=command.location,
            wanted=command.quantity,
            available=stock.available,
            substitutes=[],
        )
    event = e.StockLocked(command.lock, command.sku, command.location, command.quantity, expires_at)
    return [(states.stock_stream(command.sku, command.location), event)]


def decide_release(states: States, policy: Policy, command: c.ReleaseStock, at: Instant) -> Decision:
    """Free locked units; a redemption's lock is freed by cancelling the redemption."""
    lock = states.stock(command.sku, command.location).locks.get(command.lock)
    if lock is None or lock.redemption:
        return refuse(Reason.LOCK_NOT_FOUND, lock=command.lock)
    event = release_lock(lock, command.sku, command.location, CancelReason.REQUESTED)
    return [(states.stock_stream(command.sku, command.location), event)]


def decide_ship(states: States, policy: Policy, command: c.ShipStock, at: Instant) -> Decision:
    """Send locked units out."""
    stock = states.stock(command.sku, command.location)
    lock = stock.locks.get(command.lock)
    if lock is None or lock.redemption:
        return refuse(Reason.LOCK_NOT_FOUND, lock=command.lock)
    if lock.expires_at <= at:
        return refuse(Reason.LOCK_EXPIRED, lock=command.lock, expired_at=lock.expires_at)
    event = ship(states, stock, command.lock, command.sku, command.location)
    return [(states.stock_stream(command.sku, command.location), event)]


def ship(states: States, stock: Stock, lock_id: str, sku: str, location: str) -> e.StockShipped:
    """The shipping of a lock's units, at their moving average cost."""
    lock = stock.locks[lock_id]
    return e.StockShipped(lock.id, sku, location, lock.quantity, stock.cost_of(lock.quantity), lock.redemption)


def release_lock(lock: Lock, sku: str, location: str, reason: CancelReason) -> e.StockReleased:
    """The freeing of a lock's units."""
    return e.StockReleased(lock.id, sku, location, lock.quantity, reason)
