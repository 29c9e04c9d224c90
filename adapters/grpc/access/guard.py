"""The interceptor that stands in front of the services; they know nothing of it."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, NoReturn

import grpc
import structlog
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from adapters.grpc.access.batches import CheckedStream, CheckedWriter, check_batch, complete, permitted
from adapters.grpc.access.callers import Caller
from adapters.grpc.access.credentials import Credentials
from adapters.grpc.access.denials import credential_expired, programme_forbidden, rate_limited, role_missing
from adapters.grpc.access.limits import RateLimits
from adapters.grpc.access.roles import RULES, Rule, Scope
from adapters.grpc.faults import Denied
from adapters.grpc.replies import end
from adapters.grpc.undecodable import readable

_log = structlog.get_logger(__name__)

_HEALTH = f"/{health.SERVICE_NAME}/"
"""Open: load balancers have no credential."""
_REFLECTION = f"/{reflection.SERVICE_NAME}/"
"""Open to every caller, whatever the role."""

Behaviour = Callable[[Any, Any], Awaitable[Any]]


class Guard(grpc.aio.ServerInterceptor):
    """Lets calls through whose credential, role, programme and rate are in order."""

    def __init__(
        self, credentials: Credentials, limits: RateLimits | None = None, now: Callable[[], float] = time.time
    ) -> None:
        """Without `limits` everybody may send as much as they like; `now` gives seconds since 1970."""
        self._credentials = credentials
        self._limits = limits
        self._now = now
        self._handlers: dict[str, Any] = {}
        self.denials: Counter[str] = Counter()
        """Calls, and commands of batches, that were denied, by reason."""

    async def run(self) -> None:
        """Keep the keys fresh, until cancelled."""
        await self._credentials.run()

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """The handler of a call, behind the guard; made once for each RPC."""
        path: str = handler_call_details.method
        guarded = self._handlers.get(path)
        if guarded is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None  # there is no such RPC
            guarded = self._handlers[path] = self._guarded(path, handler)
        return guarded

    def _guarded(self, path: str, handler: Any) -> Any:
        """A handler behind the guard; none, as if it were not there, for an RPC that has no rule."""
        coders = (handler.request_deserializer, handler.response_serializer)
        if path.startswith(_HEALTH):
            return handler
        if path.startswith(_REFLECTION):
            return grpc.stream_stream_rpc_method_handler(self._reflection(handler.stream_stream), *coders)
        rule = RULES.get(path)
        if rule is None:
            return None
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(self._batches(rule, handler.stream_stream), *coders)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._answers(rule, handler.unary_stream), *coders)
        guarded = self._batch if rule.scope is Scope.COMMANDS else self._single
        return grpc.unary_unary_rpc_method_handler(guarded(rule, handler.unary_unary), *coders)

    def _single(self, rule: Rule, behaviour: Behaviour) -> Behaviour:
        async def call(request: Any, context: Any) -> Any:
            caller = await self._enter(rule, request, context)
            answer = await behaviour(request, context)
            if rule.scope is Scope.ANSWER and not caller.may_enter(answer.programme):
                await self._end(programme_forbidden(answer.programme), rule.name, caller, request, context)
            return answer

        return call

    def _batch(self, rule: Rule, behaviour: Behaviour) -> Behaviour:
        async def call(request: Any, context: Any) -> Any:
            caller = await self._enter(rule, request, context)
            denied = self._check(request.commands, caller, rule)
            return complete(await behaviour(permitted(request, denied), context), denied)

        return call

    def _batches(self, rule: Rule, behaviour: Behaviour) -> Behaviour:
        async def call(requests: Any, context: Any) -> None:
            caller = await self._enter(rule, None, context)

            def check(batch: Any) -> Mapping[int, Denied]:
                self._check_expiry(caller, rule)
                if self._limits is not None and self._limits.exceeded(caller.actor):
                    limited = dict.fromkeys(range(len(batch.commands)), rate_limited())
                    self._count(limited, caller, rule)
                    return limited
                return self._check(batch.commands, caller, rule)

            await behaviour(requests, CheckedStream(context, check))

        return call

    def _answers(self, rule: Rule, behaviour: Behaviour) -> Behaviour:
        async def call(request: Any, context: Any) -> None:
            caller = await self._enter(rule, request, context)
            await behaviour(request, CheckedWriter(context, lambda: self._check_expiry(caller, rule)))

        return call

    def _reflection(self, behaviour: Callable[[Any, Any], AsyncIterator[Any]]) -> Behaviour:
        async def call(requests: Any, context: Any) -> None:
            await self._enter(None, None, context)
            async for answer in behaviour(requests, context):
                await context.write(answer)

        return call

    async def _enter(self, rule: Rule | None, request: Any, context: Any) -> Caller:
        """The caller, who may make this call; otherwise the call ends here."""
        caller = None
        try:
            caller = await self._credentials.caller(context)
            if rule is not None and caller.roles.isdisjoint(rule.roles):
                raise role_missing(rule)
            if self._limits is not None:
                if self._limits.exceeded(caller.actor):
                    raise rate_limited()
                self._limits.spend(caller.actor, 1)
            readable(request)
            if rule is not None:
                _check_programme(rule, request, caller)
            return caller
        except Exception as error:
            await self._end(error, rule.name if rule else "reflection", caller, request, context)

    def _check(self, commands: Any, caller: Caller, rule: Rule) -> Mapping[int, Denied]:
        checked = check_batch(commands, caller)
        if self._limits is not None:
            self._limits.spend(caller.actor, checked.size)
        if checked.denied:
            self._count(checked.denied, caller, rule)
        return checked.denied

    def _check_expiry(self, caller: Caller, rule: Rule) -> None:
        """Raises Denied once the caller's credential has ended: a stream may live longer than it."""
        if caller.expires_at <= self._now():
            denied = credential_expired()
            self._count({0: denied}, caller, rule)
            raise denied

    async def _end(self, error: Exception, rpc: str, caller: Caller | None, request: Any, context: Any) -> NoReturn:
        if isinstance(error, Denied):
            self._say(error, 1, rpc, caller)
        await end(context, error, request)

    def _count(self, denied: Mapping[int, Denied], caller: Caller, rule: Rule) -> None:
        """Count and log what was denied of a batch: one line for each reason, with the first of its kind."""
        for reason, commands in Counter(each.fault.reason for each in denied.values()).items():
            first = next(each for each in denied.values() if each.fault.reason == reason)
            self._say(first, commands, rule.name, caller)

    def _say(self, denied: Denied, number: int, rpc: str, caller: Caller | None) -> None:
        fault = denied.fault
        self.denials[fault.reason] += number
        _log.warning(
            "access.denied",
            reason=fault.reason,
            rpc=rpc,
            actor=caller.actor if caller else "",
            why=denied.why or fault.message,
            number=number,
            total=self.denials[fault.reason],
        )


def _check_programme(rule: Rule, request: Any, caller: Caller) -> None:
    """Raises Denied for a programme that is none of the caller's; writes the caller's actor into a command."""
    if rule.scope is Scope.HEADER:
        request.header.actor = caller.actor
        programme = request.header.programme
    elif rule.scope is Scope.REQUEST:
        programme = request.programme
    elif rule.scope is Scope.NOWHERE:
        programme = ""
    else:
        return  # batches are checked command by command, answers when they are there
    if not caller.may_enter(programme):
        raise programme_forbidden(programme)
