"""A simulation of writers, database, network and callers, in which a seed decides everything.

    python -m tests.simulation 12345           # one seed, with all that happened
    python -m tests.simulation 12345 1000      # a thousand of them, from this one on

Writers are the real ones. The database, the network, the callers, the clocks and time itself are scripted.
"""
