"""What falls due, and when: lots with points left, holds, and locks that belong to no redemption."""
