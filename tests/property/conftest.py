"""Settings of the random tests."""

from hypothesis import HealthCheck, settings

# No test asserts a time, and machines that run tests are slow now and then.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
