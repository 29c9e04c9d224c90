"""The command line: `loyalty`."""
