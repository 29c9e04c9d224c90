"""Which roles may call which RPC: one table. An RPC that is missing here is open to nobody, and fails a test.

Where an RPC names its programme follows from the contract: in a header, in a field `programme` of the request or of the
answer, or in each command of a batch. One that names none is for callers of all programmes.
"""

from enum import Enum, auto
from functools import lru_cache
from typing import Any

import msgspec

from adapters.grpc.access.callers import Role
from loyalty.v1 import commands_pb2, operations_pb2, queries_pb2

_EVERYBODY = frozenset(Role)
_CHANNEL = frozenset({Role.CHANNEL})
_OPERATOR = frozenset({Role.OPERATOR})
_ADMINISTRATOR = frozenset({Role.ADMINISTRATOR})

ROLES: dict[str, frozenset[Role]] = {
    # Batches: each of their commands is checked by itself, as if it came alone.
    "CommandService.Execute": _EVERYBODY,
    "CommandService.ExecuteStream": _EVERYBODY,
    "CommandService.OpenProgramme": _ADMINISTRATOR,
    "CommandService.ChangeProgramme": _ADMINISTRATOR,
    "CommandService.AdvanceClock": _OPERATOR,
    "CommandService.EnrolMember": _CHANNEL,
    "CommandService.FreezeMember": _OPERATOR,
    "CommandService.UnfreezeMember": _OPERATOR,
    "CommandService.CloseMember": frozenset({Role.CHANNEL, Role.OPERATOR}),
    "CommandService.Earn": _CHANNEL,
    "CommandService.RecordPurchase": _CHANNEL,
    "CommandService.Activate": _CHANNEL,
    "CommandService.ExtendExpiry": _OPERATOR,
    "CommandService.RefundPurchase": _CHANNEL,
    "CommandService.Adjust": _OPERATOR,
    "CommandService.Reverse": _OPERATOR,
    "CommandService.DefineReward": _ADMINISTRATOR,
    "CommandService.Redeem": _CHANNEL,
    "CommandService.Fulfil": _CHANNEL,
    "CommandService.Cancel": _CHANNEL,
    "CommandService.Hold": _CHANNEL,
    "CommandService.CaptureHold": _CHANNEL,
    "CommandService.ReleaseHold": _CHANNEL,
    "CommandService.Transfer": _CHANNEL,
    "CommandService.ExpireDue": _OPERATOR,
    "CommandService.ReceiveStock": _CHANNEL,
    "CommandService.LockStock": _CHANNEL,
    "CommandService.ReleaseStock": _CHANNEL,
    "CommandService.ShipStock": _CHANNEL,
    "CommandService.PublishAllocationPolicy": _ADMINISTRATOR,
    "CommandService.CountStock": _CHANNEL,
    "CommandService.DiscontinueStock": _ADMINISTRATOR,
    "CommandService.TransferStock": _CHANNEL,
    "CommandService.Sweep": _OPERATOR,
    "QueryService.GetBalance": _EVERYBODY,
    "QueryService.ListLots": _EVERYBODY,
    "QueryService.ListEntries": _EVERYBODY,
    "QueryService.GetRedemption": _EVERYBODY,
    "QueryService.ListRedemptions": _EVERYBODY,
    "QueryService.GetInventory": _EVERYBODY,
    "QueryService.ListInventory": _EVERYBODY,
    "QueryService.ListLocks": _EVERYBODY,
    "QueryService.ListHolds": _EVERYBODY,
    "QueryService.ListExpiring": _EVERYBODY,
    "QueryService.GetTotals": _EVERYBODY,
    "QueryService.GetCommand": _EVERYBODY,
    "QueryService.SubscribeEvents": frozenset({Role.CHANNEL, Role.FINANCE, Role.OPERATOR}),
    "OperationsService.ListProjections": frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
    "OperationsService.RebuildProjection": _OPERATOR,
    "OperationsService.PauseRebuild": _OPERATOR,
    "OperationsService.ResumeRebuild": _OPERATOR,
    "OperationsService.CancelRebuild": _OPERATOR,
    "OperationsService.SwapProjection": _OPERATOR,
    "OperationsService.RollbackProjection": _OPERATOR,
    "OperationsService.DropBuild": _OPERATOR,
    "OperationsService.ReplayParked": _OPERATOR,
}
"""By service and method of the package `loyalty.v1`."""

SERVICES = (
    commands_pb2.DESCRIPTOR.services_by_name["CommandService"],
    queries_pb2.DESCRIPTOR.services_by_name["QueryService"],
    operations_pb2.DESCRIPTOR.services_by_name["OperationsService"],
)


class Scope(Enum):
    """Where an RPC names its programme."""

    COMMANDS = auto()
    HEADER = auto()
    REQUEST = auto()
    ANSWER = auto()
    NOWHERE = auto()


class Rule(msgspec.Struct, frozen=True):
    """What is checked of the calls of one RPC."""

    name: str
    roles: frozenset[Role]
    scope: Scope


def scope_of(method: Any) -> Scope:
    """Where an RPC, given by its descriptor, names its programme."""
    asked, answered = method.input_type.fields_by_name, method.output_type.fields_by_name
    if "commands" in asked and asked["commands"].message_type is commands_pb2.Command.DESCRIPTOR:
        return Scope.COMMANDS
    if "header" in asked:
        return Scope.HEADER
    if "programme" in asked:
        return Scope.REQUEST
    return Scope.ANSWER if "programme" in answered else Scope.NOWHERE


def _rule(method: Any) -> Rule:
    name = f"{method.containing_service.name}.{method.name}"
    return Rule(name, ROLES.get(name, frozenset()), scope_of(method))


RULES = {f"/{service.full_name}/{method.name}": _rule(method) for service in SERVICES for method in service.methods}
"""By the path of a call."""

GROUP = "group"


def _kind_rules() -> dict[str, Rule]:
    """The command within `Command` has the type that its RPC takes."""
    methods = {method.input_type: method for service in SERVICES for method in service.methods}
    fields: Any = commands_pb2.Command.DESCRIPTOR.oneofs_by_name["command"].fields
    return {field.name: _rule(methods[field.message_type]) for field in fields if field.name != GROUP}


KIND_RULES = _kind_rules()
"""By the name of a command within `Command`: the rule of the RPC that takes it alone."""


@lru_cache
def kinds_of(roles: frozenset[Role]) -> frozenset[str]:
    """The commands that these roles may send, by their names within `Command`."""
    return frozenset(kind for kind, rule in KIND_RULES.items() if not roles.isdisjoint(rule.roles))
