"""Random histories: each step is a number, from which one request follows, so that a failing history can be shortened.

Names come from small sets and amounts are small, so that commands meet each other: sources are used again, holds are
captured, released and time out, stock runs out, ids come twice. Many commands are refused; that is meant.
"""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from random import Random
from typing import NamedTuple

import msgspec

from ledger import commands as c
from ledger import events as e
from ledger.calendar import DAY, HOUR, MINUTE, NEVER, Instant
from ledger.commands import Command, Request
from ledger.quantities import Amount
from ledger.settings import ClockKind
from tests.property.programmes import CHANGES, PROGRAMMES

START: Instant = 1_767_240_000_000_000
"""Noon of 2026-01-01 in Shanghai."""

MEMBERS = ("anna", "bo", "cai")
POOR = "dan"
REWARDS = ("mug", "cup", "spa", "bag")
"""A bag comes from where the allocation policy says, mug and cup from the shop, unless the caller says otherwise."""
GOODS = ("mug", "cup", "bag", "hat")
PLACES = ("shop", "depot")


class Step(NamedTuple):
    """A request, and what the clock on the wall shows when it is sent."""

    wall: Instant
    request: Request


class Author:
    """Writes a history step by step; knows nothing of what becomes of it."""

    def __init__(self, programmes: Sequence[str] = ("zoo",)) -> None:
        self.programmes = programmes
        self.wall = START
        self.clocks = dict.fromkeys(programmes, START)
        self.steps: list[Step] = []
        self.orders: dict[str, list[str]] = {programme: [] for programme in programmes}
        self.redemptions: dict[str, list[str]] = {programme: ["r"] for programme in programmes}
        self.reversible: dict[str, list[int]] = {programme: [] for programme in programmes}
        self.programme = programmes[0]
        """What was bought and redeemed, and the numbers of requests that may be reversed, whatever became of them."""
        self.waiting = {programme: [("anna", e.Source("visit", "0"))] for programme in programmes}
        """Whose points were to wait for Activate lately, and what for."""
        for programme in programmes:
            opening: list[Command] = [c.OpenProgramme(PROGRAMMES[programme])]
            opening += [c.EnrolMember(member) for member in (*MEMBERS, POOR)]
            opening += [self.reward(Random(number), name) for number, name in enumerate(REWARDS)]
            opening += [c.ReceiveStock(sku, "shop", 4, 333) for sku in ("mug", "cup", "bag")]
            opening += [c.ReceiveStock("bag", "depot", 3, 250), self.publish(Random(0), START)]
            for command in opening:
                self.send(programme, (command,), START)

    def send(self, programme: str, commands: tuple[Command, ...], at: Instant, *, validate_only: bool = False) -> None:
        number = len(self.steps).to_bytes(16, "big")
        request = Request(number, programme, at, commands, "till-1", "shop", validate_only=validate_only)
        self.steps.append(Step(self.wall, request))
        for command in commands:
            if isinstance(command, c.RecordPurchase):
                self.orders[programme].append(command.order)
            elif isinstance(command, c.Earn | c.Adjust | c.Transfer | c.Reverse) and len(commands) == 1:
                self.reversible[programme].append(len(self.steps) - 1)

    def write(self, number: int) -> None:
        """Add the step that follows from a number."""
        random = Random(number)
        self.programme = programme = random.choice(self.programmes)
        draw = random.random()
        if draw < 0.04:
            self.again(random)
        elif draw < 0.14:
            self.pass_time(random, programme)
        elif draw < 0.17:
            self.overspend(random, programme)
        elif draw < 0.19:
            self.spend_held(random, programme)
        else:
            size = random.randrange(2, 5) if draw < 0.26 else 1
            now = self.clocks[programme]
            at = now + random.choice((0, 0, 0, 0, 0, -HOUR, -DAY, -3 * DAY, 4 * MINUTE, -40 * DAY, 6 * MINUTE))
            commands = tuple(self.command(random, at) for _ in range(size))
            self.send(programme, commands, at, validate_only=draw > 0.97)

    def again(self, random: Random) -> None:
        """An id that came before: with the same request, or with another one."""
        request = random.choice(self.steps).request
        if random.random() < 0.3:
            request = msgspec.structs.replace(request, occurred_at=request.occurred_at + 1)
        self.steps.append(Step(self.wall, request))

    def pass_time(self, random: Random, programme: str) -> None:
        passed = random.choice((HOUR, 7 * HOUR, DAY, 2 * DAY, 9 * DAY))
        if PROGRAMMES[programme].clock is ClockKind.MANUAL:
            self.clocks[programme] += passed
            self.send(programme, (c.AdvanceClock(self.clocks[programme]),), self.clocks[programme])
        else:
            self.wall += passed
            self.clocks[programme] = self.wall

    def overspend(self, random: Random, programme: str) -> None:
        """The poorest member is granted points, gives them away, and the grant is reversed."""
        at = self.clocks[programme]
        points = Amount("points", random.randrange(10, 60))
        self.send(programme, (c.Earn(POOR, points, e.Source("visit", str(random.random())), available_at=at),), at)
        grant = (len(self.steps) - 1).to_bytes(16, "big")
        self.send(programme, (c.Transfer(POOR, random.choice(MEMBERS), points),), at)
        self.send(programme, (c.Reverse(grant, "mistake"),), at)

    def spend_held(self, random: Random, programme: str) -> None:
        """Points are held, and some of them or all are captured while the hold is young."""
        at, member = self.clocks[programme], random.choice(MEMBERS)
        points = random.randrange(2, 30)
        self.send(programme, (c.Hold("young", member, Amount("points", points)),), at)
        self.send(programme, (c.CaptureHold("young", member, random.choice((None, points // 2))),), at + MINUTE)

    def command(self, random: Random, at: Instant) -> Command:
        (kind,) = random.choices(tuple(_KINDS), tuple(_KINDS.values()))
        return kind(self, random, at)

    def name(self, random: Random, kind: str, most: int) -> str:
        """A name of those that are in use for a while, so that later commands mean things that earlier ones made."""
        return f"{kind}{len(self.steps) // 60}.{random.randrange(most)}"

    # -- one method for each command

    def member(self, random: Random) -> str:
        return random.choice(MEMBERS) if random.random() < 0.88 else random.choice((POOR, self.guest(random)))

    def guest(self, random: Random) -> str:
        """Somebody who may join, and leave for ever."""
        return f"guest{len(self.steps) // 500}" if random.random() < 0.9 else "nemo"

    def amount(self, random: Random, most: int = 60) -> Amount:
        return Amount(random.choice(("points", "points", "points", "stars")), random.randrange(1, most))

    def earn(self, random: Random, at: Instant) -> Command:
        source = e.Source("visit", str(random.randrange(10**6) if random.random() < 0.9 else random.randrange(9)))
        opens = random.choice((None, None, None, at, at + 2 * DAY))
        begin = at if opens is None else opens
        ends = random.choice((None, NEVER, begin + 2 * DAY, begin + 5 * DAY, begin + DAY + 1))
        cost = random.choice((None, None, "1/100", "0.02"))
        waits = random.random() < 0.2
        member = self.member(random)
        if waits:
            self.waiting[self.programme].append((member, source))
        return c.Earn(
            member,
            self.amount(random, 90),
            source,
            available_at=opens,
            expires_at=ends,
            unit_cost=cost,
            awaits_activation=waits,
        )

    def activate(self, random: Random, at: Instant) -> Command:
        member, source = random.choice(self.waiting[self.programme][-4:])
        if random.random() < 0.8:
            return c.Activate(member, source)
        return c.Activate(member, lots=self.lots(random, member, 1))

    def lots(self, random: Random, member: str, most: int) -> tuple[str, ...]:
        """Some of the lots that a member may have made lately."""
        made = max(len(self.steps) // 9, 1)
        named = {f"{member}:{max(made - random.randrange(60), 1)}" for _ in range(random.randrange(most) + 1)}
        return tuple(sorted(named))

    def extend(self, random: Random, at: Instant) -> Command:
        member, ends = self.member(random), at + random.choice((5, 40, 90)) * DAY
        if random.random() < 0.5:
            return c.ExtendExpiry(member, ends, "goodwill", self.lots(random, member, 4))
        unit = random.choice(("", "points", "stars"))
        return c.ExtendExpiry(member, ends, "goodwill", until=ends - random.choice((1, DAY, 9 * DAY)), unit=unit)

    def freeze(self, random: Random, at: Instant) -> Command:
        return c.FreezeMember(self.member(random), "anomaly", "c1")

    def unfreeze(self, random: Random, at: Instant) -> Command:
        until = random.choice((None, at + 3 * DAY))
        return c.UnfreezeMember(self.member(random), "cleared", "c1", until)

    def close(self, random: Random, at: Instant) -> Command:
        return c.CloseMember(self.guest(random), "moved")

    def change(self, random: Random, at: Instant) -> Command:
        settings = msgspec.structs.replace(PROGRAMMES[self.programme], **random.choice(CHANGES))
        return c.ChangeProgramme(settings, random.choice((None, None, at + 2 * DAY)))

    def buy(self, random: Random, at: Instant) -> Command:
        lines = []
        for sku in random.choices(("tea", "bag", "hat"), k=random.randrange(1, 4)):
            net = random.choice((0, 99, 333, random.randrange(5_000)))
            gross = random.choice((None, net + net // 10))
            lines.append(e.Line(sku, random.randrange(3), net, net, gross))
        due = sum(line.due for line in lines)
        order = self.name(random, "o", 20)
        opens = random.choice((None, None, None, at + 2 * DAY))
        waits = random.random() < 0.3
        member = self.member(random)
        if waits:
            self.waiting[self.programme].append((member, e.Source("order", f"shop/{order}")))
        return c.RecordPurchase(
            member,
            order,
            tuple(lines),
            tenders=self.tenders(random, due),
            available_at=opens,
            awaits_activation=waits,
        )

    def tenders(self, random: Random, due: int) -> tuple[e.Tender, ...]:
        """Points are worth one minor unit of money here; elsewhere the bill is bad input, which is fine too."""
        way = random.randrange(5)
        paid: list[e.Tender] = []
        if way == 1:
            paid = [e.Tender(e.TenderType.COUPON, due // 3)]
        elif way == 2:
            points = min(due, random.randrange(1, 40))
            paid = [e.Tender(e.TenderType.POINTS, points, Amount("points", points))] if points else []
        elif way == 3:
            number = random.randrange(1, 5)
            held = Amount("points", 10 * number)
            paid = [e.Tender(e.TenderType.POINTS, held.value, held, f"h{number}")]
        rest = due - sum(tender.amount for tender in paid)
        return (*paid, e.Tender(random.choice((e.TenderType.CASH, e.TenderType.ON_ACCOUNT)), rest)) if way else ()

    def return_(self, random: Random, at: Instant) -> Command:
        lines = tuple(c.RefundLine(line, random.choice((None, 1))) for line in range(3) if random.random() < 0.5)
        bought = self.orders[self.programme]
        order = random.choice(bought[-12:]) if bought else self.name(random, "o", 20)
        return c.RefundPurchase(f"f{random.randrange(4)}", order, lines=lines)

    def adjust(self, random: Random, at: Instant) -> Command:
        points = self.amount(random, 40)
        if random.random() < 0.5:
            return c.Adjust(self.member(random), points, "goodwill", "manager")
        lot = random.choice(("", "", f"{random.choice(MEMBERS)}:{random.randrange(1, 30)}"))
        return c.Adjust(self.member(random), Amount(points.unit, -points.value), "error", "manager", lot)

    def reverse(self, random: Random, at: Instant) -> Command:
        """One of the last that may be reversed, or any, or one that is yet to come."""
        number = random.randrange(len(self.steps) + 2)
        reversible = self.reversible[self.programme]
        if reversible and random.random() < 0.8:
            number = random.choice(reversible[-random.choice((3, 12)) :])
        return c.Reverse(
            number.to_bytes(16, "big"), "mistake", random.choice((None, None, random.randrange(1, 20), 500))
        )

    def give(self, random: Random, at: Instant) -> Command:
        return c.Transfer(self.member(random), self.member(random), self.amount(random))

    def hold(self, random: Random, at: Instant) -> Command:
        number, member = self.held(random)
        until = random.choice((None, None, at + HOUR))
        return c.Hold(f"h{number}", member, Amount("points", 10 * number), until)

    def held(self, random: Random) -> tuple[int, str]:
        """A hold and whose it is, mostly always the same member's."""
        number = random.randrange(1, 5)
        return number, MEMBERS[number % 3] if random.random() < 0.8 else self.member(random)

    def capture(self, random: Random, at: Instant) -> Command:
        number, member = self.held(random)
        return c.CaptureHold(f"h{number}", member, random.choice((None, 5, 10, 15)))

    def release(self, random: Random, at: Instant) -> Command:
        number, member = self.held(random)
        return c.ReleaseHold(f"h{number}", member)

    def reward(self, random: Random, name: str) -> Command:
        price = e.Price(Amount("points", random.choice((7, 10, 25))), 500 if name == "cup" else 0)
        kind = e.RewardKind.SERVICE if name == "spa" else e.RewardKind.GOODS
        sku = "" if name == "spa" else name
        place = "shop" if name in {"mug", "cup"} else ""
        return c.DefineReward(name, kind, price, sku=sku, location=place, list_price=4_000, substitutes=("tea",))

    def define(self, random: Random, at: Instant) -> Command:
        return self.reward(random, random.choice(REWARDS))

    def redeem(self, random: Random, at: Instant) -> Command:
        reward = random.choice(REWARDS)
        quantity = random.choice((1, 1, 2, 3))
        coupon = e.Tender(e.TenderType.COUPON, random.choice((0, 1, 199)))
        cash = (coupon, e.Tender(e.TenderType.CASH, 500 * quantity - coupon.amount)) if reward == "cup" else ()
        place = random.choice(("", "", "", *PLACES))
        destination = random.choice(("", "north", "south"))
        redemption = self.name(random, "r", 20)
        self.redemptions[self.programme].append(redemption)
        return c.Redeem(redemption, self.member(random), reward, quantity, place, tenders=cash, destination=destination)

    def end(self, random: Random, at: Instant) -> Command:
        quantity = random.choice((None, None, 1, 1, 2))
        redemption = random.choice(self.redemptions[self.programme][-4:])
        return random.choice((c.Fulfil, c.Fulfil, c.Cancel))(redemption, quantity)

    def publish(self, random: Random, at: Instant) -> Command:
        table = (("north", "shop", 4), ("north", "depot", random.choice((2, 4))), ("south", "depot", 7))
        return c.PublishAllocationPolicy(PLACES, tuple(e.Distance(*row) for row in table))

    def sweep(self, random: Random, at: Instant) -> Command:
        cut_off = at - random.choice((0, 0, 0, DAY))
        if random.random() < 0.8:
            return c.ExpireDue(cut_off, random.choice(MEMBERS))
        return c.ExpireDue(cut_off, "", *self.item(random))

    def item(self, random: Random) -> tuple[str, str]:
        """A SKU and a location, mostly the busiest."""
        return random.choice(("mug", "cup", "mug", "cup", *GOODS)), random.choice(("shop", *PLACES))

    def receive(self, random: Random, at: Instant) -> Command:
        return c.ReceiveStock(*self.item(random), random.randrange(1, 5), random.randrange(1_000))

    def lock(self, random: Random, at: Instant) -> Command:
        until = random.choice((None, at + HOUR))
        return c.LockStock(f"k{random.randrange(6)}", *self.item(random), random.randrange(1, 4), until)

    def unlock(self, random: Random, at: Instant) -> Command:
        kind = random.choice((c.ShipStock, c.ReleaseStock))
        return kind(f"k{random.randrange(6)}", *self.item(random))

    def count(self, random: Random, at: Instant) -> Command:
        return c.CountStock(*self.item(random), random.choice((0, 3, 5, 7, 9)), "yearly count")

    def move(self, random: Random, at: Instant) -> Command:
        sku, sender = self.item(random)
        return c.TransferStock(sku, sender, random.choice(PLACES), random.randrange(1, 4))

    def discontinue(self, random: Random, at: Instant) -> Command:
        """What there is no way back from: enough else is left for a long history."""
        sku, place = random.choice((("hat", ""), ("bag", "depot"), ("cup", "depot")))
        return c.DiscontinueStock(sku, "maker stopped", place)

    def enrol(self, random: Random, at: Instant) -> Command:
        return c.EnrolMember(random.choice((*MEMBERS, self.guest(random), self.guest(random))))


_KINDS: dict[Callable[[Author, Random, Instant], Command], float] = {
    Author.earn: 24,
    Author.buy: 16,
    Author.return_: 12,
    Author.adjust: 4,
    Author.reverse: 12,
    Author.give: 12,
    Author.hold: 8,
    Author.capture: 6,
    Author.release: 6,
    Author.redeem: 14,
    Author.end: 14,
    Author.sweep: 8,
    Author.receive: 3,
    Author.lock: 5,
    Author.unlock: 6,
    Author.count: 2,
    Author.move: 2,
    Author.discontinue: 0.2,
    Author.publish: 0.5,
    Author.define: 1,
    Author.enrol: 3,
    Author.activate: 8,
    Author.extend: 4,
    Author.freeze: 0.7,
    Author.unfreeze: 6,
    Author.close: 2,
    Author.change: 1,
}


def history(numbers: Sequence[int], programmes: Sequence[str] = ("zoo",)) -> list[Step]:
    """The history that follows from these numbers."""
    author = Author(programmes)
    for number in numbers:
        author.write(number)
    return author.steps


def long_history(seed: int, length: int, programmes: Sequence[str] = ("zoo",)) -> list[Step]:
    """A history of this length."""
    random = Random(seed)
    return history([random.getrandbits(40) for _ in range(length)], programmes)


def difference(found: Sequence[object], expected: Sequence[object]) -> object:
    """The first place where two sequences differ, and what stands there; None where they are the same."""
    for place, pair in enumerate(zip_longest(found, expected)):
        if pair[0] != pair[1]:
            return place, *pair
    return None
