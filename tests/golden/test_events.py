"""One stored example of each version of each event: what was written once must be read for ever, byte for byte.

A new version of an event adds a line; no line is ever changed.
"""

import json
from pathlib import Path

import msgspec
import pytest

from ledger.events import TOPICS, UPCASTERS, decode_event, encode_event

EXAMPLES = [json.loads(line) for line in (Path(__file__).parent / "events.jsonl").read_text().splitlines()]


def test_every_version_has_an_example() -> None:
    assert {example["topic"] for example in EXAMPLES} == set(TOPICS.values()) | set(UPCASTERS)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["topic"] for example in EXAMPLES])
def test_a_stored_event_is_read_and_written_as_it_was(example: dict[str, str]) -> None:
    """One of an earlier version is read as what its next version is read as, up to the one that is written now."""
    event = decode_event(example["topic"], example["event"].encode())
    if example["topic"] in UPCASTERS:
        topic, state = UPCASTERS[example["topic"]](example["event"].encode())
        assert topic.rpartition(".v")[0] == example["topic"].rpartition(".v")[0]
        assert decode_event(topic, state) == event
    else:
        assert TOPICS[type(event)] == example["topic"]
        assert encode_event(event) == example["event"].encode()


@pytest.mark.parametrize("topic", UPCASTERS)
def test_damaged_bytes_of_an_earlier_version_are_known_as_such(topic: str) -> None:
    """Whoever reads the log expects these two errors, and stops at that event; any other would end the reader."""
    (stored,) = [example["event"] for example in EXAMPLES if example["topic"] == topic]
    fields = json.loads(stored)
    damaged = [b"", b"7", b"[]", b"{}", stored[:-1].encode()]
    for other in ('{"a": {}}', "[7]", "[[]]"):
        damaged += [json.dumps({**fields, name: json.loads(other)}).encode() for name in fields]
    for state in damaged:
        with pytest.raises((KeyError, msgspec.MsgspecError)):
            decode_event(topic, state)
