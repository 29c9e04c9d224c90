"""Mutation testing of decisions and states: what mutants survive the tests, and why that is all right."""
