"""Callers who ask again until they are answered, over a network that loses, delays and repeats what they say."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context

import msgspec

from ledger.commands import Request
from ledger.writer import Answer
from tests.property.histories import Step
from tests.simulation.audit import NO_ANSWER, Audit
from tests.simulation.services import Machine, Service

PATIENCE_SECONDS = (0.3, 3.0, 15.0)
LATE_SECONDS_MAX = 12.0
"""How late the second copy of a message may come: long after its caller was answered, and by another writer."""


class Callers:
    """Each sends its requests in order, some at a time, with the same ids until they are answered."""

    def __init__(self, machine: Machine, audit: Audit, failed: Callable[[Exception], None]) -> None:
        self.unreliable = 0.0
        """The part of messages that are lost, and of those that come twice."""
        self._machine = machine
        self._random = machine.random
        self._audit = audit
        self._failed = failed
        self._twins = 0

    async def call(self, steps: Sequence[Step]) -> None:
        """One caller's life."""
        place = 0
        while place < len(steps):
            some = steps[place : place + self._random.randrange(1, 6)]
            self._machine.advance(some[-1].wall)
            if self._random.random() < 0.5:
                self._try(some[0].request)
            asking = [self._ask([step.request for step in some])]
            if self._random.random() < 0.3:
                asking.append(self._ask([self._twin(self._random.choice(some).request)]))
            await asyncio.gather(*asking)
            place += len(some)
            await asyncio.sleep(self._random.choice((0, 0, 0.01, 0.2, 2.0)))

    def _twin(self, request: Request) -> Request:
        """The same at the same time under another id, as from a channel that forgot what it asked."""
        self._twins += 1
        return msgspec.structs.replace(request, id=b"twin" + self._twins.to_bytes(12, "big"))

    def _try(self, request: Request) -> None:
        """Ask one that leads, or still believes so, what would come of a request; wait for no answer."""
        services = [service for service in self._machine.services if service.writer.leads]
        trial = msgspec.structs.replace(request, validate_only=True)
        self._deliver(self._random.choice(services or self._machine.services), [trial], asyncio.Future())

    async def _ask(self, requests: Sequence[Request]) -> None:
        self._audit.asked(requests)
        left = list(requests)
        while left:
            services = self._machine.services
            leading = [service for service in services if service.writer.leads]
            service = self._random.choice(leading if leading and self._random.random() < 0.7 else services)
            answers = await self._send(service, left)
            if answers is not None:
                left = [each for each, answer in zip(left, answers, strict=True) if isinstance(answer, NO_ANSWER)]
            if left:
                await asyncio.sleep(self._random.choice((0, 0.02, 0.3)))

    async def _send(self, service: Service, requests: Sequence[Request]) -> Sequence[Answer] | None:
        """Send a message; None: no answer came in time."""
        loop = self._machine.loop
        reply: asyncio.Future[Sequence[Answer]] = loop.create_future()
        delays = [self._delay()]
        if self._random.random() < self.unreliable:
            self._machine.happen("message sent twice", service.name)
            delays.append(self._random.choice((self._delay(), self._random.uniform(0, LATE_SECONDS_MAX))))
        if self._random.random() < self.unreliable:
            self._machine.happen("message lost", service.name)
            delays.pop(0)
        for delay in delays:
            loop.call_later(delay, self._deliver, service, requests, reply)
        await asyncio.wait({reply}, timeout=self._random.choice(PATIENCE_SECONDS))
        return reply.result() if reply.done() else None

    def _deliver(
        self, service: Service, requests: Sequence[Request], reply: "asyncio.Future[Sequence[Answer]]"
    ) -> None:
        serving = self._machine.loop.spawn(service.process, self._serve(service, requests, reply))
        if self._random.random() < self.unreliable:
            self._machine.happen("caller went away", service.name)
            self._machine.loop.call_later(self._delay(), serving.cancel)

    async def _serve(
        self, service: Service, requests: Sequence[Request], reply: "asyncio.Future[Sequence[Answer]]"
    ) -> None:
        """In the process of the service: what it answers is checked before it leaves it."""
        since = len(self._audit.order)
        answers = await service.writer.execute(requests)
        try:
            for request, answer in zip(requests, answers, strict=True):
                self._audit.heard(request, answer, since)
        except Exception as error:
            self._failed(error)
        if self._random.random() < self.unreliable:
            self._machine.happen("answer lost", service.name)
            return
        self._machine.loop.call_later(self._delay(), _reply, reply, answers, context=Context())

    def _delay(self) -> float:
        return self._random.choice((0, 0.0005, 0.001, 0.01, 0.1))


def _reply(reply: "asyncio.Future[Sequence[Answer]]", answers: Sequence[Answer]) -> None:
    if not reply.done():
        reply.set_result(answers)
