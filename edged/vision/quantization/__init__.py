"""float32 networks to int8: compiled, equalized, calibrated; needs the extra ``quantize``.

Importing it without the package ``onnx`` raises ``ModelError`` with the command that mends it.
"""

from importlib.util import find_spec

from edged.errors import ModelError

if find_spec("onnx") is None:
    raise ModelError(
        "quantizing needs the package onnx, which a door does not: pip install 'edged[quantize]'"
    )

from edged.vision.quantization.static import QuantizationReport, quantize

__all__ = ["QuantizationReport", "quantize"]
