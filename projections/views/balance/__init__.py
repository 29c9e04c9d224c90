"""What members own: lots with what is left of them, and sums of them that a balance is read from."""
