"""The real engine for tests: a fresh project and stack each, its own state, a simulator, processes to kill.

`make test` names the folder of a usable Pulumi in OFFERGOLIVE_PULUMI_BIN. A plain `pytest` takes the one on PATH or the
one that `make setup` made; without any, these tests are skipped.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tools import get_pulumi, processes
from tools.local import NOT_INHERITED, backend
from tools.simulator_process import Running

CHECKOUT = Path(__file__).resolve().parents[2]
STACK = "test"
MARK = "OFFERGOLIVE_TEST"
TOKEN = "test-token"
PATIENCE = 120.0  # seconds that one command of Pulumi's may take

PROJECT = """\
name: engine-test
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: {virtualenv}
"""


@dataclass(frozen=True)
class Result:
    """What one command of Pulumi's came to."""

    code: int
    stdout: str
    stderr: str
    events: list[dict[str, Any]]

    @property
    def text(self) -> str:
        return self.stdout + self.stderr

    @property
    def changes(self) -> dict[str, int]:
        """How many resources were created, updated, left the same: {"create": 2, "same": 1}."""
        summaries = [event["summaryEvent"] for event in self.events if "summaryEvent" in event]
        return dict(summaries[-1].get("resourceChanges") or {}) if summaries else {}

    def messages(self, resource: str = "", severity: str = "") -> list[str]:
        """The diagnostics, of one resource or of all, without colours: ephemeral ones too."""
        found = [event["diagnosticEvent"] for event in self.events if "diagnosticEvent" in event]
        return [
            re.sub(r"<\{%[^%]*%\}>", "", event["message"])
            for event in found
            if (not resource or event.get("urn", "").endswith(f"::{resource}"))
            and (not severity or event["severity"] == severity)
        ]

    def steps(self, resource: str) -> list[str]:
        """What the engine did with the resource: ["create"], ["same"], ["create-replacement", "replace", ...]."""
        done = [event["resOutputsEvent"]["metadata"] for event in self.events if "resOutputsEvent" in event]
        return [step["op"] for step in done if step["urn"].endswith(f"::{resource}")]


@dataclass(frozen=True)
class Run:
    """A command of Pulumi's that is still running."""

    process: subprocess.Popen[str]
    project: Project
    log: Path
    events: Path

    def wait(self, patience: float = PATIENCE) -> Result:
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            self.project.end_processes()
            pytest.fail(f"still running after {patience} s:\n{self.log.read_text()}")
        text = self.log.read_text()
        errors = self.log.with_suffix(".err").read_text()
        return Result(self.process.returncode, text, errors, read_events(self.events))

    def wait_until(self, holds: Callable[[], bool], patience: float = 30.0) -> None:
        """Until `holds` is true; fails when it never is or when the command ends before."""
        give_up = time.monotonic() + patience
        while not holds():
            if self.process.poll() is not None or time.monotonic() > give_up:
                pytest.fail(f"never came true:\n{self.log.read_text()}{self.log.with_suffix('.err').read_text()}")
            time.sleep(0.02)

    def interrupt(self) -> None:
        """As ^C does."""
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """As a machine that goes away does: the command line alone; see `end_processes` for what it leaves."""
        self.process.kill()
        self.process.wait()


