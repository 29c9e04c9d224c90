"""Requests of the contract to the ledger's commands.

Written for speed, since every command passes here: fields are read once, messages are bound to locals, structs are
made by position. A decoder per command takes the request without its header; the header is the same for all.
"""

from collections.abc import Callable, Sequence
from typing import Any

from adapters.grpc.enums import FUNDING, REDEEM_KIND, REWARD_KIND, REWARD_STATUS
from adapters.grpc.fields import (
    CORRELATION_LENGTH_MAX,
    amount,
    at_most,
    choice,
    command_id,
    fraction,
    ident,
    instant,
    known_name,
    label,
    lot,
    lots,
    name,
    number,
    optional_ident,
    optional_instant,
    optional_label,
    optional_number,
    required_instant,
    source_id,
    trace,
)
from adapters.grpc.stock_from_proto import STOCK_DECODERS
from adapters.grpc.values_from_proto import LINES_MAX, lines, price, settings, tenders
from ledger import commands as c
from ledger.commands import Command, Request
from ledger.errors import InvalidCommand
from ledger.events import EARN, Source
from loyalty.v1 import commands_pb2 as pb
from loyalty.v1 import types_pb2

COMMANDS_MAX = 8_192
"""The commands of one batch, those in groups counted; 8,192 of them with a hundred bytes each are far below 16 MiB."""
SUBSTITUTES_MAX = 16


def _open_programme(body: pb.OpenProgrammeRequest) -> Command:
    return c.OpenProgramme(settings(body.settings, "settings"))


def _change_programme(body: pb.ChangeProgrammeRequest) -> Command:
    return c.ChangeProgramme(settings(body.settings, "settings"), optional_instant(body, "valid_from"))


def _advance_clock(body: pb.AdvanceClockRequest) -> Command:
    return c.AdvanceClock(required_instant(body, "now"))


def _enrol_member(body: pb.EnrolMemberRequest) -> Command:
    return c.EnrolMember(ident(body.member, "member"))


def _freeze_member(body: pb.FreezeMemberRequest) -> Command:
    return c.FreezeMember(ident(body.member, "member"), label(body.reason, "reason"), optional_ident(body.case, "case"))


def _unfreeze_member(body: pb.UnfreezeMemberRequest) -> Command:
    return c.UnfreezeMember(
        ident(body.member, "member"),
        label(body.reason, "reason"),
        optional_ident(body.case, "case"),
        optional_instant(body, "extend_until"),
    )


def _close_member(body: pb.CloseMemberRequest) -> Command:
    return c.CloseMember(ident(body.member, "member"), label(body.reason, "reason"), optional_ident(body.case, "case"))


def _source(source: types_pb2.Source) -> Source:
    kind, purpose = source.type, source.purpose
    return Source(
        known_name(kind) or name(kind, "source.type"),
        source_id(source.id, "source.id"),
        "" if purpose in ("", EARN) else name(purpose, "source.purpose"),
    )


def _earn(body: pb.EarnRequest) -> Command:
    rule, campaign, partner, unit_cost = body.rule, body.campaign, body.partner, body.unit_cost
    present = body.HasField
    return c.Earn(
        ident(body.member, "member"),
        amount(body.points, "points"),
        _source(body.source),
        choice(FUNDING, body.funding, "funding"),
        instant(body.available_at, "available_at") if present("available_at") else None,
        instant(body.expires_at, "expires_at") if present("expires_at") else None,
        ident(rule, "rule") if rule else "",
        ident(campaign, "campaign") if campaign else "",
        ident(partner, "partner") if partner else "",
        fraction(unit_cost, "unit_cost") if unit_cost else None,
        body.awaits_activation,
    )


def _record_purchase(body: pb.RecordPurchaseRequest) -> Command:
    return c.RecordPurchase(
        ident(body.member, "member"),
        ident(body.order, "order"),
        lines(body.lines),
        optional_ident(body.store, "store"),
        tenders(body.tenders),
        optional_instant(body, "available_at"),
        body.awaits_activation,
    )


def _activate(body: pb.ActivateRequest) -> Command:
    return c.Activate(
        ident(body.member, "member"),
        _source(body.source) if body.HasField("source") else None,
        lots(body.lots, "lots"),
    )


