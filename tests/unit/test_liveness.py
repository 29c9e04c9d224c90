"""When a process counts as hung."""

from adapters.app.liveness import Silence


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
