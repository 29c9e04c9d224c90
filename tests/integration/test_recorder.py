"""The recorders and the mapper: the cases that the library tests its own with, and what our tables add."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import date
from types import ModuleType
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import (
    EventStore,
    InfrastructureFactory,
    IntegrityError,
    MapperDeserialisationError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)
from eventsourcing.postgres import PostgresDatastore, PostgresFactory
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres.embedded import Endpoint, temporary_server
from adapters.postgres.mapper import Envelope, LedgerMapper, RecordedEvent, StreamEvent
from adapters.postgres.migrate import migrate
from adapters.postgres.recorder import LedgerRecorder, LedgerTracking, open_datastore
from adapters.postgres.store import PostgresStore
from adapters.postgres.verify import verify
from ledger.errors import Fenced
from ledger.events import UPCASTERS, MemberEnrolled, StockReceived

with pytest.MonkeyPatch.context() as patch:
    # The library's cases import its cipher, and with it a package that we have no use for: none of them encrypts.
    cipher: Any = ModuleType("eventsourcing.cipher")
    cipher.AESCipher = None
    patch.setitem(sys.modules, cipher.__name__, cipher)
    from eventsourcing.tests import persistence as library

ANNA = "shop/member/anna"


class Database(NamedTuple):
    """A fresh database with the ledger's tables."""

    owner_dsn: str
    app_dsn: str


@pytest.fixture(scope="session")
def server() -> Iterator[Endpoint]:
    with temporary_server({"fsync": "off"}) as running:
        yield running.endpoint()


@pytest.fixture
def database(server: Endpoint) -> Database:
    """Empty tables made anew: a fifth of what a new database costs."""
    with psycopg.connect(server.superuser_dsn, autocommit=True) as superuser:
        superuser.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'loyalty_app'")
        superuser.execute("DROP SCHEMA IF EXISTS ledger, projections CASCADE")
        superuser.execute("DROP TABLE IF EXISTS public.alembic_version")
    migrate(server.owner_dsn, server.app_dsn)
    return Database(server.owner_dsn, server.app_dsn)


@pytest.fixture
def datastore(database: Database) -> Iterator[PostgresDatastore]:
    with open_datastore(database.app_dsn) as opened:
        yield opened


@pytest.fixture
def recorder(datastore: PostgresDatastore) -> LedgerRecorder:
    return LedgerRecorder(datastore)


def one(dsn: str, query: str, *parameters: object) -> Any:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row[0]


def stored(version: int, stream: str = ANNA) -> StoredEvent:
    return StoredEvent(stream, version, "test.happened.v1", b"{}")


# -- the library's own cases


class OnOurTables:
    """Recorders on a fresh database, and streams with names of ours."""

    @pytest.fixture(autouse=True)
    def _datastore(self, database: Database) -> Iterator[None]:
        with open_datastore(database.app_dsn, connections_max=8) as self.datastore:
            yield

    def new_originator_id(self) -> str:
        return f"shop/member/{uuid4()}"

    def create_recorder(self) -> LedgerRecorder:
        return LedgerRecorder(self.datastore)


class WithoutPositions(LedgerRecorder):
    """The library's aggregate recorders have no notification ids to return, and their case insists on None."""

    def insert_events(self, stored_events: Any, **kwargs: Any) -> None:
        super().insert_events(stored_events, **kwargs)


class TestLibraryAggregateRecorder(OnOurTables, library.AggregateRecorderTestCase):
    def create_recorder(self) -> WithoutPositions:
        return WithoutPositions(self.datastore)


class TestLibraryApplicationRecorder(OnOurTables, library.ApplicationRecorderTestCase[LedgerRecorder]):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestLibraryPositionsDoNotInterleave(OnOurTables, library.NonInterleavingNotificationIDsBaseCase):
    pass


class TestLibraryTrackingRecorder(OnOurTables, library.TrackingRecorderTestCase):
    def create_recorder(self) -> LedgerTracking:  # type: ignore[override]
        return LedgerTracking(self.datastore)


# -- appending


def test_what_is_recorded_carries_on_the_chain(recorder: LedgerRecorder, database: Database) -> None:
    recorder.insert_events([stored(1), stored(2)])
    recorder.insert_events([stored(3), stored(1, "shop/member/bo")])
    report = verify(database.app_dsn, processes=1)
    assert (report.events, report.commands, report.batches, report.problems) == (4, 2, 2, [])


def test_an_envelope_left_out_is_filled_in(recorder: LedgerRecorder, database: Database) -> None:
    recorder.insert_events([stored(1), stored(2)])
    first, second = (event.envelope for event in recorder.select_events(ANNA))
    assert first.command_id == second.command_id
    assert len(first.command_id) == 16
    assert (first.programme, first.actor, first.channel) == ("shop", "eventsourcing", "eventsourcing")
    assert first.recorded_at == second.recorded_at == first.occurred_at
    assert (first.position, second.position) == (1, 2)
    answer = one(database.app_dsn, "SELECT convert_from(answer, 'UTF8') FROM ledger.outcomes")
    assert answer == "[2,[]]"


