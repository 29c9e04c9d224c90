"""What one caller may send (K05)."""

from adapters.grpc.access import limits
from adapters.grpc.access.limits import RateLimits


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_caller_waits_until_the_debt_of_a_batch_is_paid() -> None:
    clock = Clock()
    rate = RateLimits(100, clock)
    assert not rate.exceeded("till")
    rate.spend("till", 350)  # however large, a batch is taken whole
    clock.now += 2.4
    assert rate.exceeded("till")
    clock.now += 0.2
    assert not rate.exceeded("till")


def test_silence_saves_up_one_second_at_most() -> None:
    clock = Clock()
    rate = RateLimits(100, clock)
    rate.spend("till", 1)
    clock.now += 3_600
    rate.spend("till", 99)
    assert not rate.exceeded("till")
    rate.spend("till", 1)
    assert rate.exceeded("till")


def test_callers_have_a_bucket_each() -> None:
    rate = RateLimits(10, Clock())
    rate.spend("till", 10)
    assert rate.exceeded("till")
    assert not rate.exceeded("shop")


def test_the_callers_who_are_remembered_are_bounded() -> None:
    rate = RateLimits(1, Clock())
    for number in range(limits.CALLERS_MAX + 1):
        rate.spend(f"caller-{number}", 1)
    assert not rate.exceeded("caller-0")
    assert rate.exceeded("caller-1")
