"""Programmes: their settings and, where it is manual, their clock."""
