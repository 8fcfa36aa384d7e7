"""The edges of the world: cameras and locks, real and fake."""
