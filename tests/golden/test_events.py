"""One stored example of each version of each event: what was written once must be read for ever, byte for byte.

A new version of an event adds a line; no line is ever changed.
"""

import json
from pathlib import Path

import pytest

from ledger.events import TOPICS, UPCASTERS, decode_event, encode_event

EXAMPLES = [json.loads(line) for line in (Path(__file__).parent / "events.jsonl").read_text().splitlines()]


def test_every_version_has_an_example() -> None:
    assert {example["topic"] for example in EXAMPLES} == set(TOPICS.values()) | set(UPCASTERS)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["topic"] for example in EXAMPLES])
def test_a_stored_event_is_read_and_written_as_it_was(example: dict[str, str]) -> None:
    event = decode_event(example["topic"], example["event"].encode())
    assert TOPICS[type(event)] == example["topic"]
    assert encode_event(event) == example["event"].encode()
