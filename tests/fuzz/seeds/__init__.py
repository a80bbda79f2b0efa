"""Small valid inputs of every format, made in code: what mutation starts from."""
