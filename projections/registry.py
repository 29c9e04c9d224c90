"""All views that there are. A new one is a folder in `views` and a line here."""

from projections.projection import Projection
from projections.views.balance.fold import BALANCE
from projections.views.due.fold import DUE
from projections.views.holds.fold import HOLDS
from projections.views.inventory.fold import INVENTORY
from projections.views.postings.fold import POSTINGS
from projections.views.programmes.fold import PROGRAMMES
from projections.views.purchases.fold import PURCHASES
from projections.views.redemptions.fold import REDEMPTIONS
from projections.views.statement.fold import STATEMENT
from projections.views.totals.fold import TOTALS

PROJECTIONS: tuple[Projection, ...] = (
    BALANCE,
    STATEMENT,
    REDEMPTIONS,
    INVENTORY,
    DUE,
    PROGRAMMES,
    POSTINGS,
    HOLDS,
    PURCHASES,
    TOTALS,
)