def _extend_expiry(body: pb.ExtendExpiryRequest) -> Command:
    return c.ExtendExpiry(
        ident(body.member, "member"),
        required_instant(body, "expires_at"),
        label(body.reason, "reason"),
        lots(body.lots, "lots"),
        optional_instant(body, "until"),
        optional_label(body.unit, "unit"),
    )


def _refund_purchase(body: pb.RefundPurchaseRequest) -> Command:
    return c.RefundPurchase(
        ident(body.refund, "refund"),
        ident(body.order, "order"),
        optional_ident(body.order_channel, "order_channel"),
        tuple(
            c.RefundLine(line.line, number(line.quantity, f"lines[{place}].quantity"))
            if line.HasField("quantity")
            else c.RefundLine(line.line)
            for place, line in enumerate(at_most(body.lines, LINES_MAX, "lines"))
        ),
        optional_label(body.reason, "reason"),
    )


def _adjust(body: pb.AdjustRequest) -> Command:
    return c.Adjust(
        ident(body.member, "member"),
        amount(body.points, "points"),
        label(body.reason, "reason"),
        label(body.approver, "approver"),
        lot(body.lot, "lot") if body.lot else "",
        optional_instant(body, "expires_at"),
    )


def _reverse(body: pb.ReverseRequest) -> Command:
    return c.Reverse(
        command_id(body.target, "target"),
        label(body.reason, "reason"),
        number(body.points, "points") if body.HasField("points") else None,
    )


def _define_reward(body: pb.DefineRewardRequest) -> Command:
    substitutes = at_most(body.substitutes, SUBSTITUTES_MAX, "substitutes")
    return c.DefineReward(
        ident(body.reward, "reward"),
        choice(REWARD_KIND, body.kind, "kind"),
        price(body.price, "price"),
        choice(REWARD_STATUS, body.status, "status"),
        optional_instant(body, "valid_from"),
        optional_ident(body.sku, "sku"),
        optional_ident(body.location, "location"),
        number(body.list_price, "list_price"),
        optional_label(body.tax_code, "tax_code"),
        tuple(ident(substitute, f"substitutes[{place}]") for place, substitute in enumerate(substitutes)),
    )


def _redeem(body: pb.RedeemRequest) -> Command:
    return c.Redeem(
        ident(body.redemption, "redemption"),
        ident(body.member, "member"),
        ident(body.reward, "reward"),
        number(body.quantity, "quantity") if body.HasField("quantity") else 1,
        optional_ident(body.location, "location"),
        price(body.expected_price, "expected_price") if body.HasField("expected_price") else None,
        tenders(body.tenders),
        optional_ident(body.order, "order"),
        optional_ident(body.campaign, "campaign"),
        optional_ident(body.destination, "destination"),
    )


def _fulfil(body: pb.FulfilRequest) -> Command:
    return c.Fulfil(ident(body.redemption, "redemption"), optional_number(body, "quantity"))


def _cancel(body: pb.CancelRequest) -> Command:
    return c.Cancel(ident(body.redemption, "redemption"), optional_number(body, "quantity"))


def _hold(body: pb.HoldRequest) -> Command:
    return c.Hold(
        ident(body.hold, "hold"),
        ident(body.member, "member"),
        amount(body.points, "points"),
        optional_instant(body, "expires_at"),
    )


def _capture_hold(body: pb.CaptureHoldRequest) -> Command:
    return c.CaptureHold(
        ident(body.hold, "hold"),
        ident(body.member, "member"),
        number(body.points, "points") if body.HasField("points") else None,
        choice(REDEEM_KIND, body.kind, "kind"),
        optional_ident(body.order, "order"),
        number(body.amount, "amount"),
        optional_ident(body.campaign, "campaign"),
    )


def _release_hold(body: pb.ReleaseHoldRequest) -> Command:
    return c.ReleaseHold(ident(body.hold, "hold"), ident(body.member, "member"))


def _transfer(body: pb.TransferRequest) -> Command:
    return c.Transfer(ident(body.sender, "sender"), ident(body.receiver, "receiver"), amount(body.points, "points"))


