"""A store that forgets when it is closed, for unit tests; it passes the same contract tests as the real one."""
