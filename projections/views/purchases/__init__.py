"""Purchases as they were recorded: orders, their lines, and what came back."""
