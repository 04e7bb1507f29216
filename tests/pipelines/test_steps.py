"""The commands of the pipelines, run as a runner runs them: real engine, simulator, a project of one's own.

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

PIPELINES = CHECKOUT / "examples" / "pipelines"
WORKFLOWS = PIPELINES / "github"
ELSEWHERE = {
    "pulumi login": "signs in to Pulumi Cloud with the platform's token; here the state is in files",
    "export ARM_USE_OIDC": "signs in to Entra with the platform's token; here there is an access token",
    "curl ": "fetches Pulumi's installer",
}
"""How the commands begin that need the platform or the internet, and why they are not run."""


@pytest.fixture
def portal(new_simulator: Any) -> Running:
    running: Running = new_simulator(
        scenario="offers: [{offer: contoso/contoso-vm, preview: 7, behaviour: {mode: at once}}]"
    )
    return running


ORGANIZATION = "organization"  # what a state in files calls its only one


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
            if self.has(step["run"]):
                continue
            done = self.shell("-e", step["run"], own)
            failed = failed or (done if done.returncode else None)
        assert done is not None
        return failed or done

    def shell(self, flags: str, script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        path = self.folder.parent / "step.sh"
        lines = script.splitlines()
        path.write_text("\n".join(":" if line.strip().startswith(tuple(ELSEWHERE)) else line for line in lines))
        return subprocess.run(
            ["bash", *flags.split(), str(path)],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def gitlab(self, name: str) -> tuple[subprocess.CompletedProcess[str], str]:
        """A job as GitLab runs it: the two scripts in one shell, and what comes after in another, come what may."""
        pipeline = yaml.safe_load((PIPELINES / "gitlab" / ".gitlab-ci.yml").read_text())
        variables = {
            key: value.replace("$PULUMI_ORGANIZATION", ORGANIZATION) for key, value in pipeline["variables"].items()
        }
        variables.update(PULUMI_ORGANIZATION=ORGANIZATION, PULUMI_TOKEN="token", AZURE_TOKEN="token")
        before = [line for line in pipeline["default"]["before_script"] if not self.has(line)]
        done = self.shell("-e -o pipefail", "\n".join([*before, *pipeline[name]["script"]]), variables)
        after = pipeline[name].get("after_script", [])
        return done, self.shell("-e -o pipefail", "\n".join(after), variables).stdout

    def azure(self, reason: str, schedule: str = "") -> subprocess.CompletedProcess[str]:
        """The job for what has set it off: each script, until one fails, and then the summary."""
        pipeline = yaml.safe_load((PIPELINES / "azure-pipelines" / "azure-pipelines.yml").read_text())
        variables = {"BUILD_REASON": reason, "PULUMI_PARALLEL": pipeline["variables"]["PULUMI_PARALLEL"]}
        if schedule:
            variables["BUILD_CRONSCHEDULE_DISPLAYNAME"] = schedule
        variables["AGENT_TEMPDIRECTORY"] = self.environment["RUNNER_TEMP"]
        (job,) = pipeline["jobs"]
        done = failed = None
        for step in job["steps"]:
            script = step.get("script") or step.get("inputs", {}).get("inlineScript")
            if script is None or (failed is not None and step.get("condition") != "succeededOrFailed()"):
                continue
            script = "\n".join(line for line in script.splitlines() if not self.has(line))
            done = self.shell("", script, variables)
            failed = failed or (done if done.returncode else None)
        assert done is not None
        return failed or done

    def has(self, line: str) -> bool:
        """Whether this makes once more what takes its time: the environment."""
        return (self.folder / ".venv").exists() and ("-m venv" in line or "pip install" in line)


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
    in_own_stack(runner)
    up = runner.job("offers-up.yml", "up")
    assert up.returncode == 0, up.stdout + up.stderr
    assert len(golives(portal, "contoso/contoso-vm")) == 1
    assert "| contoso-vm | contoso/contoso-vm | succeeded | 7 | 7 |" in runner.summary.read_text()

    quiet = runner.job("offers-drift.yml", "drift")
    assert quiet.returncode == 0, quiet.stdout + quiet.stderr
    by_hand(portal)
    alarm = runner.job("offers-drift.yml", "drift")
    assert alarm.returncode != 0
    assert "it has drifted" in alarm.stdout + alarm.stderr
    (runner.folder / "Pulumi.production.yaml").write_text('config: { infrastructure:offerVersion: "9" }\n')
    failed = runner.job("offers-up.yml", "up")
    assert failed.returncode != 0
    assert "pinned to version 9" in failed.stdout + failed.stderr
    assert runner.summary.read_text().count("| contoso-vm |") == 2, "a summary of a failed run too"


def test_gitlab_previews_takes_live_and_sounds_the_alarm(runner: Runner, portal: Running) -> None:
    runner.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"  # in place of OIDC
    in_own_stack(runner)
    previewed, _ = runner.gitlab("preview")
    assert previewed.returncode == 0, previewed.stdout + previewed.stderr
    assert "Version 7 is to be submitted to go live" in previewed.stdout
    up, table = runner.gitlab("up")
    assert up.returncode == 0, up.stdout + up.stderr
    assert "contoso/contoso-vm  succeeded  7" in table
    quiet, _ = runner.gitlab("drift")
    assert quiet.returncode == 0, quiet.stdout + quiet.stderr
    by_hand(portal)
    alarm, _ = runner.gitlab("drift")
    assert alarm.returncode != 0
    assert "it has drifted" in alarm.stdout
    assert len(golives(portal, "contoso/contoso-vm")) == 2, "one of them by hand"


def test_azure_does_what_has_set_it_off(runner: Runner, portal: Running) -> None:
    runner.environment["AZUREMARKETPLACE_ACCESS_TOKEN"] = "token"  # in place of OIDC
    summary = Path(runner.environment["RUNNER_TEMP"]) / "offers.md"
    previewed = runner.azure("PullRequest")
    assert previewed.returncode == 0, previewed.stdout + previewed.stderr
    assert golives(portal, "contoso/contoso-vm") == []
    for reason, schedule in (("IndividualCI", ""), ("Schedule", "resume"), ("Schedule", "drift"), ("Manual", "")):
        done = runner.azure(reason, schedule)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "##vso[task.uploadsummary]" in done.stdout
        assert "| contoso-vm | contoso/contoso-vm | succeeded | 7 | 7 |" in summary.read_text()
    assert len(golives(portal, "contoso/contoso-vm")) == 1
    by_hand(portal)
    alarm = runner.azure("Schedule", "drift")
    assert alarm.returncode != 0
    assert "it has drifted" in alarm.stdout


def in_own_stack(runner: Runner) -> None:
    created = subprocess.run(
        ["pulumi", "stack", "init", "production"],
        cwd=runner.folder,
        env=runner.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert created.returncode == 0, created.stderr


def by_hand(portal: Running) -> None:
    control(portal, "POST", "/offers/contoso/contoso-vm/preview", {"version": 8})
    control(portal, "POST", "/offers/contoso/contoso-vm/golive")
