"""Packs that were never compiled for this machine are, once, while a door runs; the next start uses them.

Compiling is not the daemon's own work: it needs the package ``onnx``, hundreds of megabytes and all of a core
for some seconds. A process of its own does it, after everything else, and what becomes of it changes nothing
for this run.
"""

import atexit
import contextlib
import logging
import shutil
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

from edged.config.packs import configured_packs
from edged.config.sections import Config
from edged.errors import ModelError, printable
from edged.vision.choice import running_precision
from edged.vision.compiled import compiled_folder
from edged.vision.packs import Catalogue

logger = logging.getLogger(__name__)

# A board that starts everything at once is quiet by then, and a restart loop never gets here.
WAIT_SECONDS = 120.0
# Some networks take half a minute on two cores of a desk; a board has four slow ones.
_MOST_SECONDS = 1800.0
# Where memory is short it goes before anything of the door.
_OOM_SCORE = "1000"


def compile_unasked(
    config: Config, path: Path, *, wait_seconds: float = WAIT_SECONDS
) -> threading.Timer | None:
    """Have the packs of ``config``, read from ``path``, compiled later; None where there is nothing to do."""
    if config.models.compile == "off" or find_spec("onnx") is None or not _wanting(config):
        return None
    timer = threading.Timer(wait_seconds, _compile, (path,))
    timer.name, timer.daemon = "first-compile", True
    timer.start()
    return timer


def _wanting(config: Config) -> bool:
    models = config.models
    try:
        packs = [
            Catalogue(models.directory).in_force(name) for name in configured_packs(models, config.liveness)
        ]
        return any(
            not compiled_folder(spec, running_precision(pack, spec, models), models).exists()
            for pack in packs
            for spec in pack.models
        )
    except (ModelError, OSError):
        return False  # whoever opens the packs says what is wrong


def _compile(config: Path) -> None:
    command = [sys.executable, "-m", "edged", "models", "compile", "--config", str(config), "--json"]
    nice = shutil.which("nice")
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [nice, "-n", "19", *command] if nice else command,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    except OSError as exc:
        logger.warning("packs run as they are, compiling could not start: %s", exc)
        return
    atexit.register(process.kill)
    with contextlib.suppress(OSError):  # no such limit here
        Path(f"/proc/{process.pid}/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
    try:
        _, told = process.communicate(timeout=_MOST_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        logger.warning("packs run as they are, compiling took more than %g s", _MOST_SECONDS)
        return
    finally:
        atexit.unregister(process.kill)
    if process.returncode:
        why = printable(told.strip()[-300:]) or "a rewritten network gave other numbers and was refused"
        logger.warning("not every pack could be compiled, those run as they are: %s", why)
    else:
        logger.info("packs are compiled, to be used from the next start on")
