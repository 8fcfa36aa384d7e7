"""Pixels to facts: detection, alignment, embedding, quality."""
