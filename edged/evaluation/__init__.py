"""Protocols and figures for measuring a pack; never used by the daemon."""
