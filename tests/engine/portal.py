"""What engine tests ask a simulator for, and the program that they give to the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests

from tests.engine.conftest import Project, Run
from tools import processes
from tools.simulator_process import Running

PROGRAM = Path(__file__).with_name("program_of_offers.py").read_text()
VM = "contoso/vm"


def declare(project: Project, **offers: dict[str, Any]) -> Project:
    """A program with one `OfferGoLive` for each: its name, and its arguments; `timeout` is a custom one."""
    project.program(PROGRAM)
    (project.folder / "offers.json").write_text(json.dumps(offers))
    return project


def offer(name: str = "vm", **arguments: Any) -> dict[str, Any]:
    """The arguments of a resource for `contoso/<name>`."""
    return {"publisher_id": "contoso", "offer_id": name, **arguments}


def control(portal: Running, method: str, path: str, body: object = None) -> Any:
    answer = requests.request(method, f"{portal.endpoint}/_control{path}", json=body, timeout=10)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def golives(portal: Running, name: str = VM) -> list[dict[str, Any]]:
    """The go-lives that the portal has accepted for the offer, oldest first."""
    operations = control(portal, "GET", f"/offers/{name}/operations")
    listed = operations["operations"] if isinstance(operations, dict) else operations
    return [each for each in listed if each["kind"] == "golive"]


def posts(portal: Running) -> int:
    """The requests that would change something."""
    seen = control(portal, "GET", "/requests?method=POST")
    listed = seen["requests"] if isinstance(seen, dict) else seen
    return sum(1 for each in listed if "/_control" not in each["path"])


def kill_everything(run: Run) -> None:
    """The machine goes away: the command line, its engine, the program and the hosts."""
    run.kill()
    run.project.end_processes()


def hosts_of(project: Project) -> list[int]:
    """The processes that run the dynamic provider for this project."""
    found = processes.with_environment(f"OFFERGOLIVE_TEST={project.folder}")
    return [pid for pid in found if "pulumi.dynamic" in (processes.command_line(pid) or "")]
