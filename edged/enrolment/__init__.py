"""From photographs to enrolled people: sources, checks, names, tables, the service, guided capture."""
