"""One story for each of those who use the product, told through what they are given: gRPC, the command line, SQL."""
