"""One module a schema, in the order of their numbers."""
