"""What the oracle knows of stock: units in, set aside, freed and out; counted, moved, offered no more."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ledger import events as e
from ledger.events import Fact
from ledger.ids import sku_stream, stock_stream
from ledger.records import Record
from tests.oracle.facts import Lock, Programme, Stock
from tests.oracle.loose import Loose, require


def stock_of(programme: Programme, record: Record, sku: str, location: str) -> Stock:
    require(record.stream == stock_stream(programme.name, sku, location), record, "another stock item")
    return programme.stocks.setdefault(f"{sku}@{location}", Stock())


def move(stock: Stock, record: Record, units: int, value: int) -> None:
    """Units came or went at a value; what a unit costs goes on when the last one has left."""
    stock.on_hand += units
    stock.value += value
    stock.moved_at = max(stock.moved_at, record.occurred_at)
    if stock.on_hand:
        stock.average = Fraction(stock.value, stock.on_hand)


def check_average(stock: Stock, record: Record, units: int, value: int) -> None:
    """Units are worth what they cost by moving average, within half a minor unit; the last ones all that is left."""
    exact = stock.average * units
    require(abs(value - exact) <= Fraction(1, 2), record, f"by moving average it is {exact}, not {value}")
    require(units != stock.on_hand or value == stock.value, record, f"a value {stock.value - value} stays behind")


def received(programme: Programme, record: Record, event: e.StockReceived, loose: Loose) -> None:
    stock = stock_of(programme, record, event.sku, event.location)
    require(event.quantity > 0, record, "nothing came in")
    stock.received += event.quantity
    move(stock, record, event.quantity, event.quantity * event.unit_cost)


def locked(programme: Programme, record: Record, event: e.StockLocked, loose: Loose) -> None:
    stock = stock_of(programme, record, event.sku, event.location)
    require(event.lock not in stock.locks, record, f"{event.lock} is locked already")
    require(programme.sells(event.sku, event.location), record, "a discontinued item is promised again")
    require(0 < event.quantity <= stock.free, record, f"{event.quantity} of {stock.free} free units are locked")
    require(event.expires_at > record.occurred_at, record, "a lock that ends before it begins")
    stock.locks[event.lock] = Lock(event.quantity, record.occurred_at, event.expires_at, event.redemption)
    if event.redemption:
        end = ("locked", event.redemption, event.sku, event.location, event.quantity, event.expires_at)
        loose.meet(record, *end)


def unlock(stock: Stock, record: Record, event: e.StockReleased | e.StockShipped) -> Lock:
    """Take units out of a lock; returns the lock. Only a redemption's ends in parts."""
    lock = stock.locks.get(event.lock)
    require(lock is not None, record, f"{event.lock} is not locked")
    assert lock is not None
    require(record.occurred_at >= lock.locked_at, record, f"{event.lock} ends before it begins")
    require(0 < event.quantity <= lock.quantity, record, f"{event.quantity} of {lock.quantity} locked units")
    lock.quantity -= event.quantity
    require(event.left == lock.quantity, record, f"{lock.quantity} units stay locked, not {event.left}")
    require(bool(lock.redemption) or event.left == 0, record, f"{event.lock} ends in part")
    if not lock.quantity:
        del stock.locks[event.lock]
    return lock


def freed(programme: Programme, record: Record, event: e.StockReleased, loose: Loose) -> None:
    stock = stock_of(programme, record, event.sku, event.location)
    lock = unlock(stock, record, event)
    if lock.redemption:
        loose.expect("put back", lock.redemption, event.quantity, event.reason)


def shipped(programme: Programme, record: Record, event: e.StockShipped, loose: Loose) -> None:
    stock = stock_of(programme, record, event.sku, event.location)
    lock = unlock(stock, record, event)
    require(lock.redemption == event.redemption, record, f"{event.lock} belongs to {lock.redemption!r}")
    require(record.occurred_at < lock.expires_at, record, f"{event.lock} had timed out")
    check_average(stock, record, event.quantity, event.cost)
    stock.shipped += event.quantity
    move(stock, record, -event.quantity, -event.cost)
    if event.redemption:
        loose.expect("sent out", event.redemption, event.quantity, event.cost)


def counted(programme: Programme, record: Record, event: e.StockCounted, loose: Loose) -> None:
    stock = stock_of(programme, record, event.sku, event.location)
    require(record.occurred_at >= stock.moved_at, record, "units moved since they were counted")
    expected = (stock.on_hand, event.counted - stock.on_hand)
    require((event.expected, event.difference) == expected, record, f"expected and difference are {expected}")
    check_average(stock, record, -event.difference, -event.value)
    stock.counted += event.difference
    move(stock, record, event.difference, event.value)
    require(event.shortage == stock.shortage, record, f"{stock.shortage} units are short, not {event.shortage}")


def sent(programme: Programme, record: Record, event: e.StockTransferredOut, loose: Loose) -> None:
    stock = stock_of(programme, record, event.sku, event.location)
    require(0 < event.quantity <= stock.free, record, f"{event.quantity} of {stock.free} free units leave")
    require(event.to != event.location, record, "a transfer to where it is")
    check_average(stock, record, event.quantity, event.cost)
    stock.transferred -= event.quantity
    move(stock, record, -event.quantity, -event.cost)
    loose.expect("moved", event.sku, event.location, event.to, event.quantity, event.cost, event.document)


def came(programme: Programme, record: Record, event: e.StockTransferredIn, loose: Loose) -> None:
    stock = stock_of(programme, record, event.sku, event.location)
    loose.meet(record, "moved", event.sku, event.sender, event.location, event.quantity, event.cost, event.document)
    stock.transferred += event.quantity
    move(stock, record, event.quantity, event.cost)


def discontinued(programme: Programme, record: Record, event: e.StockDiscontinued, loose: Loose) -> None:
    if event.location:
        stock_of(programme, record, event.sku, event.location)
    else:
        require(record.stream == sku_stream(programme.name, event.sku), record, "another SKU")
    item = (event.sku, event.location)
    require(item not in programme.discontinued, record, "discontinued twice")
    programme.discontinued.add(item)


FOLDS: dict[type[Fact], Callable[[Programme, Record, Any, Loose], None]] = {
    e.StockReceived: received,
    e.StockLocked: locked,
    e.StockReleased: freed,
    e.StockShipped: shipped,
    e.StockCounted: counted,
    e.StockTransferredOut: sent,
    e.StockTransferredIn: came,
    e.StockDiscontinued: discontinued,
}
