"""One module a way to find and embed a face; each is imported in a process of its own, in its own environment."""
