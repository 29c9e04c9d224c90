"""The gRPC interface: the server that maps the contract in protos/ to the ledger and the views, and its Python client."""
