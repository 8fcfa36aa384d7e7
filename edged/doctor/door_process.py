"""The door process: can it be reached, and how is the door."""

import os
from dataclasses import replace

from msgspec import UnsetType

from edged.config.advice import unreal
from edged.config.sections import FakeLockConfig
from edged.config.siblings import clashes
from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.doorway.latch import in_emergency
from edged.doorway.messages import Status
from edged.doorway.tenant import Tenant, tenant_of
from edged.doorway.visitor import visit
from edged.errors import DoorwayError
from edged.workers.door_child import door_state

ACCOUNT = "edged-door"
_ODD = {
    "held": "the door is held open: shut it",
    "forced": "the door was opened by force, or its contact is wired the other way round",
    "emergency": "the fire alarm holds the door open: `edged door reset` ends it once the input is quiet",
}


def door_process(patient: Patient) -> Finding:
    """Say hello to the door process as a visitor does: it moves nothing."""
    door = patient.config.door
    if door.socket is None:
        return _without_socket(patient)
    try:
        with visit(door.socket) as visitor:
            status, peer = visitor.status, visitor.peer
    except DoorwayError as exc:
        detail = f"{exc}; systemctl status edged-door tells why, and door.socket_users who may ask"
        return Finding(State.FAILED, detail)
    account = patient.machine.account(ACCOUNT)
    rightful = {0, os.geteuid()} | (set() if account is None else {account.uid})
    if peer[1] not in rightful:
        detail = f"user id {peer[1]} listens at {door.socket}, expected {ACCOUNT} or root: who is that?"
        return Finding(State.FAILED, detail, {"pid": peer[0], "uid": peer[1]})
    found = _judged(status, peer, f"{patient.config.site}.{patient.config.door_id}")
    odd = [*unreal(door)]
    if patient.path is not None:
        odd += clashes(patient.path, patient.config)
    return (
        replace(found, state=State.WARNING, detail="; ".join(odd))
        if odd and found.state is State.OK
        else found
    )


def _without_socket(patient: Patient) -> Finding:
    """Look at what a door process that edged run starts has left for everybody to read."""
    door, state = patient.config.door, door_state(patient.config)
    tenant = tenant_of(state)
    facts: dict[str, object] = {} if tenant is None else {"pid": tenant.pid}
    if in_emergency(state) or (tenant is not None and tenant.emergency):
        return Finding(State.WARNING, _emergency(tenant), facts | {"condition": "emergency"})
    odd = [*unreal(door)]
    if isinstance(door.lock, FakeLockConfig):
        return Finding(State.WARNING, "; ".join(odd), facts)
    alone = [name for name in ("exit", "fire") if getattr(door.inputs, name) is not None]
    if alone:
        odd.append(f"door.inputs.{' and '.join(alone)} need door.socket to work by themselves")
    detail = "edged run starts it, and it ends with it"
    return Finding(State.WARNING if odd else State.OK, "; ".join([detail, *odd]), facts)


def _emergency(tenant: Tenant | None) -> str:
    if tenant is None:
        return (
            "a fire has opened the door, and nobody has reset it: the next start of edged run opens it "
            "again; `edged door reset` ends that once the input is quiet"
        )
    by = f", and edged run is gone: process {tenant.pid} goes on alone" if tenant.deserted else ""
    return f"{_ODD['emergency']}{by}"


def _judged(status: Status, peer: tuple[int, int], name: str) -> Finding:
    pid, uid = peer
    absent = () if isinstance(status.absent, UnsetType) else status.absent
    facts: dict[str, object] = {
        "pid": pid, "uid": uid, "condition": status.condition, "leaf": status.leaf,
        "tampered": status.tampered, "waiting": status.waiting, "kept": status.kept, "faulty": status.faulty,
        "absent": absent,
    }  # fmt: skip
    if not status.kept:
        detail = "events of the door are not on its disk: see the log of edged-door about its --state folder"
        return Finding(State.FAILED, detail, facts)
    # Fire and exit are people's way out.
    if status.faulty:
        detail = "; ".join(_broken(part) for part in status.faulty)
        grave = not {"fire", "exit"}.isdisjoint(status.faulty)
        return Finding(State.FAILED if grave else State.WARNING, detail, facts)
    if status.condition in _ODD:
        return Finding(State.WARNING, _ODD[status.condition], facts)
    if status.tampered:
        return Finding(State.WARNING, "the tamper switch is active: look at the case", facts)
    if others := ", ".join(one for one in absent if one != name):
        detail = (
            f"events wait for readers that are not connected: {others}; is their edged run stopped, or were "
            "they given up? They are recorded once one of that site and door_id runs"
        )
        return Finding(State.WARNING, detail, facts)
    leaf = "" if status.leaf is None else f", the leaf is {status.leaf}"
    return Finding(State.OK, f"process {pid} of user id {uid} keeps it: {status.condition}{leaf}", facts)


def _broken(part: str) -> str:
    if part == "guard":
        return (
            "the guard of the line is gone: a crash in mid-pulse leaves it open until the next start; "
            "systemctl restart edged-door"
        )
    return f"door.inputs.{part} cannot be read: look at its wire and the log of edged-door"
