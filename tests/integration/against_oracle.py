"""What the views say, held against what the oracle folded from the same log."""

from collections.abc import Iterable

from adapters.postgres.views import PostgresQueries
from ledger.calendar import DAY, Instant
from projections.queries import StockRow
from tests.oracle.facts import Member, Programme
from tests.oracle.model import Oracle


async def check_balances(
    queries: PostgresQueries, oracle: Oracle, programme: Programme, member: Member, days: tuple[int, ...] = (0,)
) -> None:
    """At the last event of the member, or so many days later, when lots have opened and expired."""
    begin = settled(oracle, programme, member)
    for at in [begin + later * DAY for later in days]:
        answer = await queries.balance(programme.name, member.id, as_of=at)
        assert {b.unit: (b.open, b.pending, b.held, b.quarantined, b.debt) for b in answer.balances} == {
            name: (
                member.open(name, at),
                member.pending(name, at),
                member.held(name),
                member.quarantined(name, at),
                debt_of(member, name),
            )
            for name in (unit.name for unit in programme.settings.units)
        }
        assert answer.status == ("CLOSED" if member.closed else "FROZEN" if member.frozen else "ACTIVE")


def settled(oracle: Oracle, programme: Programme, member: Member) -> Instant:
    """The present, or the member's last event, if tills were ahead of the clock."""
    return max([oracle.present(programme.name), *(account.settled_at for account in member.accounts.values())])


def debt_of(member: Member, unit: str) -> int:
    return member.accounts[unit].debt if unit in member.accounts else 0


async def check_redemptions(queries: PostgresQueries, programme: Programme, names: Iterable[str]) -> None:
    """Each of these redemptions."""
    for name in names:
        redemption = programme.redemptions[name]
        row = await queries.redemption(programme.name, name)
        assert (row.state, bool(row.outbound)) == (redemption.stage, bool(redemption.placed.sku))
        assert (row.fulfilled, row.cash_returned) == (redemption.fulfilled, redemption.returned)
        assert row.quantity - row.fulfilled - row.cancelled == redemption.open
        assert (row.member, row.points) == (
            redemption.placed.member,
            redemption.placed.price.points.value * redemption.placed.quantity,
        )
        assert (row.closed_at is None) == (redemption.open > 0)


async def check_stock(queries: PostgresQueries, programme: Programme) -> None:
    """Every stock item."""
    rows, token = list[StockRow](), ""
    while True:
        page = await queries.inventory(programme.name, page_token=token)
        rows += page.rows
        token = page.next_page_token
        if not token:
            break
    told = {f"{item.sku}@{item.location}" for item in rows}
    moved = {name for name, stock in programme.stocks.items() if stock.received or stock.counted or stock.transferred}
    assert moved <= told <= set(programme.stocks)
    for item in rows:
        stock = programme.stocks[f"{item.sku}@{item.location}"]
        assert (item.available, item.locked, item.shipped) == (stock.free, stock.locked, stock.shipped)
        assert (item.received, item.on_hand, item.value) == (stock.received, stock.on_hand, stock.value)
        assert (item.counted, item.transferred, item.shortage) == (stock.counted, stock.transferred, stock.shortage)
        assert item.discontinued == (not programme.sells(item.sku, item.location))
        assert await queries.stock_item(programme.name, item.sku, item.location) == item
