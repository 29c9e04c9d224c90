"""Redemptions and what became of them."""
