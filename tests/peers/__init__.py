"""edged beside others, on the same frames and weights, in one run."""
