"""The commands of the GitHub workflows, run as a runner runs them: real engine, simulator, a project of one's own.

What is not here is the platform's: actions, its tokens, its signals.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import CHECKOUT, blocks
from tests.docs.test_commands import INSTALLATION, checkout_in, shell  # noqa: F401
from tests.engine.conftest import pulumi_folder  # noqa: F401
from tests.engine.portal import control, golives
from tools.simulator_process import Running

WORKFLOWS = CHECKOUT / "examples" / "pipelines" / "github"


@pytest.fixture
def portal(new_simulator: Any) -> Running:
    running: Running = new_simulator(
        scenario="offers: [{offer: contoso/contoso-vm, preview: 7, behaviour: {mode: at once}}]"
    )
    return running


class Runner:
    """A runner's workspace: the project of docs/installation-configuration.md, as a repository would hold it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.summary = folder.parent / "summary.md"
        temp = folder.parent / "runner"
        temp.mkdir()
        self.environment = {**environment, "GITHUB_STEP_SUMMARY": str(self.summary), "RUNNER_TEMP": str(temp)}
        self.environment.update(STACK="production", CI="true", TAKE_VIRTUALENV="yes")

    def job(self, workflow: str, name: str) -> subprocess.CompletedProcess[str]:
        """Each `run` step with `bash -e`, until one fails; those with an `if` run all the same."""
        job = yaml.safe_load((WORKFLOWS / workflow).read_text())["jobs"][name]
        own = {key: value for key, value in job["env"].items() if "${{" not in value and key != "ARM_USE_OIDC"}
        done = failed = None
        for step in (step for step in job["steps"] if "run" in step):
            if failed is not None and "if" not in step:
                continue
            if "-m venv" in step["run"] and (self.folder / ".venv").exists():
                continue  # the same again, which takes its time
            script = self.folder.parent / "step.sh"
            script.write_text(step["run"])
            done = subprocess.run(
                ["bash", "-e", str(script)],
                cwd=self.folder,
                env={**self.environment, **own},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            failed = failed or (done if done.returncode else None)
        assert done is not None
        return failed or done


@pytest.fixture
def runner(shell: dict[str, str], portal: Running, tmp_path: Path) -> Runner:  # noqa: F811
    folder = tmp_path / "workspace"
    folder.mkdir()
    checkout = checkout_in(tmp_path / "offergolive")
    for block in blocks(CHECKOUT / INSTALLATION):
        if block.note.startswith("file: "):
            text = block.body.replace("offergolive @ git+https://github.com/<owner>/<repository>", str(checkout))
            (folder / block.note.removeprefix("file: ")).write_text(text)
    (folder / "Pulumi.production.yaml").write_text('config: { infrastructure:offerVersion: "7" }\n')
    shell["AZUREMARKETPLACE_ENDPOINT"] = portal.endpoint
    return Runner(folder, shell)


def test_preview_of_a_fork_up_and_drift(runner: Runner, portal: Running) -> None:
    fork = runner.job("offers-preview.yml", "preview-of-a-fork")
    assert fork.returncode == 0, fork.stdout + fork.stderr
    assert "contoso/contoso-vm was not checked" in fork.stdout + fork.stderr
    assert control(portal, "GET", "/requests") == []

    runner.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"  # in place of OIDC
    created = subprocess.run(
        ["pulumi", "stack", "init", "production"],
        cwd=runner.folder,
        env=runner.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert created.returncode == 0, created.stderr
    up = runner.job("offers-up.yml", "up")
    assert up.returncode == 0, up.stdout + up.stderr
    assert len(golives(portal, "contoso/contoso-vm")) == 1
    assert "| contoso-vm | contoso/contoso-vm | succeeded | 7 | 7 |" in runner.summary.read_text()

    quiet = runner.job("offers-drift.yml", "drift")
    assert quiet.returncode == 0, quiet.stdout + quiet.stderr
    control(portal, "POST", "/offers/contoso/contoso-vm/preview", {"version": 8})
    control(portal, "POST", "/offers/contoso/contoso-vm/golive")
    alarm = runner.job("offers-drift.yml", "drift")
    assert alarm.returncode != 0
    assert "it has drifted" in alarm.stdout + alarm.stderr
    (runner.folder / "Pulumi.production.yaml").write_text('config: { infrastructure:offerVersion: "9" }\n')
    failed = runner.job("offers-up.yml", "up")
    assert failed.returncode != 0
    assert "pinned to version 9" in failed.stdout + failed.stderr
    assert runner.summary.read_text().count("| contoso-vm |") == 2, "a summary of a failed run too"
