"""Everything that touches the world outside: databases, networks, files, terminals."""
