"""Where benchmarks play: a real engine, a simulator of the portal, and somebody who watches the host's process.

The project, its environment and the simulator's process are those of the engine's tests.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.report import CannotMeasure
from tests.engine.conftest import CHECKOUT, PROJECT, TOKEN, Project, Result
from tests.engine.portal import control, hosts_of
from tools import get_pulumi
from tools.simulator_process import Running, Simulator

PATIENCE = 600.0
LOOK_EVERY = 0.1


class Forgetful(Simulator):
    """It keeps no file: writing one after each change costs more than all answers, and real portals have databases."""

    def _command(self, port: int) -> list[str]:
        command = super()._command(port)
        state = command.index("--state")
        return [*command[:state], *command[state + 2 :]]


@dataclass
class Stage:
    """Fresh simulators and projects; all of them end with it."""

    folder: Path
    simulators: list[Simulator] = field(default_factory=list)
    projects: list[Project] = field(default_factory=list)

    def portal(self, offers: list[str], **behaviour: Any) -> Running:
        """A simulator with these offers of the publisher contoso, each with a version in preview."""
        folder = self.folder / f"simulator-{len(self.simulators) + 1}"
        folder.mkdir()
        listed = [{"offer": f"contoso/{name}", "preview": 7} for name in offers]
        scenario = folder / "scenario.yaml"
        scenario.write_text(json.dumps({"defaults": behaviour, "offers": listed}))
        self.simulators.append(Forgetful(CHECKOUT, folder, Path(sys.executable), scenario))
        return self.simulators[-1].start()

    def project(self, program: str, portal: Running | None = None, **configuration: object) -> Project:
        """A project with an empty stack. configuration: keys of the provider's namespace."""
        home = self.folder / f"project-{len(self.projects) + 1}"
        project = Project(home / "program", pulumi_folder())
        project.folder.mkdir(parents=True)
        project.state_folder.mkdir()
        (project.folder / "Pulumi.yaml").write_text(PROJECT.format(virtualenv=sys.prefix))
        self.projects.append(project)
        if portal is not None:
            project.environment["AZUREMARKETPLACE_ENDPOINT"] = portal.endpoint
            project.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = TOKEN
        done = project.start("stack", "init", events=False).wait()
        if done.code != 0:
            raise CannotMeasure(done.text)
        project.configure({f"azuremarketplace:{key}": value for key, value in configuration.items()})
        return project.program(program)


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        made = Stage(Path(folder))
        try:
            yield made
        finally:
            for project in made.projects:
                project.end_processes()
            for simulator in made.simulators:
                simulator.stop()


@dataclass(frozen=True)
class Measured:
    """One command of Pulumi's.

    seconds: on the wall. cpu: seconds of all its processes. host: see `Watch`. others: the part of the machine's
    processors that went neither to it nor to the simulator.
    """

    result: Result
    seconds: float
    cpu: float
    host: Watch
    others: float


def measure(project: Project, portal: Running | None, *command: str) -> Measured:
    """Runs the command to its end; raises `CannotMeasure` when it fails."""
    before, machine = resource.getrusage(resource.RUSAGE_CHILDREN), _busy(portal)
    began = time.monotonic()
    run = project.start(*command)
    with Watch(project, portal.port if portal else 0) as host:
        result = run.wait(PATIENCE)
        seconds = time.monotonic() - began
    after, others = resource.getrusage(resource.RUSAGE_CHILDREN), _busy(portal) - machine
    if result.code != 0:
        raise CannotMeasure(f"`pulumi {' '.join(command)}` failed:\n{result.text[:4000]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    others = max(0.0, others - cpu) / seconds / (os.cpu_count() or 1)
    return Measured(result, seconds, cpu, host, others)


def _busy(portal: Running | None) -> float:
    """Seconds that all processors were busy since the machine's start, but for the simulator."""
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:8])
    busy = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
    return busy - (_cpu(Path(f"/proc/{portal.pid}")) if portal else 0.0)


def _cpu(process: Path) -> float:
    times = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


class Watch:
    """Looks at the dynamic provider's host while a command runs; what is kept are the peaks.

    rss, pss: bytes; of memory that processes share, such as the interpreter's text, pss counts this one's part.
    connections: to the portal, established. cpu: seconds of user and system time, as last seen.
    """

    def __init__(self, project: Project, port: int) -> None:
        self._project = project
        self._port = port
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self.rss = self.pss = self.threads = self.connections = 0
        self.cpu = 0.0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look_on(self) -> None:
        host = 0
        while not self._done.wait(LOOK_EVERY):
            host = host or next(iter(hosts_of(self._project)), 0)
            if host:
                # It may end at any moment.
                with contextlib.suppress(OSError, ValueError, IndexError):
                    self._look(Path(f"/proc/{host}"))

    def _look(self, process: Path) -> None:
        sizes = _fields(process / "smaps_rollup")
        self.rss, self.pss = max(self.rss, sizes["Rss"]), max(self.pss, sizes["Pss"])
        self.cpu = _cpu(process)
        self.threads = max(self.threads, len(list((process / "task").iterdir())))
        if self._port:
            self.connections = max(self.connections, _connections(process, self._port))


def _fields(path: Path) -> dict[str, int]:
    """`Rss:   1234 kB` each, in bytes."""
    lines = (line.split() for line in path.read_text().splitlines()[1:])
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) == 3}


def _connections(process: Path, port: int) -> int:
    """The established TCP connections of the process to this port."""
    own = set()
    for handle in (process / "fd").iterdir():
        with contextlib.suppress(OSError):
            target = os.readlink(handle)
            if target.startswith("socket:["):
                own.add(target[len("socket:[") : -1])
    rows = [line.split() for line in (process / "net" / "tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" and row[9] in own for row in rows)


def requests_to(portal: Running) -> int:
    """How many requests the portal has seen; the control address does not count."""
    return int(control(portal, "GET", "/requests/count")["count"])


def forget_requests(portal: Running) -> None:
    control(portal, "DELETE", "/requests")


def pulumi_folder() -> Path:
    """The folder of a usable `pulumi`: `make bench` names it, a plain `python -m benchmarks` finds it."""
    named = os.environ.get("OFFERGOLIVE_PULUMI_BIN")
    if named:
        return Path(named)
    checkout = get_pulumi.Checkout(CHECKOUT)
    if get_pulumi.is_complete(checkout.bin, [checkout.build_mark(), checkout.install_mark()]):
        return checkout.bin
    found = get_pulumi.on_path(os.environ.get("PATH", os.defpath))
    if found is None:
        raise CannotMeasure("There is no Pulumi here: `make setup` gets one.")
    return found.folder
