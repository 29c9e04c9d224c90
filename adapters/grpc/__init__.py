"""The gRPC interface: the server that maps the contract to the ledger and the views, and its Python client."""
