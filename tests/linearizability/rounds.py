"""A round: clients at work on a programme of their own, faults meanwhile, and then the checks."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.grpc.positions import parse_position, position_token
from loyalty.v1 import commands_pb2 as c
from loyalty.v1 import events_pb2 as e
from loyalty.v1 import types_pb2 as t
from tests.integration.service import UNIT, Service, settings, stubs
from tests.linearizability.clients import Crowd
from tests.linearizability.faults import Fault
from tests.linearizability.history import Operation
from tests.linearizability.messages import LOCATION, Place, header
from tests.linearizability.order import Recorded, find_problems
from tests.linearizability.search import find_order
from tests.linearizability.specification import PRICE, Accepted, Refused, State, apply
from tests.linearizability.wire import Wire

OBJECTS = 4
CLIENTS = 8
ANSWERS = 150
"""That come before, between and after faults."""
SETTLED = 0.8
"""The share of the unanswered commands that are asked about again in the end; the others stay open."""


@dataclass
class Tally:
    """What a round came to."""

    operations: int = 0
    refused: int = 0
    reads: int = 0
    unknown: int = 0
    """Attempts without an answer."""
    repeated: int = 0
    """Answers that had been given before."""
    open: int = 0
    """Commands that nobody was ever told about."""
    faults: list[str] = field(default_factory=list)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def run_round(service: Service, wire: Wire, faults: Sequence[Fault], seed: int) -> Tally:
    """Let clients work while one fault after the other happens; raises AssertionError, NotLinearizable or Undecided."""
    numbers = random.Random(seed)
    programme = f"round-{uuid.uuid4().hex[:8]}"
    places = [Place(programme, f"pair-{number}") for number in range(OBJECTS)]
    begin = _prepare(service, places)
    crowd = Crowd(wire.address, places, begin, CLIENTS, seed)
    try:
        for fault in faults:
            crowd.work(ANSWERS)
            fault(service, wire)
            service.wait_until_serving()
        crowd.work(ANSWERS)
    finally:
        crowd.stop()
    crowd.settle(numbers, SETTLED)
    recorder, operations = crowd.recorder, crowd.recorder.operations()
    problems = [*recorder.contradictions]
    log = _log(service, programme, begin)
    problems += find_problems(operations, log, State(), apply, Accepted)
    assert not problems, "\n".join(problems)
    recorded = {event.command: event.position for event in log}
    for operation in operations:
        if operation.answer is None:
            operation.position = recorded.get(operation.id, 0)
    for place in places:
        find_order([o for o in operations if o.key == place.key and _is_current(o)], State(), apply)
    return Tally(
        operations=len(operations),
        refused=sum(isinstance(operation.answer, Refused) for operation in operations),
        reads=sum(operation.is_read for operation in operations),
        unknown=recorder.unknown,
        repeated=recorder.repeated,
        open=len(recorder.unanswered()),
        faults=[fault.__name__ for fault in faults],
    )


def _is_current(operation: Operation) -> bool:
    """Whether it must be linearizable: every command, and reads that waited for whatever anybody had been told."""
    return not operation.is_read or operation.latest


def _prepare(service: Service, places: Sequence[Place]) -> int:
    """A programme whose clock stands still, with members, rewards and their goods; returns where its history begins."""
    programme = places[0].programme
    standing_still = settings(clock=t.CLOCK_KIND_MANUAL, lot_months=0)

    def new() -> t.Header:
        return header(programme, str(uuid.uuid4()))

    batch = [c.Command(open_programme=c.OpenProgrammeRequest(header=new(), settings=standing_still))]
    for place in places:
        for member in ("anna", "bo"):
            enrolment = c.EnrolMemberRequest(header=new(), member=f"{place}-{member}")
            batch.append(c.Command(enrol_member=enrolment))
        reward = c.DefineRewardRequest(
            header=new(),
            reward=f"{place}",
            kind=t.REWARD_KIND_GOODS,
            price=t.Price(points=t.Amount(unit=UNIT, value=PRICE)),
            sku=f"{place}",
            location=LOCATION,
        )
        batch.append(c.Command(define_reward=reward))
    with service.channel() as channel:
        results = stubs(channel)[0].Execute(c.ExecuteRequest(commands=batch)).results
    assert all(result.HasField("receipt") for result in results), results
    return parse_position(results[-1].receipt.position, "position")


def _log(service: Service, programme: str, after: int) -> list[Recorded]:
    """All events of a programme behind a position."""
    request = e.SubscribeEventsRequest(programme=programme, after=position_token(after))
    with service.channel() as channel:
        return [
            Recorded(parse_position(event.position, "position"), event.command_id)
            for response in stubs(channel)[1].SubscribeEvents(request)
            for event in response.events
        ]
