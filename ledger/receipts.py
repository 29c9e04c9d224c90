"""What a command is answered with, and what is stored of it for ever."""

import msgspec

from ledger.events import Tender
from ledger.quantities import Balance
from ledger.refusals import Refusal


class Refunded(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a refund came to: money in minor units, points in the unit that the purchase earned."""

    tenders: tuple[Tender, ...]
    """What goes back of each tender of the purchase, in its order; points are back in their lots already."""
    deducted: int = 0
    """Money to keep back of the tenders, for points that are gone."""
    clawed_back: int = 0
    """Points taken back of what the purchase had earned."""
    debt: int = 0
    """Of those, what the member owed before anything that came back paid it."""
    waived: int = 0
    """Points that should have been taken back, and that the programme's policy leaves."""


class Receipt(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An accepted command: the position of its last event, and the balances it left; of a refund, what it came to."""

    position: int
    balances: tuple[Balance, ...] = ()
    refunded: Refunded | None = None


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of a command id: a receipt or a refusal, and the hash of the request that it answers."""

    id: bytes
    request_hash: bytes
    answer: Receipt | Refusal
    repeated: bool = False
    """Whether the answer was given before and only looked up now."""
    programme: str = ""
    """Known where the log was asked; empty for a receipt without events."""


class _StoredRefusal(Refusal, frozen=True):
    """With its programme, since it has no events that would tell."""

    programme: str = ""


_encode = msgspec.json.Encoder().encode
_receipt = msgspec.json.Decoder(Receipt)
_refusal = msgspec.json.Decoder(Refusal)
_stored_refusal = msgspec.json.Decoder(_StoredRefusal)


def encode_answer(answer: Receipt | Refusal, programme: str) -> bytes:
    """The stored JSON of an answer: an array for a receipt, an object for a refusal.

    Most members have nothing but open points; their zeros are left out.
    """
    if isinstance(answer, Refusal):
        return _encode(_StoredRefusal(answer.reason, answer.facts, programme))
    balances = [
        each if each.pending or each.held or each.quarantined or each.debt else (each.member, each.unit, each.open)
        for each in answer.balances
    ]
    stored = (answer.position, balances)
    return _encode(stored if answer.refunded is None else (*stored, answer.refunded))


def decode_answer(stored: bytes) -> Receipt | Refusal:
    """The answer of its stored JSON."""
    return _receipt.decode(stored) if stored[:1] == b"[" else _refusal.decode(stored)


def programme_of(stored: bytes) -> str:
    """The programme that the stored JSON of an answer names: a refusal's, none of a receipt."""
    return "" if stored[:1] == b"[" else _stored_refusal.decode(stored).programme
