"""The benchmarks: each prints its yardstick, measured in the same run, and the ratio to it."""
