"""Environments: gymnasium's, tables of transitions, two-player games."""
