"""The harness itself, with a resource that needs no portal: what its helpers say is what the engine did."""

from __future__ import annotations

from tests.engine.conftest import Project

PROGRAM = """
import pulumi
from waiting import Waiting

waiting = Waiting("one", {"seconds": pulumi.Config().require_float("seconds"), "said": None})
pulumi.export("said", waiting.said)
"""
WAITING = """
import pathlib
import time

import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Waits(ResourceProvider):
    def create(self, props):
        pathlib.Path("began").touch()
        time.sleep(props["seconds"])
        return CreateResult("id", {**props, "said": "done"})


class Waiting(Resource, module="test", name="Waiting"):
    said: pulumi.Output[str]

    def __init__(self, name, props):
        super().__init__(Waits(), name, props)
"""


def test_a_run_tells_code_changes_steps_and_outputs(project: Project) -> None:
    project.program(PROGRAM, waiting=WAITING).configure({"engine-test:seconds": 0})

    first = project.up()
    second = project.up()

    assert first.code == 0, first.text
    assert first.changes == {"create": 2}
    assert first.steps("one") == ["create"]
    assert second.changes == {"same": 2}
    assert project.outputs() == {"said": "done"}
    assert project.resource("one")["id"] == "id"
    assert project.destroy().changes == {"delete": 2}


def test_a_killed_run_leaves_a_lock_and_processes_that_can_be_cleared(project: Project) -> None:
    project.program(PROGRAM, waiting=WAITING).configure({"engine-test:seconds": 60})
    run = project.start("up", "--yes", "--skip-preview")
    run.wait_until((project.folder / "began").exists)

    run.kill()

    assert project.processes()
    project.end_processes()
    assert "locked" in project.up().text
    assert project.cancel().code == 0
    assert [one["type"] for one in project.state()["pending_operations"]] == ["creating"]
    project.configure({"engine-test:seconds": 0})
    assert project.up().code == 0


def test_a_failing_program_tells_why(project: Project) -> None:
    failed = project.program("raise ValueError('no such offer')").up()

    assert failed.code != 0
    assert any("no such offer" in message for message in failed.messages(severity="error"))
