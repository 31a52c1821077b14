"""Who drives a run: names of drivers, and how to tell that one is no more (D7).

A driver's name says on which machine and in which process it lives. A lease that a killed process left behind is then
free at once, where that process can be seen to be gone, and after its time everywhere else. Being wrong here can never
lead to a double commit: the fence alone decides that.
"""

from __future__ import annotations

import os
import secrets
import socket
from functools import cache
from pathlib import Path

from graphrt.journal import RunInfo

_alive: set[str] = set()


def begin() -> str:
    """Return a new driver's name, `machine:process:start:token`; it counts as alive until `end`."""
    name = f"{_machine()}:{os.getpid()}:{_started(os.getpid())}:{secrets.token_hex(4)}"
    _alive.add(name)
    return name


def end(name: str) -> None:
    """Let a driver of this process count as gone."""
    _alive.discard(name)


def is_dead(name: str) -> bool:
    """Say whether a driver is surely no more: its process was on this machine and has ended, or it was in this process
    and has closed. False where nobody here can know."""
    try:
        machine, pid, started, _ = name.rsplit(":", 3)
        process = int(pid)
    except ValueError:
        return False
    if machine != _machine():
        return False
    if process == os.getpid() and started == _started(process):
        return name not in _alive
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is there, and somebody else's
        pass
    return _started(process) != started or _is_zombie(process)


@cache
def _machine() -> str:
    """Name what process ids are unique in: a boot of a machine, or a container's own process namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        space = str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        boot = space = "-"
    return f"{socket.gethostname()}/{boot}/{space}"


def _stat(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _started(process: int) -> str:
    """When a process began, in ticks since boot: a number that was used before does not come with the same."""
    fields = _stat(process)
    return fields[19] if len(fields) > 19 else "-"  # noqa: PLR2004 - field 22 of proc_pid_stat(5), counted from the third


def _is_zombie(process: int) -> bool:
    return _stat(process)[:1] == ["Z"]


def is_driven(info: RunInfo, now: float) -> bool:
    """Whether somebody drives a run at an instant, as far as can be seen from here."""
    return info.driver is not None and not is_dead(info.driver) and (info.lease or 0) > now
