"""The ledger across a socket: what a gateway says to the writer's process, and what it hears back."""
