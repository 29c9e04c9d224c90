"""A second, simple model of the ledger: it folds the log and checks what must hold at every position.

It knows events and ids only, and shares no decision with what it checks.
"""
