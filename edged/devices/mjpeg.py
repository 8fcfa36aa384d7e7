"""Cut a stream of bytes into JPEG pictures.

Markers after ITU-T T.81 annex B: SOI FFD8 starts a picture, EOI FFD9 ends it; the segments between
carry their length, so a thumbnail inside one does not end the picture; in the coded data after SOS
FF is followed by 00, a restart marker D0..D7 or fill bytes FF, anything else is the next marker.
"""

import re

from edged.devices.camera import CameraFormatError

_SOI = b"\xff\xd8"
_EOI = b"\xff\xd9"
_SOS = b"\xff\xda"
_FILL = b"\xff\xff"
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class MjpegSplitter:
    """Fed with chunks of any size; gives whole pictures, SOI to EOI.

    ``max_bytes`` bounds what is kept while no picture is complete.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._position = 0  # parsed up to here; 0 while no SOI was found
        self._in_scan = False
        self._skipped = 0

    def feed(self, chunk: bytes) -> None:
        """Append bytes. Raises ``CameraFormatError`` beyond the bound."""
        self._buffer += chunk
        if len(self._buffer) + self._skipped > self._max_bytes:
            found = "no JPEG" if self._skipped else "no whole JPEG"
            raise CameraFormatError(f"{found} within {self._max_bytes} bytes of the stream")

    def next(self) -> bytes | None:
        """Return the oldest whole picture; None if more bytes are needed."""
        if self._position == 0 and not self._find_start():
            return None
        while (end := self._step()) is None:
            continue
        if end == 0:
            return None
        picture = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._position, self._skipped = 0, 0
        return picture

    def _find_start(self) -> bool:
        start = self._buffer.find(_SOI)
        # Without a start only the last byte can matter: the first half of a marker.
        garbage = start if start >= 0 else max(0, len(self._buffer) - 1)
        self._skipped += garbage
        del self._buffer[:garbage]
        if start < 0:
            return False
        self._position, self._in_scan = len(_SOI), False
        return True

    def _step(self) -> int | None:
        """Pass one segment: the picture's end, 0 when bytes are missing, None to go on."""
        if self._in_scan and not self._pass_scan():
            return 0
        at = self._position
        head = bytes(self._buffer[at : at + 4])
        if head[:2] == _EOI:
            return at + len(_EOI)
        if head[:2] == _SOI:
            return self._restart(at)  # the picture before was cut short
        return self._pass_segment(head) if len(head) == 4 else 0

    def _pass_segment(self, head: bytes) -> int | None:
        length = int.from_bytes(head[2:], "big")
        if head[:2] == _FILL:
            self._position += 1
        elif head[0] != 0xFF or length < 2:
            return self._restart(len(_SOI))  # the start was none
        else:
            self._position += 2 + length
            self._in_scan = head[:2] == _SOS
        return None

    def _pass_scan(self) -> bool:
        found = _NEXT_MARKER.search(self._buffer, min(self._position, len(self._buffer)))
        if found is None:
            # A last FF may be the first half of a marker.
            self._position = max(self._position, len(self._buffer) - 1)
            return False
        self._position, self._in_scan = found.start(), False
        return True

    def _restart(self, count: int) -> int | None:
        """Drop ``count`` bytes and look for the next start behind them."""
        self._skipped += count
        del self._buffer[:count]
        self._position = 0
        return None if self._find_start() else 0
