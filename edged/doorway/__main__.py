"""See ``edged.doorway.main``."""

import sys

from edged.doorway.main import main

sys.exit(main())
