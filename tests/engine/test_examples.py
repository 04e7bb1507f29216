"""Every example on the real engine, as it stands in examples/, against the portal of examples/scenario.yaml."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.conftest import CHECKOUT, Project
from tests.engine.portal import control, golives, posts
from tools.simulator_process import Running

EXAMPLES = CHECKOUT / "examples"
STAND_INS = Path(__file__).with_name("stand_ins")
PROJECTS = {path.parent.name for path in EXAMPLES.glob("*/Pulumi.yaml")}
Take = Callable[..., Project]


@pytest.fixture
def portal(new_simulator: Callable[..., Running]) -> Running:
    scenario = yaml.safe_load((EXAMPLES / "scenario.yaml").read_text())
    scenario["defaults"] = {"mode": "at once"}
    return new_simulator(scenario=yaml.safe_dump(scenario))


@pytest.fixture
def take(new_project: Callable[[], Project], portal: Running) -> Take:
    """Copies an example, makes one of its stacks, and leads it to the portal. Its .venv is this environment."""

    def taken(name: str, stack: str = "dev", project: Project | None = None) -> Project:
        project = project or new_project()
        shutil.copytree(EXAMPLES / name, project.folder, dirs_exist_ok=True)
        described = (project.folder / "Pulumi.yaml").read_text()
        assert described.count("virtualenv: .venv") == 1
        (project.folder / "Pulumi.yaml").write_text(described.replace(".venv", sys.prefix))
        project.stack = stack
        created = project.start("stack", "init", events=False).wait()
        assert created.code == 0, created.text
        project.environment["AZUREMARKETPLACE_ENDPOINT"] = portal.endpoint
        project.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"
        project.environment["AZUREMARKETPLACE_MIN_POLL_INTERVAL"] = "0.2"
        return project

    return taken


def brought_up(project: Project) -> dict[str, Any]:
    """The outputs after a preview, an `up`, and another that has nothing to do."""
    previewed = project.preview()
    assert previewed.code == 0, previewed.text
    done = project.up()
    assert done.code == 0, done.text
    again = project.preview("--expect-no-changes")
    assert again.code == 0, again.text
    return project.outputs()


def test_basic(take: Take, portal: Running) -> None:
    outputs = brought_up(take("basic"))
    assert (outputs["contoso-vm"]["status"], outputs["contoso-vm"]["live_version"]) == ("succeeded", "7")
    assert posts(portal) == 1


def test_after_image(take: Take, portal: Running) -> None:
    project = take("after-image")
    project.environment["PYTHONPATH"] = os.pathsep.join([str(CHECKOUT), str(STAND_INS)])
    outputs = brought_up(project)
    assert outputs["contoso-vm"]["status"] == "succeeded"
    resources = {each["urn"].rpartition("::")[2]: each for each in project.state()["resources"]}
    offer, version = resources["contoso-vm"], resources["version"]
    assert offer["inputs"]["triggers"] == {"image": version["id"]}
    assert version["urn"] in offer["dependencies"]
    assert posts(portal) == 1


def test_after_image_declares_what_the_real_types_take(tmp_path: Path) -> None:
    python = os.environ.get("OFFERGOLIVE_AZURE_NATIVE_PYTHON")
    if python is None:
        pytest.skip("pulumi-azure-native is 356 MB: name a Python that has it in OFFERGOLIVE_AZURE_NATIVE_PYTHON")
    configured = yaml.safe_load((EXAMPLES / "after-image" / "Pulumi.dev.yaml").read_text())["config"]
    settings = json.dumps({key.replace("after-image:", "mocked:"): value for key, value in configured.items()})
    done = subprocess.run(
        [python, str(Path(__file__).with_name("under_mocks.py")), settings],
        cwd=EXAMPLES / "after-image",
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    declared = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["type"] for each in declared if each["type"].startswith("azure-native:")] == [
        "azure-native:resources:ResourceGroup",
        *(f"azure-native:compute:{name}" for name in ("Gallery", "GalleryImage", "GalleryImageVersion")),
    ]
    assert declared[-1]["name"] == "contoso-vm", "the offer comes last"
    assert declared[-1]["inputs"]["triggers"] == {"image": "id-of-version"}


def test_many_offers_go_live_after_the_canaries(take: Take, portal: Running) -> None:
    project = take("many-offers")
    control(portal, "PATCH", "/offers/contoso/canary/behaviour", {"ends": "failed"})
    names = ("contoso/contoso-vm", "contoso/contoso-app", "fabrikam/fabrikam-solution")
    failed = project.up()
    assert failed.code != 0
    assert len(golives(portal, "contoso/canary")) == 1
    assert [golives(portal, name) for name in names] == [[], [], []], "a canary that fails holds up the rest"

    control(portal, "PATCH", "/offers/contoso/canary/behaviour", {"ends": "succeeded"})
    outputs = brought_up(project)
    assert {each["status"] for each in outputs.values()} == {"succeeded"}
    assert [len(golives(portal, name)) for name in names] == [1, 1, 1]


def test_component(take: Take, portal: Running) -> None:
    project = take("component")
    outputs = brought_up(project)
    assert outputs["live_versions"] == {"contoso-vm": "7", "contoso-app": "3"}
    parents = {each["urn"].rpartition("::")[2]: each.get("parent", "") for each in project.state()["resources"]}
    assert parents["appliances-contoso-vm"].endswith("contoso:marketplace:Launches::appliances")


def test_scheduled(take: Take, portal: Running) -> None:
    project = take("scheduled")
    for name in ("contoso-vm", "contoso-app"):
        control(portal, "PATCH", f"/offers/contoso/{name}/behaviour", {"mode": "held"})
    for _ in range(2):
        hourly = project.up()
        assert hourly.code == 0, hourly.text
    assert {each["status"] for each in project.outputs().values()} == {"running"}
    alarm = project.preview("--refresh", "--expect-no-changes")
    assert alarm.code != 0, "as docs/how-to.md says of what is not over"
    assert "is to be resumed: asked for once" in alarm.text
    for name in ("contoso-vm", "contoso-app"):
        control(portal, "POST", f"/operations/{golives(portal, f'contoso/{name}')[0]['id']}/finish")
    outputs = brought_up(project)
    assert {each["status"] for each in outputs.values()} == {"succeeded"}
    assert posts(portal) == 2


def test_two_stacks(take: Take, portal: Running) -> None:
    staging = take("two-stacks", "staging")
    assert brought_up(staging)["vm"]["live_version"] == "41"
    production = take("two-stacks", "production", staging)
    assert brought_up(production)["vm"]["live_version"] == "7"
    assert len(golives(portal, "contoso-staging/contoso-vm-preview")) == 1

    removed = production.start("config", "rm", "offerVersion", events=False).wait()
    assert removed.code == 0, removed.text
    refused = production.preview()
    assert refused.code != 0
    assert "This stack takes pinned versions live only" in refused.text
    assert "Traceback" not in refused.text


def test_automation_api(new_project: Callable[[], Project], portal: Running) -> None:
    project = new_project()
    environment = project.full_environment()
    environment["AZUREMARKETPLACE_ENDPOINT"] = portal.endpoint
    environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"
    environment["AZUREMARKETPLACE_MIN_POLL_INTERVAL"] = "0.2"
    control(portal, "PATCH", "/offers/contoso/contoso-vm/behaviour", {"mode": "by time", "seconds": 1})

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(EXAMPLES / "automation-api" / "main.py"), *arguments]
        return subprocess.run(
            command,
            cwd=project.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    for _ in range(2):
        done = run("contoso", "contoso-vm", "7")
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["status"] == "succeeded"
    assert posts(portal) == 1
    missing = run("contoso", "nothing")
    assert missing.returncode == 1
    assert "There is no offer 'nothing'" in missing.stderr


def test_each_example_is_described_and_tested() -> None:
    page = (EXAMPLES / "README.md").read_text()
    described = set(re.findall(r"^## \[?([a-z-]+)", page, re.M))
    assert described >= PROJECTS | {"automation-api", "policy-pack", "pipelines"}
    assert set(re.findall(r'take\("([a-z-]+)"', Path(__file__).read_text())) == PROJECTS