@dataclass
class Project:
    """A Pulumi project of one stack, in a folder of its own."""

    folder: Path
    pulumi: Path
    environment: dict[str, str] = field(default_factory=dict)  # added to what every command gets
    runs: int = 0
    stack: str = STACK

    @property
    def state_folder(self) -> Path:
        return self.folder.parent / "state"

    def program(self, text: str, **files: str) -> Project:
        """Writes the program, and more modules by name."""
        (self.folder / "__main__.py").write_text(text)
        for name, content in files.items():
            (self.folder / f"{name}.py").write_text(content)
        return self

    def configure(self, values: Mapping[str, object]) -> Project:
        """Sets the stack's configuration: keys with their namespace; anything JSON-like."""
        (self.folder / f"Pulumi.{self.stack}.yaml").write_text(json.dumps({"config": dict(values)}))
        return self

    def up(self, *flags: str) -> Result:
        return self.start("up", "--yes", "--skip-preview", *flags).wait()

    def preview(self, *flags: str) -> Result:
        return self.start("preview", *flags).wait()

    def refresh(self, *flags: str) -> Result:
        return self.start("refresh", "--yes", "--skip-preview", *flags).wait()

    def destroy(self, *flags: str) -> Result:
        return self.start("destroy", "--yes", "--skip-preview", *flags).wait()

    def cancel(self) -> Result:
        """Unlocks the stack after a killed run."""
        return self.start("cancel", "--yes", events=False).wait()

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets shown."""
        shown = self.start("stack", "output", "--json", "--show-secrets", events=False).wait()
        assert shown.code == 0, shown.text
        return dict(json.loads(shown.stdout))

    def state(self) -> dict[str, Any]:
        """The deployment as `pulumi stack export` has it: resources, pending_operations."""
        shown = self.start("stack", "export", events=False).wait()
        assert shown.code == 0, shown.text
        return dict(json.loads(shown.stdout)["deployment"])

    def resource(self, name: str) -> dict[str, Any]:
        """The state of one resource: id, inputs, outputs, initErrors."""
        found = [one for one in self.state().get("resources", []) if one["urn"].endswith(f"::{name}")]
        assert len(found) == 1, f"{len(found)} resources are called {name}"
        return dict(found[0])

    def start(self, *command: str, events: bool = True) -> Run:
        """Starts a command of Pulumi's on the stack and does not wait for it."""
        self.runs += 1
        log = self.folder.parent / f"run-{self.runs}.log"
        event_log = log.with_suffix(".events")
        line = [str(self.pulumi / "pulumi"), *command, "--stack", self.stack, "--non-interactive"]
        if events:
            line += ["--event-log", str(event_log)]
        with log.open("w") as out, log.with_suffix(".err").open("w") as err:
            process = subprocess.Popen(
                line,
                cwd=self.folder,
                env=self.full_environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
            )
        return Run(process, self, log, event_log)

    def full_environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
        folders = [str(Path(sys.executable).parent), str(self.pulumi), kept.get("PATH", os.defpath)]
        return {
            **kept,
            "PATH": os.pathsep.join(folders),
            "PYTHONPATH": str(CHECKOUT),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "PULUMI_HOME": str(self.folder.parent / "home"),
            "PULUMI_BACKEND_URL": backend(self.state_folder),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DEBUG_COMMANDS": "true",  # for --event-log
            "PULUMI_PARALLEL": "100",
            MARK: str(self.folder),
            **self.environment,
        }

    def processes(self) -> list[int]:
        """Every process that belongs to this project's runs, the hosts too."""
        found = processes.with_environment(f"{MARK}={self.folder}")
        return [pid for pid in found if processes.command_line(pid) is not None]

    def end_processes(self) -> None:
        """Ends what a killed run left behind."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events that are whole: a killed run leaves a cut one at the end."""
    events = []
    for line in path.read_text().splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError):
            events.append(json.loads(line))
    return events


@pytest.fixture(scope="session")
def pulumi_folder() -> Path:
    """The folder of a usable `pulumi`."""
    named = os.environ.get("OFFERGOLIVE_PULUMI_BIN")
    if named:
        return Path(named)
    found = get_pulumi.on_path(os.environ.get("PATH", os.defpath))
    if found is not None:
        return found.folder
    checkout = get_pulumi.Checkout(CHECKOUT)
    if get_pulumi.is_complete(checkout.bin, [checkout.build_mark(), checkout.install_mark()]):
        return checkout.bin
    pytest.skip("there is no Pulumi here: `make setup` gets one")


@pytest.fixture
def new_project(tmp_path: Path, pulumi_folder: Path) -> Iterator[Callable[[], Project]]:
    """Makes fresh projects, each with an empty stack."""
    made: list[Project] = []

    def make() -> Project:
        home = tmp_path / f"project-{len(made) + 1}"
        project = Project(home / "program", pulumi_folder)
        project.folder.mkdir(parents=True)
        project.state_folder.mkdir()
        (project.folder / "Pulumi.yaml").write_text(PROJECT.format(virtualenv=sys.prefix))
        made.append(project)
        created = project.start("stack", "init", events=False).wait()
        assert created.code == 0, created.text
        return project

    yield make
    for project in made:
        project.end_processes()


@pytest.fixture
def project(new_project: Callable[[], Project]) -> Project:
    """A fresh project with an empty stack: `project.program("...").configure({...})`, then `project.up()`."""
    return new_project()


@pytest.fixture
def portal(new_simulator: Callable[..., Running], project: Project) -> Running:
    """A simulator that the project's environment points to."""
    running = new_simulator()
    project.environment["AZUREMARKETPLACE_ENDPOINT"] = running.endpoint
    project.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = TOKEN
    return running
