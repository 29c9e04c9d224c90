"""The writer over any store: the same history leaves the same log, hash by hash, whoever led when."""

import pytest

from adapters.postgres.store import PostgresStore
from ledger.receipts import Outcome, Receipt
from ledger.records import COLUMNS, GENESIS, chain, split_rows
from ledger.refusals import Refusal
from tests.contract.conftest import Database
from tests.contract.history import STEPS, tell
from tests.contract.worlds import MemoryWorld, PostgresWorld, World, contents, records

ALL = range(len(STEPS))


async def test_both_stores_keep_the_same_log_byte_for_byte(database: Database) -> None:
    memory, postgres = MemoryWorld(), PostgresWorld(database.app_dsn)
    answers = await tell(memory.store(), ALL)
    assert await tell(postgres.store(), ALL) == answers
    assert contents(postgres) == contents(memory)
    assert await postgres.store().acquire() == await memory.store().acquire()
