"""Access control of the gRPC server: who calls, and what they may do. Without a configuration none of it runs."""
