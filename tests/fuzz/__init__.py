"""Hostile input: every reader of outside bytes, fed with what nobody would send in good faith."""
