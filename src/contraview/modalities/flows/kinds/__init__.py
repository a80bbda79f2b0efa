"""What the columns of known flow records mean: which are inputs, identity, label and time."""
