"""The table of roles against the contract, and the check of batches by it (K05)."""

import pytest

from adapters.grpc.access.batches import check_batch, complete, permitted
from adapters.grpc.access.callers import Caller, Role, known_roles
from adapters.grpc.access.roles import KIND_RULES, ROLES, RULES, Scope, kinds_of
from adapters.grpc.from_proto import decode_batch
from ledger.errors import InvalidCommand
from loyalty.v1 import answers_pb2
from loyalty.v1 import commands_pb2 as c
from loyalty.v1.types_pb2 import Header
from tests.integration.access_world import contract


def caller(*roles: Role, programmes: tuple[str, ...] = ("acme",)) -> Caller:
    return Caller("till-backend", frozenset(roles), frozenset(programmes))


def command(kind: str, programme: str = "acme", actor: str = "somebody") -> c.Command:
    made = c.Command()
    getattr(made, kind).header.MergeFrom(Header(programme=programme, actor=actor))
    return made


def reasons(commands: list[c.Command], by: Caller) -> dict[int, str]:
    """The reasons of what is denied, by place."""
    return {place: denied.fault.reason for place, denied in check_batch(commands, by).denied.items()}


def test_the_table_has_every_rpc_of_the_contract_and_no_other() -> None:
    """K05: a new RPC without a role fails here."""
    methods = contract()
    assert set(ROLES) == {f"{method.containing_service.name}.{method.name}" for method in methods}
    assert set(RULES) == {f"/{method.containing_service.full_name}/{method.name}" for method in methods}


@pytest.mark.parametrize("name", ROLES)
def test_every_rpc_is_open_to_somebody(name: str) -> None:
    assert ROLES[name]
    assert ROLES[name] <= set(Role)


def test_every_command_of_a_batch_has_the_rule_of_its_rpc() -> None:
    kinds = {field.name for field in c.Command.DESCRIPTOR.oneofs_by_name["command"].fields}
    assert set(KIND_RULES) == kinds - {"group"}
    for kind, rule in KIND_RULES.items():
        assert rule.name == "CommandService." + "".join(map(str.capitalize, kind.split("_")))


@pytest.mark.parametrize("role", Role)
def test_no_role_may_do_everything(role: Role) -> None:
    """K05: duties are kept apart; who sets programmes up grants no points, who reads changes nothing."""
    assert kinds_of(frozenset({role})) < set(KIND_RULES)
    assert not {"open_programme", "earn"} <= kinds_of(frozenset({role}))
    assert kinds_of(frozenset({Role.ANALYST})) == set()


def test_roles_of_other_systems_are_passed_over() -> None:
    assert known_roles(["channel", "uma_authorization", "CHANNEL", ""]) == {Role.CHANNEL}


@pytest.mark.parametrize("kind", KIND_RULES)
def test_a_command_of_a_batch_takes_the_roles_of_its_rpc(kind: str) -> None:
    others = set(Role) - KIND_RULES[kind].roles
    assert reasons([command(kind)], caller(*others)) == {0: "ROLE_MISSING"}
    assert reasons([command(kind)], caller(*KIND_RULES[kind].roles)) == {}


def test_a_batch_is_denied_command_by_command() -> None:
    commands = [command("earn"), command("open_programme"), command("earn", "other"), c.Command(), command("redeem")]
    assert reasons(commands, caller(Role.CHANNEL)) == {1: "ROLE_MISSING", 2: "PROGRAMME_FORBIDDEN"}


def test_the_actor_is_the_credentials_whatever_the_command_says() -> None:
    commands = [command("earn"), command("earn", actor=""), c.Command(group=c.Group(commands=[command("earn")]))]
    check_batch(commands, caller(Role.CHANNEL))
    assert [commands[place].earn.header.actor for place in (0, 1)] == ["till-backend", "till-backend"]
    assert commands[2].group.header.actor == "till-backend"


def group(*kinds: str, programme: str = "acme") -> c.Command:
    members = []
    for kind in kinds:
        member = c.Command()
        getattr(member, kind).SetInParent()
        members.append(member)
    return c.Command(group=c.Group(header=Header(programme=programme), commands=members))


def test_a_group_takes_the_roles_of_all_its_members() -> None:
    by = caller(Role.CHANNEL)
    assert reasons([group("earn", "redeem"), group("earn", "open_programme")], by) == {1: "ROLE_MISSING"}
    assert reasons([group("earn", programme="other")], by) == {0: "PROGRAMME_FORBIDDEN"}
    # What makes no sense is for decoding to say.
    assert (
        reasons([group(), c.Command(group=c.Group(header=Header(programme="acme"), commands=[c.Command()]))], by) == {}
    )
    assert not group("earn", "redeem").group.commands[0].earn.HasField("header")


def test_the_members_of_groups_count() -> None:
    commands = [command("earn"), group("earn", "earn", "redeem"), c.Command()]
    assert check_batch(commands, caller(Role.CHANNEL)).size == 5


def test_a_batch_that_is_too_large_is_left_for_decoding_to_refuse() -> None:
    """What would be denied is not taken out of it: with fewer commands it would pass."""
    for commands in ([command("open_programme")] * 8_193, [command("open_programme"), group(*["earn"] * 8_193)]):
        assert reasons(commands, caller(Role.CHANNEL)) == {}
        with pytest.raises(InvalidCommand, match="8192"):
            decode_batch(commands)


def test_a_caller_of_all_programmes_may_enter_each() -> None:
    everywhere = caller(Role.CHANNEL, programmes=("*",))
    assert reasons([command("earn", "one"), command("earn", "other")], everywhere) == {}
    assert everywhere.may_enter("")
    # A programme that is called like the sign for all is one programme.
    assert reasons([command("earn", "*")], caller(Role.CHANNEL)) == {0: "PROGRAMME_FORBIDDEN"}
    assert not caller(Role.CHANNEL).may_enter("")


def test_the_answers_stand_in_the_places_of_their_commands() -> None:
    batch = c.ExecuteRequest(commands=[command("open_programme"), command("earn"), command("earn", "other")])
    denied = check_batch(batch.commands, caller(Role.CHANNEL)).denied
    passed = permitted(batch, denied)
    assert [each.WhichOneof("command") for each in passed.commands] == ["earn"]
    answered = c.ExecuteResponse(results=[answers_pb2.Result(receipt=answers_pb2.Receipt(position="1-7"))])
    whole = complete(answered, denied)
    assert [result.error.reason for result in whole.results] == ["ROLE_MISSING", "", "PROGRAMME_FORBIDDEN"]
    assert whole.results[0].error.message == "CommandService.OpenProgramme is for these roles: administrator"
    assert whole.results[1].receipt.position == "1-7"


OF_THE_WHOLE_SERVICE = {name for name in ROLES if name.startswith("OperationsService.")}
"""The RPCs that name no programme, and so are for callers of all programmes: name them here, so that it is meant."""


def test_every_rpc_names_its_programme_somewhere() -> None:
    assert {rule.name for rule in RULES.values() if rule.scope is Scope.NOWHERE} == OF_THE_WHOLE_SERVICE
    scopes = {rule.name: rule.scope for rule in RULES.values()}
    assert scopes["CommandService.Execute"] is scopes["CommandService.ExecuteStream"] is Scope.COMMANDS
    assert (scopes["CommandService.Earn"], scopes["CommandService.Sweep"]) == (Scope.HEADER, Scope.REQUEST)
    assert (scopes["QueryService.SubscribeEvents"], scopes["QueryService.GetCommand"]) == (Scope.REQUEST, Scope.ANSWER)
