"""A verb over files of any size: answers part by part, in one process or on a Ray cluster."""
