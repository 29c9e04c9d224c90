"""The enums of the contract and the ledger's words for them; a value that a table lacks isn't allowed."""

from enum import StrEnum
from typing import TypeVar

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from ledger.events import Funding, RedeemKind, RewardKind, RewardStatus, TenderType
from ledger.quantities import Rounding
from ledger.refusals import Reason
from ledger.settings import Activity, Clawback, ClockKind, EarningBase
from loyalty.v1 import answers_pb2, queries_pb2, types_pb2
from projections.reports import Dimension

_Word = TypeVar("_Word", bound=StrEnum)


def _words(enum: EnumTypeWrapper, prefix: str, words: type[_Word]) -> dict[int, _Word]:
    return {enum.Value(f"{prefix}_{word.name}"): word for word in words}


FUNDING = {0: Funding.PROMO, **_words(types_pb2.Funding, "FUNDING", Funding)}
TENDER_TYPE = _words(types_pb2.TenderType, "TENDER_TYPE", TenderType)
REWARD_KIND = _words(types_pb2.RewardKind, "REWARD_KIND", RewardKind)
REDEEM_KIND = {0: RedeemKind.OFFSET, **{value: RedeemKind(word.value) for value, word in REWARD_KIND.items()}}
REWARD_STATUS = {0: RewardStatus.ACTIVE, **_words(types_pb2.RewardStatus, "REWARD_STATUS", RewardStatus)}
ACTIVITY = _words(types_pb2.Activity, "ACTIVITY", Activity)
CLOCK_KIND = _words(types_pb2.ClockKind, "CLOCK_KIND", ClockKind)
EARNING_BASE = {0: EarningBase.GROSS, **_words(types_pb2.EarningBase, "EARNING_BASE", EarningBase)}
CLAWBACK = {0: Clawback.ALLOW_DEBT, **_words(types_pb2.Clawback, "CLAWBACK", Clawback)}
TOTALS_DIMENSION = _words(queries_pb2.TotalsDimension, "TOTALS_DIMENSION", Dimension)
TENDER_VALUE = {word: value for value, word in TENDER_TYPE.items()}
ROUNDING = _words(types_pb2.Rounding, "ROUNDING", Rounding)
REASON_VALUE = {reason: answers_pb2.RefusalReason.Value(f"REFUSAL_REASON_{reason.name}") for reason in Reason}
"""The other way, since reasons only go out."""
