"""Compiling packs."""
