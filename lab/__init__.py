"""The traffic laboratory: real servers, clients and tools in network namespaces without a way out.

``python -m lab --out DIR`` builds it, lets it live for a few compressed "days", and writes a
capture, the truth and labelled flows for each. See docs/lab.md.
"""
