"""Is an int8 model as good as its float32 one? Asked on labelled photographs, before it is installed."""
