"""Random histories through the writer: what must hold for every one of them."""
