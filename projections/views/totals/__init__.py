"""Totals of a programme by business day: issued, becoming available, redeemed, expired, taken back, and by whom."""
