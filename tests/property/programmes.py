"""The programmes of random histories, and how their settings change."""

from ledger.quantities import Amount, Rounding
from ledger.settings import Activity, ClockKind, EarningBase, FixedDate, Inactivity, LotAge, PointUnit, Settings

BY_HAND = Settings(
    zone="Asia/Shanghai",
    clock=ClockKind.MANUAL,
    units=(PointUnit("points"), PointUnit("stars", 2, Inactivity(1, (Activity.EARN, Activity.PURCHASE)))),
    currency="CNY",
    currency_digits=2,
    earning_unit="points",
    earning_rate="3/200",
    rounding=Rounding.HALF_UP,
    point_value="1",
    lot_months=1,
    pending_days=1,
    hold_seconds=8 * 86_400,
    backdating_seconds=30 * 86_400,
    transfer_caps=(Amount("points", 80),),
)
ON_THE_WALL = Settings(
    zone="America/Sao_Paulo",
    clock=ClockKind.WALL,
    units=(PointUnit("points"), PointUnit("stars", 0, FixedDate(2, 29, 1))),
    currency="BRL",
    currency_digits=2,
    earning_unit="points",
    earning_rate="1/50",
    rounding=Rounding.DOWN,
    point_value="3/7",
    earning_base=EarningBase.NET,
    hold_seconds=5 * 86_400,
    backdating_seconds=30 * 86_400,
    expiry=Inactivity(1, (Activity.PURCHASE, Activity.REDEEM, Activity.TRANSFER)),
)
CHANGES: tuple[dict[str, object], ...] = (
    {"earning_rate": "1/20"},
    {"hold_seconds": 86_400},
    {"lot_months": 0, "expiry": LotAge(2)},
    {"lot_months": 0, "expiry": Inactivity(1, (Activity.EARN, Activity.REDEEM))},
    {"lot_months": 0, "pending_days": 0, "expiry": FixedDate(6, 30)},
    {"transfer_caps": (Amount("points", 40), Amount("stars", 90))},
    {"refund_grace_days": 3},
    {"zone": "Europe/Berlin"},
    {},
)
"""How settings change now and then, back to where they began and, in vain, in ways that are not allowed."""
PROGRAMMES = {"zoo": BY_HAND, "bar": ON_THE_WALL}
