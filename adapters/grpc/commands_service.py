"""The service that takes commands: one by one, in batches, and in streams of batches."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc

from adapters.grpc.closing import Closed, Closing
from adapters.grpc.fields import ident
from adapters.grpc.from_proto import DECODERS, decode_batch, decode_request
from adapters.grpc.paths import in_request
from adapters.grpc.ports import Sweeper
from adapters.grpc.positions import parse_position
from adapters.grpc.replies import Context, Refused, streaming, unary
from adapters.grpc.to_proto import encode_results, fill_receipt
from ledger.commands import Command, Request
from ledger.errors import InvalidCommand, LedgerError
from ledger.ports import Ledger
from ledger.receipts import Outcome, Receipt
from loyalty.v1 import answers_pb2
from loyalty.v1 import commands_pb2 as pb
from loyalty.v1.commands_pb2_grpc import CommandServiceServicer

SERVICE = "loyalty.v1.CommandService"

BATCHES_AHEAD_MAX = 4
"""The batches of one stream that are under way together; the next is read when the first of them is answered."""
SWEEP_DEFAULT = 1_000
SWEEP_MAX = 100_000

Method = Callable[["CommandService", Any, Context], Awaitable[answers_pb2.Receipt]]


def _single(decode: Callable[[Any], Command]) -> Method:
    """The method of a command that comes by itself."""

    async def method(service: "CommandService", body: Any) -> answers_pb2.Receipt:
        request = decode_request(body.header, (decode(body),))
        (outcome,) = await service.ledger.execute((request,))
        if isinstance(outcome, LedgerError):
            raise in_request(outcome) if isinstance(outcome, InvalidCommand) else outcome
        if not isinstance(outcome.answer, Receipt):
            raise Refused(outcome.answer, outcome.repeated)
        receipt = answers_pb2.Receipt()
        fill_receipt(receipt, outcome.answer, outcome.repeated)
        return receipt

    return unary(method)


class CommandService(CommandServiceServicer):
    """Decodes commands, hands them to the ledger, and encodes its answers."""

    def __init__(self, ledger: Ledger, sweeper: Sweeper, closing: Closing) -> None:
        self.ledger = ledger
        self._sweeper = sweeper
        self._closing = closing

    OpenProgramme = _single(DECODERS["open_programme"])
    ChangeProgramme = _single(DECODERS["change_programme"])
    AdvanceClock = _single(DECODERS["advance_clock"])
    EnrolMember = _single(DECODERS["enrol_member"])
    FreezeMember = _single(DECODERS["freeze_member"])
    UnfreezeMember = _single(DECODERS["unfreeze_member"])
    CloseMember = _single(DECODERS["close_member"])
    Earn = _single(DECODERS["earn"])
    RecordPurchase = _single(DECODERS["record_purchase"])
    Activate = _single(DECODERS["activate"])
    ExtendExpiry = _single(DECODERS["extend_expiry"])
    RefundPurchase = _single(DECODERS["refund_purchase"])
    Adjust = _single(DECODERS["adjust"])
    Reverse = _single(DECODERS["reverse"])
    DefineReward = _single(DECODERS["define_reward"])
    Redeem = _single(DECODERS["redeem"])
    Fulfil = _single(DECODERS["fulfil"])
    Cancel = _single(DECODERS["cancel"])
    Hold = _single(DECODERS["hold"])
    CaptureHold = _single(DECODERS["capture_hold"])
    ReleaseHold = _single(DECODERS["release_hold"])
    Transfer = _single(DECODERS["transfer"])
    ExpireDue = _single(DECODERS["expire_due"])
    ReceiveStock = _single(DECODERS["receive_stock"])
    LockStock = _single(DECODERS["lock_stock"])
    ReleaseStock = _single(DECODERS["release_stock"])
    ShipStock = _single(DECODERS["ship_stock"])
    PublishAllocationPolicy = _single(DECODERS["publish_allocation_policy"])
    CountStock = _single(DECODERS["count_stock"])
    DiscontinueStock = _single(DECODERS["discontinue_stock"])
    TransferStock = _single(DECODERS["transfer_stock"])

    @unary
    async def Execute(self, batch: pb.ExecuteRequest) -> pb.ExecuteResponse:
        """Answer every command of a batch by itself."""
        return await self._execute(batch.commands)

    @streaming
    async def ExecuteStream(self, _: object, context: Context) -> None:
        """Answer the batches of a stream in their order, several of them under way."""
        reading: asyncio.Task[Any] | None = None
        answering: deque[asyncio.Task[pb.ExecuteResponse]] = deque()
        end: Closed | None = None
        more = True
        try:
            while more or answering:
                if more and reading is None and len(answering) < BATCHES_AHEAD_MAX:
                    reading = asyncio.create_task(self._closing.race(context.read()))
                waiting = [task for task in (reading, *list(answering)[:1]) if task is not None]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if reading is not None and reading.done():
                    try:
                        batch = reading.result()
                    except Closed as closed:
                        batch, end = grpc.aio.EOF, closed
                    reading, more = None, batch is not grpc.aio.EOF
                    if more:
                        answering.append(asyncio.create_task(self._execute(batch.commands)))
                if answering and answering[0].done():
                    await context.write(answering.popleft().result())
        finally:
            for task in (reading, *answering):
                if task is not None:
                    task.cancel()
        if end is not None:
            raise end

    @unary
    async def Sweep(self, request: pb.SweepRequest) -> pb.SweepResponse:
        """Post what is due in a programme."""
        limit = request.limit or SWEEP_DEFAULT
        if not 0 < limit <= SWEEP_MAX:
            raise InvalidCommand("limit", f"must be from 0 to {SWEEP_MAX}, not {limit}")
        swept = await self._sweeper.sweep(
            ident(request.programme, "programme"), limit, parse_position(request.min_position, "min_position")
        )
        return pb.SweepResponse(commands=swept.commands, remaining=swept.remaining)

    async def _execute(self, commands: Sequence[pb.Command]) -> pb.ExecuteResponse:
        decoded = decode_batch(commands)
        requests = [request for request in decoded if type(request) is Request]
        outcomes = await self.ledger.execute(requests) if requests else ()
        if any(type(outcome) is InvalidCommand for outcome in outcomes):
            outcomes = _in_requests(commands, decoded, outcomes)
        if len(requests) == len(decoded):
            return encode_results(outcomes)
        return encode_results(_in_place(decoded, outcomes))


def _in_requests(
    commands: Sequence[pb.Command],
    decoded: Sequence[Request | InvalidCommand],
    outcomes: Sequence[Outcome | LedgerError],
) -> list[Outcome | LedgerError]:
    """The ledger's answers, with what is wrong named as in the commands that it was asked."""
    asked = (command for command, entry in zip(commands, decoded, strict=True) if isinstance(entry, Request))
    return [
        in_request(outcome, command) if isinstance(outcome, InvalidCommand) else outcome
        for command, outcome in zip(asked, outcomes, strict=True)
    ]


def _in_place(
    decoded: Sequence[Request | InvalidCommand], outcomes: Sequence[Outcome | LedgerError]
) -> list[Outcome | LedgerError]:
    """The answers in the order of the commands: what could not be decoded answers for itself."""
    given = iter(outcomes)
    return [next(given) if isinstance(entry, Request) else entry for entry in decoded]
