"""Scorers fitted on benign rows alone: higher is more anomalous.

Each has ``fit(rows)``, ``score(rows)``, and ``learnt()`` / ``restore(learnt)`` as plain arrays. A
row's score depends on that row and on the fit, never on the rows it is scored with.
"""
