"""The views, a folder each; none knows another."""
