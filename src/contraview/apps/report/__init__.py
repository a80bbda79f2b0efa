"""A run as one HTML page that opens offline: what was learnt, what was found, why, how sure."""
