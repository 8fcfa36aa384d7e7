"""A pack's networks made faster on this machine, the numbers unchanged; needs the extra ``quantize``.

Importing it without the package ``onnx`` raises ``ModelError`` with the command that mends it.
"""

from importlib.util import find_spec

from edged.errors import ModelError

if find_spec("onnx") is None:
    raise ModelError(
        "compiling needs the package onnx, which a door does not: pip install 'edged[quantize]'; "
        "without it the packs run as they are"
    )
