"""Holds: points set aside, from when on, until when, and what became of them."""
