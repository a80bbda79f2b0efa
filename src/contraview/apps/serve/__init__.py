"""The service: a page on alerts as they come, or on any model's items, and a JSON API beside it."""
