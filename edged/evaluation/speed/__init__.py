"""How long a door's work takes on this machine, and what it should therefore run with."""
