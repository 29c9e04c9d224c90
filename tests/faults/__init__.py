"""What breaks around a real service under load, and what must hold afterwards; one module for each fault."""
