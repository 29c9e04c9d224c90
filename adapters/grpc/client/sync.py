"""The client for programs without asyncio: the asyncio client on an event loop in a thread of its own.

Threads that call it at the same time share batches.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from adapters.grpc.client.access import Tls, Token
from adapters.grpc.client.aio import AsyncLedgerClient
from adapters.grpc.client.retries import Retries
from loyalty.v1.events_pb2 import RecordedEvent

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _blocking(
    method: Callable[Concatenate[AsyncLedgerClient, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate["LedgerClient", _P], _T]:
    @wraps(method)
    def call(client: "LedgerClient", /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return client.run(method(client.aio, *args, **kwargs))

    return call


class LedgerClient:
    """A client whose calls block; any number of threads may use it."""

    def __init__(
        self,
        target: str,
        *,
        programme: str = "",
        channel: str = "",
        actor: str = "",
        timeout_seconds: float = 30.0,
        retries: Retries | None = None,
        tls: Tls | None = None,
        token: Token | None = None,
    ) -> None:
        """As for AsyncLedgerClient."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ledger-client", daemon=True)
        self._thread.start()

        async def make() -> AsyncLedgerClient:
            return AsyncLedgerClient(
                target,
                programme=programme,
                channel=channel,
                actor=actor,
                timeout_seconds=timeout_seconds,
                retries=retries,
                tls=tls,
                token=token,
            )

        try:
            self.aio = self.run(make())
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what was submitted, then close the connection and end the thread."""
        if self._loop.is_closed():
            return
        self.run(self.aio.close())
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, call: Coroutine[Any, Any, _T]) -> _T:
        """The result of a call of `aio`."""
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    open_programme = _blocking(AsyncLedgerClient.open_programme)
    change_programme = _blocking(AsyncLedgerClient.change_programme)
    advance_clock = _blocking(AsyncLedgerClient.advance_clock)
    enrol_member = _blocking(AsyncLedgerClient.enrol_member)
    freeze_member = _blocking(AsyncLedgerClient.freeze_member)
    unfreeze_member = _blocking(AsyncLedgerClient.unfreeze_member)
    close_member = _blocking(AsyncLedgerClient.close_member)
    earn = _blocking(AsyncLedgerClient.earn)
    record_purchase = _blocking(AsyncLedgerClient.record_purchase)
    activate = _blocking(AsyncLedgerClient.activate)
    extend_expiry = _blocking(AsyncLedgerClient.extend_expiry)
    refund_purchase = _blocking(AsyncLedgerClient.refund_purchase)
    adjust = _blocking(AsyncLedgerClient.adjust)
    reverse = _blocking(AsyncLedgerClient.reverse)
    define_reward = _blocking(AsyncLedgerClient.define_reward)
    redeem = _blocking(AsyncLedgerClient.redeem)
    fulfil = _blocking(AsyncLedgerClient.fulfil)
    cancel = _blocking(AsyncLedgerClient.cancel)
    hold = _blocking(AsyncLedgerClient.hold)
    capture_hold = _blocking(AsyncLedgerClient.capture_hold)
    release_hold = _blocking(AsyncLedgerClient.release_hold)
    transfer = _blocking(AsyncLedgerClient.transfer)
    expire_due = _blocking(AsyncLedgerClient.expire_due)
    receive_stock = _blocking(AsyncLedgerClient.receive_stock)
    lock_stock = _blocking(AsyncLedgerClient.lock_stock)
    release_stock = _blocking(AsyncLedgerClient.release_stock)
    ship_stock = _blocking(AsyncLedgerClient.ship_stock)
    publish_allocation_policy = _blocking(AsyncLedgerClient.publish_allocation_policy)
    count_stock = _blocking(AsyncLedgerClient.count_stock)
    discontinue_stock = _blocking(AsyncLedgerClient.discontinue_stock)
    transfer_stock = _blocking(AsyncLedgerClient.transfer_stock)

    submit = _blocking(AsyncLedgerClient.submit)
    execute = _blocking(AsyncLedgerClient.execute)
    sweep = _blocking(AsyncLedgerClient.sweep)

    get_balance = _blocking(AsyncLedgerClient.get_balance)
    list_lots = _blocking(AsyncLedgerClient.list_lots)
    list_entries = _blocking(AsyncLedgerClient.list_entries)
    get_redemption = _blocking(AsyncLedgerClient.get_redemption)
    list_redemptions = _blocking(AsyncLedgerClient.list_redemptions)
    get_inventory = _blocking(AsyncLedgerClient.get_inventory)
    list_inventory = _blocking(AsyncLedgerClient.list_inventory)
    list_locks = _blocking(AsyncLedgerClient.list_locks)
    list_holds = _blocking(AsyncLedgerClient.list_holds)
    list_expiring = _blocking(AsyncLedgerClient.list_expiring)
    get_totals = _blocking(AsyncLedgerClient.get_totals)
    get_command = _blocking(AsyncLedgerClient.get_command)

    def subscribe_events(self, **asked: Any) -> Iterator[RecordedEvent]:
        """As `AsyncLedgerClient.subscribe_events`, waiting for each event."""
        events = self.aio.subscribe_events(**asked)

        async def following() -> RecordedEvent | None:
            return await anext(events, None)

        try:
            while (event := self.run(following())) is not None:
                yield event
        finally:
            self.run(events.aclose())
