"""Processes of this machine: what they are before they are ended.

An id read from a file may long belong to somebody else, so a process is known by its command line or its environment,
never by its id alone. Linux tells both in /proc; elsewhere `ps` is asked.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

PROC = Path("/proc")


def command_line(pid: int) -> str | None:
    """The command line of the process, its arguments joined by blanks; None if no such process is alive."""
    if pid <= 0:
        return None
    if (PROC / "self").exists():
        try:
            raw = (PROC / str(pid) / "cmdline").read_bytes()
        except OSError:
            return None
        # A process that has ended but was not waited for has an empty one.
        return raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace") or None
    shown = _ps("-ww", "-o", "stat=,command=", "-p", str(pid)).strip()
    state, _, command = shown.partition(" ")
    return command.strip() if command and not state.startswith("Z") else None


def with_environment(entry: str) -> list[int]:
    """The processes of this user whose environment holds `entry` ("NAME=value")."""
    if (PROC / "self").exists():
        return sorted(pid for pid in _proc_ids() if entry in _proc_environment(pid))
    listing = _ps("-xEww", "-o", "pid=,command=").splitlines()
    rows = (line.strip().partition(" ") for line in listing)
    return sorted(int(pid) for pid, _, rest in rows if pid.isdigit() and f" {entry} " in f"{rest} ")


def _proc_ids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _proc_environment(pid: int) -> list[str]:
    try:
        raw = (PROC / str(pid) / "environ").read_bytes()
    except OSError:  # gone, or somebody else's
        return []
    return raw.decode(errors="replace").split("\0")


def _ps(*arguments: str) -> str:
    try:
        done = subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout


def end(pid: int, patience: float = 5.0) -> None:
    """Ask the process to end; after `patience` seconds, make it."""
    was = command_line(pid)
    if was is None:
        return
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
        give_up = time.monotonic() + patience
        while time.monotonic() < give_up:
            if command_line(pid) != was:
                return
            time.sleep(0.02)
