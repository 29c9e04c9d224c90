"""The commands as methods with keyword arguments; each returns the receipt or raises what `errors` lists.

Points and money are minor units. Every method also takes what `About` lists: command_id, occurred_at and so on.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Unpack

from adapters.grpc.client.header import About, moment, optional_moment
from adapters.grpc.client.stock_commands import StockCommands
from loyalty.v1 import commands_pb2 as pb
from loyalty.v1.answers_pb2 import Receipt
from loyalty.v1.commands_pb2 import Command, RefundLine
from loyalty.v1.types_pb2 import Amount, Line, Price, Settings, Source, Tender


class Commands(StockCommands):
    """What can be done."""

    async def open_programme(self, *, settings: Settings, **about: Unpack[About]) -> Receipt:
        """Begin a loyalty scheme."""
        request = pb.OpenProgrammeRequest(header=self.header.write(about), settings=settings)
        return await self.submit(Command(open_programme=request))

    async def change_programme(
        self, *, settings: Settings, valid_from: datetime | None = None, **about: Unpack[About]
    ) -> Receipt:
        """Put new settings in force, all of them, from a time on."""
        request = pb.ChangeProgrammeRequest(
            header=self.header.write(about), settings=settings, valid_from=optional_moment(valid_from)
        )
        return await self.submit(Command(change_programme=request))

    async def advance_clock(self, *, now: datetime, **about: Unpack[About]) -> Receipt:
        """Move a programme's manual clock."""
        request = pb.AdvanceClockRequest(header=self.header.write(about), now=moment(now))
        return await self.submit(Command(advance_clock=request))

    async def enrol_member(self, *, member: str, **about: Unpack[About]) -> Receipt:
        """Take a member into the programme."""
        request = pb.EnrolMemberRequest(header=self.header.write(about), member=member)
        return await self.submit(Command(enrol_member=request))

    async def freeze_member(self, *, member: str, reason: str, case: str = "", **about: Unpack[About]) -> Receipt:
        """Stop a member from spending; what is earned is quarantined."""
        request = pb.FreezeMemberRequest(header=self.header.write(about), member=member, reason=reason, case=case)
        return await self.submit(Command(freeze_member=request))

    async def unfreeze_member(
        self,
        *,
        member: str,
        reason: str,
        case: str = "",
        extend_until: datetime | None = None,
        **about: Unpack[About],
    ) -> Receipt:
        """Let a member spend again; points that would expire before `extend_until`, and have not, do so then."""
        request = pb.UnfreezeMemberRequest(
            header=self.header.write(about),
            member=member,
            reason=reason,
            case=case,
            extend_until=optional_moment(extend_until),
        )
        return await self.submit(Command(unfreeze_member=request))

    async def close_member(self, *, member: str, reason: str, case: str = "", **about: Unpack[About]) -> Receipt:
        """End a membership for ever; the points that are left expire."""
        request = pb.CloseMemberRequest(header=self.header.write(about), member=member, reason=reason, case=case)
        return await self.submit(Command(close_member=request))

    async def earn(
        self,
        *,
        member: str,
        points: int,
        unit: str,
        source: Source,
        funding: str = "PROMO",
        available_at: datetime | None = None,
        expires_at: datetime | None = None,
        rule: str = "",
        campaign: str = "",
        partner: str = "",
        unit_cost: str = "",
        awaits_activation: bool = False,
        **about: Unpack[About],
    ) -> Receipt:
        """Grant points; `funding` is SALE, PROMO or PARTNER_SOLD."""
        request = pb.EarnRequest(
            header=self.header.write(about),
            member=member,
            points=Amount(unit=unit, value=points),
            source=source,
            funding=f"FUNDING_{funding}",
            available_at=optional_moment(available_at),
            expires_at=optional_moment(expires_at),
            rule=rule,
            campaign=campaign,
            partner=partner,
            unit_cost=unit_cost,
            awaits_activation=awaits_activation,
        )
        return await self.submit(Command(earn=request))

    async def record_purchase(
        self,
        *,
        member: str,
        order: str,
        lines: Sequence[Line],
        store: str = "",
        tenders: Sequence[Tender] = (),
        available_at: datetime | None = None,
        awaits_activation: bool = False,
        **about: Unpack[About],
    ) -> Receipt:
        """Record a purchase: earn on what was paid, spend the points that paid for some of it."""
        request = pb.RecordPurchaseRequest(
            header=self.header.write(about),
            member=member,
            order=order,
            lines=lines,
            store=store,
            tenders=tenders,
            available_at=optional_moment(available_at),
            awaits_activation=awaits_activation,
        )
        return await self.submit(Command(record_purchase=request))

    async def activate(
        self, *, member: str, source: Source | None = None, lots: Sequence[str] = (), **about: Unpack[About]
    ) -> Receipt:
        """Let points be spent that were granted to wait for it: those of a source, or lots by their ids."""
        request = pb.ActivateRequest(header=self.header.write(about), member=member, source=source, lots=lots)
        return await self.submit(Command(activate=request))

    async def extend_expiry(
        self,
        *,
        member: str,
        expires_at: datetime,
        reason: str,
        lots: Sequence[str] = (),
        until: datetime | None = None,
        unit: str = "",
        **about: Unpack[About],
    ) -> Receipt:
        """Let lots live longer: by their ids, or all that would expire by `until`."""
        request = pb.ExtendExpiryRequest(
            header=self.header.write(about),
            member=member,
            expires_at=moment(expires_at),
            reason=reason,
            lots=lots,
            until=optional_moment(until),
            unit=unit,
        )
        return await self.submit(Command(extend_expiry=request))

    async def refund_purchase(
        self,
        *,
        refund: str,
        order: str,
        order_channel: str = "",
        lines: Sequence[RefundLine] = (),
        reason: str = "",
        **about: Unpack[About],
    ) -> Receipt:
        """Take lines of a purchase back, by default all that is left; `refunded` of the receipt says what to pay."""
        request = pb.RefundPurchaseRequest(
            header=self.header.write(about),
            refund=refund,
            order=order,
            order_channel=order_channel,
            lines=lines,
            reason=reason,
        )
        return await self.submit(Command(refund_purchase=request))

    async def adjust(
        self,
        *,
        member: str,
        points: int,
        unit: str,
        reason: str,
        approver: str,
        lot: str = "",
        expires_at: datetime | None = None,
        **about: Unpack[About],
    ) -> Receipt:
        """Give points, or take them with a minus sign, by a decision of people."""
        request = pb.AdjustRequest(
            header=self.header.write(about),
            member=member,
            points=Amount(unit=unit, value=points),
            reason=reason,
            approver=approver,
            lot=lot,
            expires_at=optional_moment(expires_at),
        )
        return await self.submit(Command(adjust=request))

    async def reverse(self, *, target: str, reason: str, points: int | None = None, **about: Unpack[About]) -> Receipt:
        """Move back what the command with the id `target` moved, by default all that is left of it."""
        request = pb.ReverseRequest(header=self.header.write(about), target=target, reason=reason, points=points)
        return await self.submit(Command(reverse=request))

    async def define_reward(
        self,
        *,
        reward: str,
        kind: str,
        price: Price,
        status: str = "ACTIVE",
        valid_from: datetime | None = None,
        sku: str = "",
        location: str = "",
        list_price: int = 0,
        tax_code: str = "",
        substitutes: Sequence[str] = (),
        **about: Unpack[About],
    ) -> Receipt:
        """Define a reward; `kind` is GOODS, SERVICE, COUPON, PRIVILEGE or PARTNER, `status` as in the contract."""
        request = pb.DefineRewardRequest(
            header=self.header.write(about),
            reward=reward,
            kind=f"REWARD_KIND_{kind}",
            price=price,
            status=f"REWARD_STATUS_{status}",
            valid_from=optional_moment(valid_from),
            sku=sku,
            location=location,
            list_price=list_price,
            tax_code=tax_code,
            substitutes=substitutes,
        )
        return await self.submit(Command(define_reward=request))

    async def redeem(
        self,
        *,
        redemption: str,
        member: str,
        reward: str,
        quantity: int = 1,
        location: str = "",
        expected_price: Price | None = None,
        tenders: Sequence[Tender] = (),
        order: str = "",
        campaign: str = "",
        destination: str = "",
        **about: Unpack[About],
    ) -> Receipt:
        """Hold points and lock stock for a reward, in one commit."""
        request = pb.RedeemRequest(
            header=self.header.write(about),
            redemption=redemption,
            member=member,
            reward=reward,
            quantity=quantity,
            location=location,
            expected_price=expected_price,
            tenders=tenders,
            order=order,
            campaign=campaign,
            destination=destination,
        )
        return await self.submit(Command(redeem=request))

    async def fulfil(self, *, redemption: str, quantity: int | None = None, **about: Unpack[About]) -> Receipt:
        """Capture a redemption's points and ship its stock: of so many units, or of all that are open."""
        request = pb.FulfilRequest(header=self.header.write(about), redemption=redemption, quantity=quantity)
        return await self.submit(Command(fulfil=request))

    async def cancel(self, *, redemption: str, quantity: int | None = None, **about: Unpack[About]) -> Receipt:
        """Give a redemption's points and stock back: of so many units, or of all that are open."""
        request = pb.CancelRequest(header=self.header.write(about), redemption=redemption, quantity=quantity)
        return await self.submit(Command(cancel=request))

    async def hold(
        self,
        *,
        hold: str,
        member: str,
        points: int,
        unit: str,
        expires_at: datetime | None = None,
        **about: Unpack[About],
    ) -> Receipt:
        """Set points aside."""
        request = pb.HoldRequest(
            header=self.header.write(about),
            hold=hold,
            member=member,
            points=Amount(unit=unit, value=points),
            expires_at=optional_moment(expires_at),
        )
        return await self.submit(Command(hold=request))

    async def capture_hold(
        self,
        *,
        hold: str,
        member: str,
        points: int | None = None,
        kind: str = "UNSPECIFIED",
        order: str = "",
        amount: int = 0,
        campaign: str = "",
        **about: Unpack[About],
    ) -> Receipt:
        """Spend held points, by default all of them; `kind` as in the contract, by default a part of a bill."""
        request = pb.CaptureHoldRequest(
            header=self.header.write(about),
            hold=hold,
            member=member,
            points=points,
            kind=f"REWARD_KIND_{kind}",
            order=order,
            amount=amount,
            campaign=campaign,
        )
        return await self.submit(Command(capture_hold=request))

    async def release_hold(self, *, hold: str, member: str, **about: Unpack[About]) -> Receipt:
        """Give held points back to their lots."""
        request = pb.ReleaseHoldRequest(header=self.header.write(about), hold=hold, member=member)
        return await self.submit(Command(release_hold=request))

    async def transfer(self, *, sender: str, receiver: str, points: int, unit: str, **about: Unpack[About]) -> Receipt:
        """Move points from one member to another."""
        request = pb.TransferRequest(
            header=self.header.write(about), sender=sender, receiver=receiver, points=Amount(unit=unit, value=points)
        )
        return await self.submit(Command(transfer=request))

    async def expire_due(
        self, *, cut_off: datetime, member: str = "", sku: str = "", location: str = "", **about: Unpack[About]
    ) -> Receipt:
        """Post what is due for one member, or for one stock item."""
        request = pb.ExpireDueRequest(
            header=self.header.write(about), cut_off=moment(cut_off), member=member, sku=sku, location=location
        )
        return await self.submit(Command(expire_due=request))
