"""When a process counts as hung, and how soon one that died is started again."""

from adapters.app.liveness import LOOP_SECONDS, RESTART_SECONDS_MAX, RESTART_SECONDS_MIN, Pauses, Silence


def test_a_process_that_says_nothing_is_silent_from_its_start_on() -> None:
    """One that hangs before its first word is noticed, too."""
    silence = Silence(100.0)
    assert [silence.look(100.0 + seconds) for seconds in (0.5, 1.0, 2.0, 3.0)] == [0.5, 1.0, 2.0, 3.0]


def test_a_word_ends_the_silence() -> None:
    """It counts from the look at which it was heard."""
    silence = Silence(0.0)
    silence.look(1.0)
    silence.end()
    assert silence.look(2.0) == 0.0
    assert silence.look(2.5) == 0.5


def test_a_supervisor_that_stood_still_blames_nobody() -> None:
    """Of an hour in which it did not look, a second counts; what was said meanwhile it may be yet to hear."""
    silence = Silence(0.0)
    assert silence.look(3_600.0) == 1.0
    silence.end()
    assert silence.look(3_600.1) == 0.0


def _pauses(pauses: Pauses, deaths: int, lives_seconds: float, now: float = 0.0) -> list[float]:
    """The pauses of a process that dies again and again after living for so long."""
    found = []
    for _ in range(deaths):
        now += lives_seconds
        found.append(pauses.after_death(now))
        now += found[-1]
    return found


def test_a_crash_loop_backs_off() -> None:
    """A process that dies after a second is started six times in half a minute, then as often in each."""
    pauses = _pauses(Pauses(), 1_000, lives_seconds=1.0)
    assert pauses[:6] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4]
    assert max(pauses) == RESTART_SECONDS_MAX
    assert sum(pauses) / len(pauses) > 3


def test_a_process_that_lived_for_a_while_begins_anew_at_the_shortest_pause() -> None:
    """However often it died before."""
    pauses = Pauses()
    _pauses(pauses, 100, lives_seconds=0.0, now=0.0)
    assert pauses.after_death(1e6) == RESTART_SECONDS_MIN
    assert pauses.after_death(1e6 + LOOP_SECONDS) == RESTART_SECONDS_MIN


def test_a_process_that_is_killed_now_and_then_is_soon_there_again() -> None:
    """After twenty kills, each ten seconds after it was back, it took ten seconds once."""
    assert max(_pauses(Pauses(), 20, lives_seconds=10.0)) <= 4 * RESTART_SECONDS_MIN
