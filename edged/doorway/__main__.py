"""See ``edged.doorway.main``."""

import gc
import sys

# Modules are never garbage: looked at again and again they delay the claim of the line by 7 ms on x86-64, and
# a pulse by as much whenever all objects are looked through.
gc.disable()

from edged.doorway.main import main  # noqa: E402

gc.freeze()
gc.enable()

sys.exit(main())
