"""One file a format; `shapes` finds the one for a path."""
