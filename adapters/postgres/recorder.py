"""The recorders of the `eventsourcing` library over the ledger's own tables: for what is built on that library.

The writer does not come this way. A recorder's append takes the shard's row under a new epoch, so a writer that leads
finds itself fenced and leads anew. Positions follow on without a gap, in the order of commits.
"""

import time
from collections import deque
from collections.abc import Sequence
from threading import Event
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    InterfaceError,
    Notification,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
    Subscription,
)
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.utils import retry
from psycopg import Cursor
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL

from adapters.postgres.appending import ADVANCE, COPY_EVENTS, COPY_OUTCOMES, LEAD, advance_parameters, copy_data
from adapters.postgres.connect import register
from adapters.postgres.mapper import RecordedEvent, RecordedNotification, batch_of, request_hash_of, stored_columns
from adapters.postgres.store import LEASE_SECONDS
from ledger.ports import Head
from ledger.receipts import Receipt, decode_answer

POLL_SECONDS = 0.05
"""How long a subscription sleeps when there is nothing new."""
_FETCH_MAX = 500
_VERSION_MAX, _POSITION_MAX = 2**31 - 1, 2**63 - 1

_SELECT = """
SELECT stream, version, topic, event, position, programme, command_id, actor, channel, correlation_id, trace,
       business_key, occurred_at, recorded_at, business_date, hash
FROM ledger.events WHERE"""
_STREAM = f"{_SELECT} stream = %s AND version > %s AND version <= %s ORDER BY version"
_LOG = f"{_SELECT} position >= %s AND position <= %s AND (%s OR topic = ANY(%s)) ORDER BY position LIMIT %s"
_ANSWERED = "SELECT request_hash, answer FROM ledger.outcomes WHERE command_id = %s"
_TRACKED = "SELECT max(position) AS max FROM projections.builds WHERE name = %s AND build = {version}"
_TRACK = """
INSERT INTO projections.builds AS kept (name, build, version, position, state)
SELECT %(application_name)s, {version}, {version}, %(notification_id)s,
       CASE WHEN EXISTS (SELECT FROM projections.builds WHERE name = %(application_name)s)
            THEN 'RETIRED' ELSE 'RUNNING' END
ON CONFLICT (name, build) DO UPDATE SET position = excluded.position, moved_at = clock_timestamp()
WHERE kept.position < excluded.position
RETURNING position
"""

_retry = retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)


def open_datastore(dsn: str, connections_max: int = 2) -> PostgresDatastore:
    """The library's pool of connections to a database; it opens at its first use, and the caller closes it."""
    datastore = PostgresDatastore(
        *[""] * 5,
        idle_in_transaction_session_timeout=LEASE_SECONDS,
        max_overflow=connections_max - 1,
        originator_id_type="text",
    )
    # The library takes a few parts of a DSN; the rest (encryption, time-outs, services) matters as much.
    datastore.pool.conninfo = dsn
    datastore.pool.kwargs = {"row_factory": dict_row, "application_name": "loyalty recorder"}
    return datastore


