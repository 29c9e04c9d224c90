"""The read side of Loyalty Ledger: folds from events to views, and the engine that runs and rebuilds them."""
