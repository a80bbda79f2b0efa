"""The weeks after the fit: rules that quieten, feedback that teaches, drift that is told of."""
