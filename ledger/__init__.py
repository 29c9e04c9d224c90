"""The write side of Loyalty Ledger: what may happen to points and stock, and the writer that records it."""
