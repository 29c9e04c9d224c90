"""Whether what concurrent clients were answered could have come from one ledger that does one thing after the other."""
