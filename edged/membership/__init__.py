"""A door's side of a fleet: its keys, whom it believes, and the gallery that it was given."""
