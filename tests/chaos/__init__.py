"""Long trials of the daemon and its parts under fault."""
