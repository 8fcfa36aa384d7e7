"""Pure values and rules: no I/O, threads or clock reads."""
