"""Signals of people and animals: recordings of one or more channels, cut into segments."""
