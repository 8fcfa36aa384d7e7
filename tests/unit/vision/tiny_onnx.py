"""Real ONNX files of a hundred bytes, written by hand: one operator, float32 in, float32 out."""

from collections.abc import Sequence

FLOAT = 1
INT64 = 7


def model(
    shape: Sequence[int | str],
    *,
    operator: str = "Relu",
    inputs: Sequence[str] = ("x",),
    element: int = FLOAT,
) -> bytes:
    """The bytes of a model with one node ``operator(*inputs)`` -> y."""
    node = b"".join(_text(1, name) for name in inputs) + _text(2, "y") + _text(4, operator)
    graph = _block(1, node) + _text(2, "tiny")
    graph += b"".join(_block(11, _value(name, shape, element)) for name in inputs)
    graph += _block(12, _value("y", shape, element))
    opset = _text(1, "") + _number(2, 13)
    return _number(1, 8) + _block(7, graph) + _block(8, opset)


def _value(name: str, shape: Sequence[int | str], element: int) -> bytes:
    dims = b"".join(
        _block(1, _number(1, side) if isinstance(side, int) else _text(2, side)) for side in shape
    )
    return _text(1, name) + _block(2, _block(1, _number(1, element) + _block(2, dims)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _block(field, value.encode())


def _block(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
