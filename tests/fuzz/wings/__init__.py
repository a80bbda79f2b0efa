"""The readers of each wing, driven as far as a fit drives them. One is imported at a time."""
