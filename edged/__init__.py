"""edged: face recognition at an office door."""

import os

__version__ = "0.1.0"

# OpenCV reads its limit once, when it is loaded; its own is 2^30 pixels, 3 GB decoded. What comes from
# outside is measured before, see ``domain.picture_size``: this is the second lock, also for other formats.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "64000000")
