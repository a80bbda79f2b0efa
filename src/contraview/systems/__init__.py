"""One file a paper; systems do not import each other."""
