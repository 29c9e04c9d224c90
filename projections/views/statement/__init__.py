"""Members' statements: a line for every event that touched a member's points, with the balance after it."""
