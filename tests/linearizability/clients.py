"""Concurrent clients that do whatever comes to their mind, and send again what nobody answered."""

import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import grpc

from tests.integration.service import stubs
from tests.linearizability import messages, specification
from tests.linearizability.messages import Place
from tests.linearizability.recorder import Recorder

DEADLINE_SECONDS = 1.5
SETTLE_SECONDS_MAX = 60
_UNKNOWN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
]


class Letter(NamedTuple):
    """A command as it is sent, by whomever and however often."""

    id: str
    place: Place
    call: Any
    message: Any


class Crowd:
    """Clients of one round, who have seen the log up to `begin`. What one of them could not deliver, another may."""

    def __init__(self, address: str, places: Sequence[Place], begin: int, clients: int, seed: int) -> None:
        self.recorder = Recorder(begin)
        self._letters: dict[str, Letter] = {}
        self._copies: deque[Letter] = deque()
        self._address, self._places, self._begin = address, places, begin
        self._stop = threading.Event()
        self._faults: list[BaseException] = []
        self._threads = [threading.Thread(target=self._live, args=(random.Random(seed + n),)) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def work(self, answers: int, seconds: float = 60) -> None:
        """Wait until there are so many more answers."""
        enough, deadline = self.recorder.answers + answers, time.monotonic() + seconds
        while self.recorder.answers < enough and not self._stop.is_set():
            assert time.monotonic() < deadline, "the service answers too little"
            time.sleep(0.01)

    def stop(self) -> None:
        """End the clients; raises what one of them did not expect."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._faults:
            raise self._faults[0]

    def settle(self, numbers: random.Random, share: float) -> None:
        """Ask again about a share of what was never answered, and a few other commands: answers stay the same."""
        letters = [self._letters[i] for i in self.recorder.unanswered() if numbers.random() < share]
        letters += numbers.sample(list(self._letters.values()), min(20, len(self._letters)))
        with grpc.insecure_channel(self._address, options=_OPTIONS) as channel:
            client = _Client(channel, self.recorder, self._begin)
            deadline = time.monotonic() + SETTLE_SECONDS_MAX
            for letter in letters:
                while not client.deliver(letter):
                    assert time.monotonic() < deadline, "the service does not answer"
                    time.sleep(0.1)

    def _live(self, numbers: random.Random) -> None:
        try:
            with grpc.insecure_channel(self._address, options=_OPTIONS) as channel:
                client = _Client(channel, self.recorder, self._begin)
                step = 0
                while not self._stop.is_set():
                    step += 1
                    self._act(client, numbers, step)
        except BaseException as fault:
            self._faults.append(fault)
            self._stop.set()

    def _act(self, client: "_Client", numbers: random.Random, step: int) -> None:
        place = numbers.choice(self._places)
        if numbers.random() < 0.2:
            client.read(place, numbers.choice(_READS), latest=numbers.random() < 0.5)
            return
        try:
            letter = self._copies.popleft()
        except IndexError:
            letter = self._write(place, any_command(numbers, step))
            if numbers.random() < 0.15:
                self._copies.append(letter)  # somebody else sends it at the same time
        while not client.deliver(letter) and not self._stop.wait(0.05):
            fate = numbers.random()
            if fate < 0.1:
                self._copies.append(letter)  # somebody else may try
            if fate < 0.2:
                return

    def _write(self, place: Place, call: Any) -> Letter:
        command_id = str(uuid.uuid4())
        letter = Letter(command_id, place, call, messages.request(place, command_id, call))
        self._letters[command_id] = letter
        return letter


class _Client:
    """One connection, and the position that was seen over it last."""

    def __init__(self, channel: grpc.Channel, recorder: Recorder, seen: int) -> None:
        self._commands, self._queries = stubs(channel)
        self._recorder = recorder
        self._seen = seen

    def deliver(self, letter: Letter) -> bool:
        """Send a command; whether an answer came."""
        self._recorder.sends(letter.id, letter.place.key, letter.call)
        try:
            receipt = messages.send(self._commands, letter.message, DEADLINE_SECONDS)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                refused, repeated = messages.refusal(error)
                self._recorder.was_told(letter.id, refused, 0, repeated)
                return True
            if error.code() not in _UNKNOWN:
                raise
            self._recorder.learns_nothing()
            return False
        accepted, position = messages.receipt(letter.place, receipt)
        self._recorder.was_told(letter.id, accepted, position, receipt.repeated)
        self._seen = max(self._seen, position)
        return True

    def read(self, place: Place, call: Any, latest: bool) -> None:
        """Ask for what anybody was told last, or for no less than was seen here; no answer is no operation."""
        read = self._recorder.asks(place.key, call, None if latest else self._seen)
        assert read.asked is not None
        try:
            answer, position = messages.read(self._queries, place, call, read.asked, DEADLINE_SECONDS)
        except grpc.RpcError as error:
            if error.code() not in _UNKNOWN:
                raise
            return
        self._recorder.has_read(read, answer, position)
        self._seen = max(self._seen, position)


# -- what comes to their mind

_MEMBERS = ("anna", "bo")
_READS = (*(specification.ReadBalance(member) for member in _MEMBERS), specification.ReadStock())


def any_command(numbers: random.Random, step: int) -> Any:
    """Any command. There are few ids and little to spend, so that clients get in each other's way."""
    member, other = numbers.sample(_MEMBERS, 2)
    points = numbers.randint(1, 9)
    hold, lock = f"h{numbers.randrange(3)}", f"l{numbers.randrange(3)}"
    fresh = f"{step // 10 + numbers.randrange(3)}"  # the same for all clients at about the same time
    s = specification
    choices: dict[Callable[[], Any], int] = {
        lambda: s.Earn(member, points, fresh): 5,
        lambda: s.Hold(member, hold, points): 4,
        lambda: s.Capture(member, hold, points): 3,
        lambda: s.Release(member, hold): 2,
        lambda: s.Transfer(member, other, points): 4,
        lambda: s.Redeem(fresh, member): 4,
        lambda: s.Fulfil(fresh): 2,
        lambda: s.Cancel(fresh): 2,
        lambda: s.Receive(numbers.randint(1, 3)): 1,
        lambda: s.Lock(lock, numbers.randint(1, 3)): 2,
        lambda: s.Unlock(lock): 1,
        lambda: s.Ship(lock): 1,
    }
    return numbers.choices(list(choices), list(choices.values()))[0]()
