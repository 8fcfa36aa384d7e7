"""One module a way to find and embed a face, each imported in a process of its own."""
