"""Network flows: one row a bidirectional conversation, from captures, logs and tables."""
