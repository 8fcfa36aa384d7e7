"""A door on a desk: photographs instead of a camera, a fake lock, a broker of its own."""
