"""Colours of the picture, blue green red."""

from edged.demo.canvas import Colour

BACK: Colour = (28, 23, 18)
PANEL: Colour = (41, 34, 27)
LINE: Colour = (66, 58, 50)
FAINT: Colour = (190, 180, 170)
DIM: Colour = (168, 158, 148)
INK: Colour = (240, 236, 232)
GREEN: Colour = (110, 200, 92)
RED: Colour = (98, 102, 240)
AMBER: Colour = (70, 180, 236)
