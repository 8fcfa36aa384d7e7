"""From photographs to templates: reading, checking, refusing, storing."""
