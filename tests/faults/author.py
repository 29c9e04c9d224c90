"""Writes what a channel sends: batches of commands of all kinds, for members and goods that nobody else touches.

It knows nothing of the answers: what it began it ends later, whatever became of it. Refusals are meant.
"""

import uuid
from random import Random

from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import types_pb2 as t
from tests.integration.service import UNIT, earn, header

COHORT_MEMBERS = 20
COHORT_COMMANDS = 600
"""After so many commands come other members: what one member has stays small, however long a test takes."""
OPEN_MAX = 5
"""Locks and redemptions that wait for their end."""
LOCATION = "central"
STOCK = 1_000_000_000


def points(value: int) -> t.Amount:
    """An amount of the programme's one unit."""
    return t.Amount(unit=UNIT, value=value)


class Author:
    """The commands of one client; the same seed and name give the same ones, but for ids and times."""

    def __init__(self, name: str, seed: int, sizes: tuple[int, ...]) -> None:
        """`sizes`: how many commands the batches have."""
        self._name = name
        self._random = Random(seed)
        self._sizes = sizes
        self._written = 0
        self._members: list[str] = []
        self._orders: list[str] = []
        self._redemptions: list[str] = []
        self._locks: list[str] = []

    def batch(self) -> c.ExecuteRequest:
        """The next batch."""
        commands: list[c.Command] = []
        if self._written == 0:
            commands += self._goods()
        cohort, rest = divmod(self._written, COHORT_COMMANDS)
        if rest == 0 or not self._members:
            self._members = [f"{self._name}-{cohort}-{number}" for number in range(COHORT_MEMBERS)]
            self._orders.clear()
            commands += [
                c.Command(enrol_member=c.EnrolMemberRequest(header=header(), member=member)) for member in self._members
            ]
        size = min(self._random.choice(self._sizes), COHORT_COMMANDS - rest)
        commands += [self._command() for _ in range(size)]
        self._written += size
        return c.ExecuteRequest(commands=commands)

    def _goods(self) -> list[c.Command]:
        """A reward, and more of it than anybody redeems."""
        reward = c.DefineRewardRequest(
            header=header(),
            reward=self._name,
            kind=t.REWARD_KIND_GOODS,
            price=t.Price(points=points(30)),
            sku=self._name,
            location=LOCATION,
        )
        stock = c.ReceiveStockRequest(header=header(), sku=self._name, location=LOCATION, quantity=STOCK)
        return [c.Command(define_reward=reward), c.Command(receive_stock=stock)]

    def _command(self) -> c.Command:
        ((kind, _),) = self._random.choices(_KINDS, [weight for _, weight in _KINDS])
        return kind(self)

    def _member(self) -> str:
        return self._random.choice(self._members)

    # -- one method for each kind of command

    def _earn(self) -> c.Command:
        return c.Command(earn=earn(self._member(), source=uuid.uuid4().hex, points=self._random.randrange(1, 100)))

    def _purchase(self) -> c.Command:
        """Paid in cash, or in part with points: then the order spends and earns in one commit."""
        order, price = uuid.uuid4().hex, self._random.randrange(100, 20_000)
        paid = self._random.choice((0, 0, self._random.randrange(1, 60)))
        tenders = [t.Tender(type=t.TENDER_TYPE_CASH, amount=price - paid)]
        if paid:
            tenders.append(t.Tender(type=t.TENDER_TYPE_POINTS, amount=paid, points=points(paid)))
        self._orders.append(order)
        lines = [t.Line(sku="groceries", quantity=2, list_price=price, net=price)]
        return c.Command(
            record_purchase=c.RecordPurchaseRequest(
                header=header(), member=self._member(), order=order, lines=lines, tenders=tenders
            )
        )

    def _refund(self) -> c.Command:
        """One unit of a purchase, or all that is left of it."""
        if not self._orders:
            return self._purchase()
        order = self._random.choice(self._orders[-20:])
        lines = [c.RefundLine(line=0, quantity=1)] if self._random.random() < 0.5 else []
        return c.Command(
            refund_purchase=c.RefundPurchaseRequest(
                header=header(), refund=uuid.uuid4().hex[:8], order=order, lines=lines, reason="returned"
            )
        )

    def _transfer(self) -> c.Command:
        sender, receiver = self._random.sample(self._members, 2)
        amount = points(self._random.randrange(1, 80))
        return c.Command(transfer=c.TransferRequest(header=header(), sender=sender, receiver=receiver, points=amount))

    def _group(self) -> c.Command:
        """A grant that is handed on: together or not at all."""
        giver, receiver = self._random.sample(self._members, 2)
        granted, handed_on = earn(giver, source=uuid.uuid4().hex), c.TransferRequest(sender=giver, receiver=receiver)
        granted.ClearField("header")
        handed_on.points.CopyFrom(points(self._random.randrange(90, 160)))
        commands = [c.Command(earn=granted), c.Command(transfer=handed_on)]
        return c.Command(group=c.Group(header=header(), commands=commands))

    def _redeem(self) -> c.Command:
        """Points held and a unit locked; or the end of an earlier redemption."""
        if len(self._redemptions) >= OPEN_MAX:
            redemption = self._redemptions.pop(0)
            if self._random.random() < 0.5:
                return c.Command(fulfil=c.FulfilRequest(header=header(), redemption=redemption))
            return c.Command(cancel=c.CancelRequest(header=header(), redemption=redemption))
        self._redemptions.append(uuid.uuid4().hex)
        return c.Command(
            redeem=c.RedeemRequest(
                header=header(), redemption=self._redemptions[-1], member=self._member(), reward=self._name
            )
        )

    def _lock(self) -> c.Command:
        """Units set aside; or the end of an earlier lock."""
        goods = {"sku": self._name, "location": LOCATION}
        if len(self._locks) >= OPEN_MAX:
            lock = self._locks.pop(0)
            if self._random.random() < 0.5:
                return c.Command(ship_stock=c.ShipStockRequest(header=header(), lock=lock, **goods))
            return c.Command(release_stock=c.ReleaseStockRequest(header=header(), lock=lock, **goods))
        self._locks.append(uuid.uuid4().hex)
        return c.Command(
            lock_stock=c.LockStockRequest(
                header=header(), lock=self._locks[-1], sku=self._name, location=LOCATION, quantity=2
            )
        )


_KINDS = (
    (Author._earn, 30),
    (Author._purchase, 20),
    (Author._refund, 8),
    (Author._transfer, 14),
    (Author._group, 6),
    (Author._redeem, 12),
    (Author._lock, 10),
)
"""Each with its weight."""
