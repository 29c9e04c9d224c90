"""Where commands print to: what was asked for, and what went wrong."""

from rich.console import Console

console = Console()
errors = Console(stderr=True)


def say(fault: Exception | str) -> None:
    """Print a fault that the user can mend, as one line."""
    errors.print(str(fault), style="red", markup=False, highlight=False, soft_wrap=True)