def test_an_envelope_that_was_given_is_read_back(recorder: LedgerRecorder) -> None:
    given = Envelope("shop", bytes(15) + b"1", "till 7", "pos", "bill 4", b"\0trace", bytes(16), 5, date(1970, 1, 2))
    recorder.insert_events([RecordedEvent(ANNA, 1, "test.happened.v1", b"{}", given)])
    (notification,) = recorder.select_notifications(1, 10)
    read = notification.envelope
    assert read.recorded_at is not None
    assert read == Envelope(
        "shop", given.command_id, "till 7", "pos", "bill 4", b"\0trace", bytes(16), 5, date(1970, 1, 2),
        position=1, recorded_at=read.recorded_at, hash=read.hash,
    )  # fmt: skip


def test_one_business_key_is_recorded_once(recorder: LedgerRecorder) -> None:
    key = Envelope(business_key=uuid4().bytes)
    recorder.insert_events([RecordedEvent(ANNA, 1, "test.happened.v1", b"{}", key)])
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored(2), RecordedEvent(ANNA, 3, "test.happened.v1", b"{}", key)])
    assert recorder.max_notification_id() == 1


def test_a_command_id_gives_the_same_positions_for_ever(recorder: LedgerRecorder) -> None:
    command = Envelope(command_id=uuid4().bytes)
    events = [RecordedEvent(ANNA, version, "test.happened.v1", b"{}", command) for version in (1, 2)]
    recorder.insert_events([stored(1, "shop/member/bo")])
    assert recorder.insert_events(events) == recorder.insert_events(events) == [2, 3]
    with pytest.raises(IntegrityError, match="command id"):
        recorder.insert_events(events[:1])
    with pytest.raises(ProgrammingError, match="one command id"):
        recorder.insert_events([*events, stored(3)])


def test_a_lost_answer_to_a_commit_records_nothing_twice(
    recorder: LedgerRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction: Callable[..., Any] = recorder.datastore.transaction
    cuts = [OperationalError("cut after the commit")]

    @contextlib.contextmanager
    def cut(*, commit: bool) -> Iterator[Any]:
        with transaction(commit=commit) as cursor:
            yield cursor
        if cuts:
            raise cuts.pop()

    monkeypatch.setattr(recorder.datastore, "transaction", cut)
    assert recorder.insert_events([stored(1), stored(2)]) == [1, 2]
    assert not cuts
    assert recorder.max_notification_id() == 2


async def test_a_writer_that_leads_is_fenced_by_a_recorder(recorder: LedgerRecorder, database: Database) -> None:
    store = PostgresStore(database.app_dsn)
    head = await store.acquire()
    recorder.insert_events([stored(1)])
    with pytest.raises(Fenced):
        await store.renew(head.epoch)
    assert (await store.acquire()).position == 1
    await store.close()


def test_the_librarys_way_to_append_is_closed(recorder: LedgerRecorder) -> None:
    with recorder.datastore.transaction() as cursor, pytest.raises(ProgrammingError, match="insert_events"):
        recorder._insert_stored_events(cursor, [stored(1)])
    with pytest.raises(ProgrammingError, match="migrations"):
        recorder.create_table()
    with pytest.raises(NotSupportedError, match="tracking"):
        recorder.insert_events([stored(1)], tracking=Tracking("upstream", 1))
    recorder.datastore.enable_db_functions = True
    with pytest.raises(NotSupportedError):
        LedgerRecorder(recorder.datastore)
    assert recorder.max_notification_id() is None


def test_the_librarys_factory_makes_our_classes_but_no_tables(database: Database) -> None:
    parts = {name: str(value) for name, value in conninfo_to_dict(database.app_dsn).items()}
    environment = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "APPLICATION_RECORDER_TOPIC": "adapters.postgres.recorder:LedgerRecorder",
        "TRACKING_RECORDER_TOPIC": "adapters.postgres.recorder:LedgerTracking",
        "MAPPER_TOPIC": "adapters.postgres.mapper:LedgerMapper",
        "POSTGRES_DBNAME": parts["dbname"],
        "POSTGRES_HOST": parts["host"],
        "POSTGRES_USER": parts["user"],
        "POSTGRES_PASSWORD": parts["password"],
    }
    with InfrastructureFactory.construct(environment) as factory:
        assert isinstance(factory, PostgresFactory)
        assert isinstance(factory.mapper(), LedgerMapper)
        with pytest.raises(ProgrammingError, match="CREATE_TABLE=n"):
            factory.application_recorder()
        factory.env["CREATE_TABLE"] = "n"
        assert isinstance(factory.tracking_recorder(), LedgerTracking)
        assert factory.application_recorder().insert_events([stored(1)]) == [1]


