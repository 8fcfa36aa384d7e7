"""Who is on the other end of a Unix socket, by the kernel's word."""

import grp
import os
import pwd
import socket
import struct
from collections.abc import Collection
from dataclasses import dataclass

from edged.errors import DeviceError

_UCRED = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class PeerRule:
    """Who may connect: root, the daemon's own user, ``users`` and the members of ``group`` (ids)."""

    users: frozenset[int]
    group: int | None = None

    @classmethod
    def named(cls, users: Collection[str], group: str | None) -> "PeerRule":
        """Return the rule for these names. Raises ``DeviceError`` on one that this machine does not know."""
        try:
            uids = {pwd.getpwnam(name).pw_uid for name in users}
            gid = None if group is None else grp.getgrnam(group).gr_gid
        except KeyError as exc:
            raise DeviceError(
                f"second_factor: this machine knows no such user or group: {exc.args[0]}"
            ) from exc
        return cls(frozenset(uids | {0, os.geteuid()}), gid)

    def allows(self, peer: socket.socket) -> bool:
        """Whether whoever connected ``peer`` may, as they were when they did; False if unknown."""
        try:
            told = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        except OSError:
            return False
        _, uid, gid = _UCRED.unpack(told)
        return uid in self.users or (self.group is not None and self._in_group(uid, gid))

    def _in_group(self, uid: int, gid: int) -> bool:
        if gid == self.group:
            return True
        try:
            account = pwd.getpwuid(uid)
            return self.group in os.getgrouplist(account.pw_name, account.pw_gid)
        except (KeyError, OSError):
            return False
