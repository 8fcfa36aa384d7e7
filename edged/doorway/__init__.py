"""The door process: owner of every GPIO line, alive while vision is not. No numpy, no network."""
