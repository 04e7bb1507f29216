"""The oldest supported packages, on the real engine."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.conftest import PROJECT, Project
from tests.engine.portal import control, declare, golives, hosts_of, offer
from tools import processes
from tools.simulator_process import Running


def test_an_interrupted_launch_goes_on_with_the_oldest_packages(
    project: Project, new_simulator: Callable[..., Running]
) -> None:
    python = os.environ.get("OFFERGOLIVE_OLDEST_PYTHON")
    if python is None:
        pytest.skip("there is no environment with the oldest supported packages: `make test` makes one")
    (project.folder / "Pulumi.yaml").write_text(PROJECT.format(virtualenv=Path(python).parents[1]))
    scenario = {"defaults": {"mode": "held"}, "offers": [{"offer": "contoso/vm", "preview": 7}]}
    portal = new_simulator(scenario=json.dumps(scenario))
    project.environment["AZUREMARKETPLACE_ENDPOINT"] = portal.endpoint
    project.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"
    project.environment["AZUREMARKETPLACE_MIN_POLL_INTERVAL"] = "0.2"
    declare(project, vm=offer())

    run = project.start("up", "--yes", "--skip-preview")
    run.wait_until(lambda: bool(golives(portal)))
    folder = str(Path(python).parent)
    assert any(folder in (processes.command_line(host) or "") for host in hosts_of(project))
    run.process.send_signal(signal.SIGINT)
    interrupted = run.wait()
    assert interrupted.code != 0
    assert interrupted.messages(severity="warning") == []
    assert "Traceback" not in interrupted.text
    assert project.resource("vm")["outputs"]["operation_id"] == golives(portal)[0]["id"]

    for operation in golives(portal):
        control(portal, "POST", f"/operations/{operation['id']}/finish")
    assert project.up().code == 0
    assert project.up("--expect-no-changes").code == 0
    assert len(golives(portal)) == 1

    # The program in this SDK too: an output without a value is none that a preview shows as changing.
    project.environment["PATH"] = os.pathsep.join([folder, project.full_environment()["PATH"]])
    program = (project.folder / "__main__.py").read_text()
    asks = f"import sys; assert sys.executable.startswith({folder!r})"
    project.program(f"{asks}\n{program}    pulumi.export('api', resource.api)\n")
    assert project.up().code == 0
    same = project.preview("--expect-no-changes")
    assert same.code == 0, same.text
    assert "unknown" not in same.text, same.text
