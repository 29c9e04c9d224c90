"""PostgreSQL: the server that needs no installation, the event store and the tables of the views."""
