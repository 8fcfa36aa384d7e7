"""Run Python with the system calls that ask for the clock's state refused, as a service without @clock is.

``without_adjtimex.py ARGUMENTS`` becomes ``python ARGUMENTS``; it exits with ``CANNOT`` where the kernel
takes no filter. The filter is seccomp(2)'s, and what systemd makes of ``SystemCallErrorNumber=EPERM``.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from pathlib import Path

CANNOT = 77
PROGRAM = str(Path(__file__))
# adjtimex and clock_adjtime, in the kernel's tables of system calls.
_NUMBERS = {"x86_64": (159, 305), "aarch64": (171, 266)}
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # classic BPF: ld [k], jeq #k, ret #k
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def refuse() -> bool:
    """Refuse the calls to this process and its children from now on; False where that cannot be done."""
    numbers = _NUMBERS.get(platform.machine())
    if numbers is None:
        return False
    steps = [
        (_LOAD, 0, 0, 0), (_EQUAL, 1, 0, numbers[0]), (_EQUAL, 0, 1, numbers[1]),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM), (_RETURN, 0, 0, _ALLOW),
    ]  # fmt: skip
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(steps), ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    return not libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


if __name__ == "__main__":
    if not refuse():
        sys.exit(CANNOT)
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
