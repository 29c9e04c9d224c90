"""Stored forms that must be read for ever."""
