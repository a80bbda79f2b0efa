"""The syntax of sources: a file in, a lazy table out. What columns mean is told in `kinds`."""
