"""Time series: one table, one step of time a row, the steps all alike."""