class LedgerRecorder(PostgresApplicationRecorder):
    """Reads and appends to ledger.events: a stream is an originator, a position is a notification id."""

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = "events", shard: int = 1) -> None:
        """The table is always ledger.events, whatever name the library's factory gives.

        Raises:
            NotSupportedError: the datastore uses database functions, with which a tailing reader loses events.
        """
        if datastore.enable_db_functions:
            raise NotSupportedError("positions must be in the order of commits: set POSTGRES_ENABLE_DB_FUNCTIONS=n")
        super().__init__(datastore, events_table_name=events_table_name)
        self.sql_create_statements.clear()
        self.max_notification_id_statement = SQL("SELECT max(position) AS max FROM ledger.events").format()
        self._shard = shard

    def create_table(self) -> None:
        """Refused. Raises ProgrammingError."""
        raise ProgrammingError("the ledger's tables are made by its migrations: set CREATE_TABLE=n")

    # -- appending

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append events as one accepted command, in a batch of its own; returns their positions, None for no events.

        Raises:
            IntegrityError: a version, a business key or the command id is taken; nothing was stored.
            NotSupportedError: something else is to be recorded with them.
        """
        if kwargs:
            raise NotSupportedError(f"only events are recorded here, no {', '.join(kwargs)}")
        if not stored_events:
            return None
        events = [RecordedEvent.of(event) for event in stored_events]
        ids = {event.envelope.command_id for event in events}
        if len(ids) > 1:
            raise ProgrammingError("events that are recorded together have one command id, or none has one")
        last: int = self._append(events, ids.pop() or uuid4().bytes)
        return list(range(last - len(events) + 1, last + 1))

    @_retry
    def _append(self, events: Sequence[RecordedEvent], command_id: bytes) -> int:
        """Append and return the last position. Taking the row waits for what a cut connection has left behind."""
        request_hash = request_hash_of(events)
        with self.datastore.transaction(commit=True) as plain, plain.connection.cursor(binary=True) as cursor:
            register(cursor)
            previous = Head(**cursor.execute(LEAD, (self._shard,)).fetchall()[0])
            for stored in cursor.execute(_ANSWERED, (UUID(bytes=command_id),)).fetchall():
                answer = decode_answer(stored["answer"])
                if stored["request_hash"] != request_hash or not isinstance(answer, Receipt):
                    raise IntegrityError("this command id was used before, for something else")
                return answer.position
            batch = batch_of(events, command_id, self._shard, previous, time.time_ns() // 1000)
            cursor.execute(ADVANCE, advance_parameters(self._shard, batch, previous))
            for statement, rows in ((COPY_EVENTS, batch.rows), (COPY_OUTCOMES, batch.outcomes)):
                with cursor.copy(statement) as copy:
                    copy.write(copy_data(rows))
            return batch.head.position

    def _insert_stored_events(self, curs: Cursor[DictRow], stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        """Refused: here a sequence would give the positions, under a lock of the table. Raises ProgrammingError."""
        raise ProgrammingError("events get their positions from the shard's row: use insert_events")

    # -- reading

    @_retry
    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[RecordedEvent]:
        """The events of a stream, or those of its versions in (gt, lte]."""
        after, last = -1 if gt is None else gt, _VERSION_MAX if lte is None else lte
        statement = f"{_STREAM} {'DESC' if desc else 'ASC'} LIMIT %s"
        rows = self._select(statement, str(originator_id), after, last, limit)
        return [RecordedEvent(**stored_columns(row)) for row in rows]

    @_retry
    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[RecordedNotification]:
        """The log from `start` to `stop`, both included unless asked otherwise."""
        first = 0 if start is None else start if inclusive_of_start else start + 1
        last = _POSITION_MAX if stop is None else stop
        rows = self._select(_LOG, first, last, not topics, list(topics), limit)
        return [RecordedNotification(id=row["position"], **stored_columns(row)) for row in rows]

    def _select(self, statement: str, *parameters: object) -> list[DictRow]:
        with self.datastore.get_connection() as connection, connection.cursor(binary=True) as cursor:
            register(cursor)
            return cursor.execute(statement.encode(), parameters).fetchall()

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """The log after `gt`, and then what is recorded, for ever."""
        return PollingSubscription(self, gt, topics)


class PollingSubscription(Subscription[ApplicationRecorder]):
    """Notifications by polling: a cut connection is replaced at the next look.

    Raises OperationalError when the database stays away; iterating again goes on from there.
    """

    def __init__(self, recorder: ApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder, gt or 0, topics)
        self._fetched: deque[Notification] = deque()
        self._stopped = Event()

    def stop(self) -> None:
        """Stop, from any thread."""
        super().stop()
        self._stopped.set()

    def __next__(self) -> Notification:
        while not self._stopped.is_set():
            if self._fetched:
                return self._fetched.popleft()
            if not self._fetch():
                self._stopped.wait(POLL_SECONDS)
        raise StopIteration

    def _fetch(self) -> bool:
        """Whether there was anything new, of whatever topic: what was passed over is not read again."""
        after = self._last_notification_id or 0
        head = self._recorder.max_notification_id() or 0
        if head <= after:
            return False
        found = self._recorder.select_notifications(after, _FETCH_MAX, head, self._topics, inclusive_of_start=False)
        self._fetched.extend(found)
        self._last_notification_id = found[-1].id if len(found) == _FETCH_MAX else head
        return True


class LedgerTracking(PostgresTrackingRecorder):
    """The checkpoints of all projections: what the library calls an application is a projection, in one version.

    `_insert_tracking` moves a checkpoint on the cursor, so in the transaction, of whoever writes the view.
    """

    def __init__(self, datastore: PostgresDatastore, *, tracking_table_name: str = "builds", version: int = 1) -> None:
        """The table is always projections.builds, whatever name the library's factory gives.

        Raises:
            NotSupportedError: the datastore wants a row for every notification.
        """
        if not datastore.single_row_tracking:
            raise NotSupportedError("a projection has one checkpoint: set SINGLE_ROW_TRACKING=y")
        super().__init__(datastore, tracking_table_name=tracking_table_name)
        self.sql_create_statements.clear()
        self.insert_tracking_statement = SQL(_TRACK).format(version=version)
        self.max_tracking_id_statement = SQL(_TRACKED).format(version=version)

    def create_table(self) -> None:
        """Refused. Raises ProgrammingError."""
        raise ProgrammingError("the table of checkpoints is made by the migrations: set CREATE_TABLE=n")