# -- reading on


def test_a_subscription_outlives_its_connections(recorder: LedgerRecorder, server: Endpoint) -> None:
    with recorder.subscribe() as subscription, psycopg.connect(server.superuser_dsn, autocommit=True) as superuser:
        for position in range(1, 4):
            recorder.insert_events([stored(position)])
            superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'loyalty_app'")
            assert next(subscription).id == position


def test_a_subscription_reads_on_over_more_than_it_fetches_at_once(recorder: LedgerRecorder) -> None:
    recorder.insert_events([stored(version) for version in range(1, 1502)])
    recorder.insert_events([StoredEvent(ANNA, 1502, "test.other.v1", b"{}")])
    with recorder.subscribe(gt=1) as subscription:
        assert [next(subscription).id for _ in range(1501)] == list(range(2, 1503))
    with recorder.subscribe(topics=["test.other.v1"]) as subscription:
        assert next(subscription).id == 1502


# -- tracking


@pytest.fixture
def tracking(datastore: PostgresDatastore) -> LedgerTracking:
    return LedgerTracking(datastore)


def test_a_checkpoint_moves_with_the_view_or_not_at_all(tracking: LedgerTracking, datastore: PostgresDatastore) -> None:
    with datastore.transaction(commit=True) as cursor:
        tracking._insert_tracking(cursor, Tracking("balances", 7))
    with datastore.transaction(commit=False) as cursor:
        tracking._insert_tracking(cursor, Tracking("balances", 8))
    assert tracking.max_tracking_id("balances") == 7


def test_versions_of_a_projection_are_tracked_apart_and_the_first_is_live(
    tracking: LedgerTracking, datastore: PostgresDatastore, database: Database
) -> None:
    second = LedgerTracking(datastore, version=2)
    tracking.insert_tracking(Tracking("balances", 7))
    second.insert_tracking(Tracking("balances", 3))
    assert (tracking.max_tracking_id("balances"), second.max_tracking_id("balances")) == (7, 3)
    assert one(database.app_dsn, "SELECT array_agg(version) FROM projections.builds WHERE state = 'RUNNING'") == [1]


def test_the_librarys_ways_to_track_are_closed(tracking: LedgerTracking, datastore: PostgresDatastore) -> None:
    with pytest.raises(ProgrammingError, match="CREATE_TABLE=n"):
        tracking.create_table()
    datastore.single_row_tracking = False
    with pytest.raises(NotSupportedError):
        LedgerTracking(datastore)


# -- mapping


def test_events_of_the_ledger_pass_through_the_librarys_store(recorder: LedgerRecorder) -> None:
    store = EventStore(LedgerMapper(), recorder)
    till = Envelope(actor="till 7", occurred_at=1_700_000_000_000_000)
    store.put([StreamEvent(ANNA, 1, MemberEnrolled("anna"), till)])
    store.put([StreamEvent("shop/stock/mug@hall", 1, StockReceived("mug", "hall", 5, 200))])
    (enrolled,) = store.get(ANNA)
    assert isinstance(enrolled, StreamEvent)
    assert (enrolled.fact, enrolled.originator_id, enrolled.originator_version) == (MemberEnrolled("anna"), ANNA, 1)
    assert (enrolled.envelope.actor, enrolled.envelope.occurred_at) == ("till 7", till.occurred_at)
    topics = [notification.topic for notification in recorder.select_notifications(1, 10)]
    assert topics == ["member.enrolled.v1", "stock.received.v1"]


def test_an_old_version_is_upcast_by_the_one_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    upcast = ("member.enrolled.v1", b'{"member":"anna"}')
    monkeypatch.setitem(UPCASTERS, "member.enrolled.v0", lambda old: upcast if old == b'{"who":"anna"}' else ("", b""))
    event = LedgerMapper().to_domain_event(StoredEvent(ANNA, 1, "member.enrolled.v0", b'{"who":"anna"}'))
    assert event == StreamEvent(ANNA, 1, MemberEnrolled("anna"))


@pytest.mark.parametrize(
    ("topic", "state"),
    [("nobody.knows.v1", b"{}"), ("points.held.v1", b"{}"), ("points.held.v1", b"\xff")],
    ids=["unknown topic", "fields missing", "no JSON"],
)
def test_what_cannot_be_read_is_said_with_its_place(topic: str, state: bytes) -> None:
    with pytest.raises(MapperDeserialisationError, match=f"version 3 of {ANNA}"):
        LedgerMapper().to_domain_event(StoredEvent(ANNA, 3, topic, state))


def test_the_mapper_stores_nothing_an_auditor_cannot_read() -> None:
    with pytest.raises(NotSupportedError):
        LedgerMapper(compressor=cipher)
    with pytest.raises(TypeError, match="StreamEvent"):
        LedgerMapper().to_stored_event(stored(1))  # type: ignore[arg-type]
