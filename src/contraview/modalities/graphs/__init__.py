"""Graphs whose nodes have features: edge lists, node tables, archives."""