def _expire_due(body: pb.ExpireDueRequest) -> Command:
    cut_off = required_instant(body, "cut_off")
    if body.member and (body.sku or body.location):
        raise InvalidCommand("member", "either a member or a stock item is expired, not both")
    if body.sku or body.location:
        return c.ExpireDue(cut_off, "", ident(body.sku, "sku"), ident(body.location, "location"))
    return c.ExpireDue(cut_off, ident(body.member, "member"))


DECODERS: dict[str, Callable[[Any], Command]] = {
    "open_programme": _open_programme,
    "change_programme": _change_programme,
    "advance_clock": _advance_clock,
    "enrol_member": _enrol_member,
    "freeze_member": _freeze_member,
    "unfreeze_member": _unfreeze_member,
    "close_member": _close_member,
    "earn": _earn,
    "record_purchase": _record_purchase,
    "activate": _activate,
    "extend_expiry": _extend_expiry,
    "refund_purchase": _refund_purchase,
    "adjust": _adjust,
    "reverse": _reverse,
    "define_reward": _define_reward,
    "redeem": _redeem,
    "fulfil": _fulfil,
    "cancel": _cancel,
    "hold": _hold,
    "capture_hold": _capture_hold,
    "release_hold": _release_hold,
    "transfer": _transfer,
    "expire_due": _expire_due,
    **STOCK_DECODERS,
}
"""The decoder of each request, by its name within `Command`."""


def decode_request(header: types_pb2.Header, commands: tuple[Command, ...]) -> Request:
    """Commands with the header that goes for all of them. Raises InvalidCommand."""
    moment, programme, actor, channel = header.occurred_at, header.programme, header.actor, header.channel
    correlation_id, traceparent = header.correlation_id, header.traceparent
    identity = command_id(header.command_id, "header.command_id")
    occurred_at = instant(moment, "header.occurred_at")
    if occurred_at == 0 and not header.HasField("occurred_at"):
        raise InvalidCommand("header.occurred_at", "is missing")
    return Request(
        identity,
        known_name(programme) or name(programme, "header.programme"),
        occurred_at,
        commands,
        label(actor, "header.actor"),
        known_name(channel) or name(channel, "header.channel"),
        optional_label(correlation_id, "header.correlation_id", CORRELATION_LENGTH_MAX) if correlation_id else "",
        trace(traceparent) if traceparent else b"",
        header.validate_only,
    )


def decode_batch(commands: Sequence[pb.Command]) -> list[Request | InvalidCommand]:
    """The commands of a batch in order, each decoded or with what is wrong with it; paths begin at a command's request.

    Raises InvalidCommand if there are too many.
    """
    decoded: list[Request | InvalidCommand] = []
    room = COMMANDS_MAX - len(at_most(commands, COMMANDS_MAX, "commands"))
    for command in commands:
        try:
            kind = command.WhichOneof("command")
            if kind == "group":
                room -= len(command.group.commands) - 1
                if room < 0:
                    break
                decoded.append(_group(command.group))
            elif kind is None:
                raise InvalidCommand("command", "is missing")
            else:
                body = getattr(command, kind)
                decoded.append(decode_request(body.header, (DECODERS[kind](body),)))
        except InvalidCommand as error:
            decoded.append(error)
    if room < 0:
        raise InvalidCommand("commands", f"has more than {COMMANDS_MAX} commands, those in groups counted")
    return decoded


def _group(group: pb.Group) -> Request:
    members: list[Command] = []
    for place, member in enumerate(group.commands):
        kind = member.WhichOneof("command")
        path = f"commands[{place}]"
        if kind is None or kind == "group":
            raise InvalidCommand(path, "is a group within a group" if kind else "is missing")
        body = getattr(member, kind)
        if body.HasField("header"):
            raise InvalidCommand(f"{path}.{kind}.header", "goes at the group, not at its members")
        try:
            members.append(DECODERS[kind](body))
        except InvalidCommand as error:
            raise InvalidCommand(f"{path}.{kind}.{error.field}", error.problem) from None
    if not members:
        raise InvalidCommand("commands", "is missing")
    return decode_request(group.header, tuple(members))
