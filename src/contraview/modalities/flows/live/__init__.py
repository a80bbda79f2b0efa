"""Flows from sources that grow: logs that rotate, pipes, an interface, NetFlow exporters."""
