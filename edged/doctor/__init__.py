"""``edged doctor``: whether this door can be relied on, one function a check."""
