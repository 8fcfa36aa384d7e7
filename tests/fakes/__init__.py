"""Parts that stand in for the world and obey its rules."""
