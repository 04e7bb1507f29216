"""The simulator of this checkout as a process in the background: started, found again, ended.

It is known by its command line, which holds the path of this checkout's port file, so that neither a stale record nor
another checkout's simulator nor a stranger on the port is ever taken for it.
"""

from __future__ import annotations

import contextlib
import http
import http.client
import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tools import processes

HOST = "127.0.0.1"
FIRST_PORT = 8088
PATIENCE = 20.0  # seconds for it to start
ATTEMPTS = 5  # at a port that nobody else takes meanwhile


class DidNotStart(Exception):
    """The simulator did not start; the text says why in one sentence."""


@dataclass(frozen=True)
class Running:
    """A simulator that answers."""

    pid: int
    port: int

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}"


@dataclass(frozen=True)
class Simulator:
    """The simulator of one checkout."""

    root: Path  # where `python -m simulator` runs
    folder: Path  # what it keeps
    python: Path
    scenario: Path | None = None
    children: list[subprocess.Popen[bytes]] = field(default_factory=list, compare=False, repr=False)

    @property
    def port_file(self) -> Path:
        return self.folder / "port"

    @property
    def record(self) -> Path:
        return self.folder / "process.json"

    @property
    def log(self) -> Path:
        return self.folder / "simulator.log"

    def running(self) -> Running | None:
        """The simulator, if it runs and answers."""
        found = self._alive()
        return found if found is not None and answers(found.port) else None

    def ensure(self) -> tuple[Running, bool]:
        """The simulator, started if need be, and whether it was. Raises DidNotStart."""
        found = self.running()
        if found is not None:
            return found, False
        self.stop()  # it may be alive without answering
        return self.start(), True

    def start(self) -> Running:
        """Starts it on the port of last time if that is free, so that the endpoint stays what it was."""
        self.folder.mkdir(parents=True, exist_ok=True)
        port = free_port([self._port_of_last_time(), FIRST_PORT])
        for _ in range(ATTEMPTS - 1):
            try:
                return self._start_on(port)
            except DidNotStart:
                if free_port([port]) == port:
                    raise
                port = free_port([])  # another process took it between the look and the start
        return self._start_on(port)

    def _start_on(self, port: int) -> Running:
        self.port_file.unlink(missing_ok=True)
        with self.log.open("a") as log:
            process = subprocess.Popen(
                self._command(port),
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # ^C in the terminal is not for it
            )
        self.children.append(process)
        running = Running(process.pid, port)
        _write(self.record, json.dumps({"pid": running.pid, "port": running.port}))
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            if process.poll() is not None:
                raise DidNotStart(f"The simulator ended at once: {_last_line(self.log)} (all of it: {self.log})")
            if self.port_file.exists() and answers(port):
                return running
            time.sleep(0.05)
        processes.end(process.pid)
        raise DidNotStart(f"The simulator did not answer within {PATIENCE:.0f} s; its log is {self.log}")

    def stop(self) -> Running | None:
        """Ends it if it is alive; returns what was ended."""
        found = self._alive()
        if found is not None:
            processes.end(found.pid)
            self.port_file.unlink(missing_ok=True)
            for child in self.children:
                if child.pid == found.pid:
                    child.wait(PATIENCE)
        return found

    def _command(self, port: int) -> list[str]:
        command = [str(self.python), "-m", "simulator", "--host", HOST, "--port", str(port)]
        command += ["--state", str(self.folder / "state.json"), "--port-file", str(self.port_file)]
        if self.scenario is not None:
            command += ["--scenario", str(self.scenario)]
        return command

    def _alive(self) -> Running | None:
        recorded = self._recorded()
        if recorded is None:
            return None
        command = processes.command_line(recorded.pid)
        ours = command is not None and "-m simulator " in command and str(self.port_file) in command
        return recorded if ours else None

    def _recorded(self) -> Running | None:
        try:
            record = json.loads(self.record.read_text())
            return Running(int(record["pid"]), int(record["port"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _port_of_last_time(self) -> int:
        recorded = self._recorded()
        return FIRST_PORT if recorded is None else recorded.port


def answers(port: int) -> bool:
    """Whether it answers there, on its control address, which it neither records nor delays."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/_control")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port(wanted: list[int]) -> int:
    """The first of the wanted ports that is free, else any free one."""
    for port in [*wanted, 0]:
        with contextlib.suppress(OSError, OverflowError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise DidNotStart("There is no free port on this machine.")


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    staged = path.with_suffix(".new")
    staged.write_text(text)
    os.replace(staged, path)


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
