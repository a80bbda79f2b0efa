"""Text: lines, columns of tables, lists of strings."""
