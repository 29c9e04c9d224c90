"""States: what decisions know of a stream, folded from its events; owned and changed by the writer alone."""
