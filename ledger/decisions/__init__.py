"""Decisions: pure functions from states and a command to events, or to a refusal."""
