"""The write side, in the words of a loyalty desk: given these lines, when this one, then this."""
