"""One wing a kind of data; wings do not import each other."""
