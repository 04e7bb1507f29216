"""The pipelines are whole: linted where a linter can be had, and with what a go-live of days needs of a pipeline."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
PIPELINES = CHECKOUT / "examples" / "pipelines"
GITHUB = sorted([*(PIPELINES / "github").glob("*.yml"), *(CHECKOUT / ".github" / "workflows").glob("*.yml")])
EVERY = [
    *GITHUB,
    *(
        path
        for form in ("gitlab/.*.yml", "azure-pipelines/*.yml", "kubernetes/*.yaml")
        for path in PIPELINES.glob(form)
    ),
]
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def loaded(path: Path) -> list[Any]:
    return list(yaml.load_all(path.read_text(), Loader=yaml.BaseLoader))


def steps(job: dict[str, Any]) -> str:
    return "\n".join(str(step.get("run", "")) for step in job["steps"])


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.name)
def test_each_is_yaml(path: Path) -> None:
    assert loaded(path)


def test_actionlint_finds_nothing() -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("actionlint is built with Go, and there is none")
    folder = CHECKOUT / "tools" / "actionlint"
    built = subprocess.run(
        [go, "build", "-o", "/dev/null", "github.com/rhysd/actionlint/cmd/actionlint"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode != 0:
        pytest.skip(f"actionlint could not be built: {built.stderr.strip().splitlines()[-1:]}")
    command = [go, "run", "-C", str(folder), "github.com/rhysd/actionlint/cmd/actionlint", "-shellcheck=", "-pyflakes="]
    done = subprocess.run([*command, *map(str, GITHUB)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    zizmor = shutil.which("zizmor", path=str(Path(sys.executable).parent)) or shutil.which("zizmor")
    if zizmor is None:
        pytest.skip("zizmor is not installed")
    done = subprocess.run(
        [zizmor, "--offline", "--no-progress", *map(str, GITHUB)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def as_azure_reads(value: Any, *, input_of_a_task: bool = False) -> Any:
    """Azure Pipelines takes every scalar for a text, but for the yes and no of a task's inputs."""
    if isinstance(value, dict):
        return {
            key: as_azure_reads(each, input_of_a_task=input_of_a_task or key == "inputs") for key, each in value.items()
        }
    if isinstance(value, list):
        return [as_azure_reads(each, input_of_a_task=input_of_a_task) for each in value]
    return value == "true" if input_of_a_task and value in ("true", "false") else value


def against_schema(schema: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Against the vendor's schema, as the package check-jsonschema brings it. Azure's has patterns of Python's."""
    command = [sys.executable, "-m", "check_jsonschema", "--regex-variant", "python"]
    command += ["--builtin-schema", f"vendor.{schema}", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def azure_as_json(text: str, folder: Path) -> Path:
    path = folder / "azure-pipelines.json"
    path.write_text(json.dumps(as_azure_reads(yaml.load(text, Loader=yaml.BaseLoader))))
    return path


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_github_keeps_its_schema(path: Path) -> None:
    done = against_schema("github-workflows", path)
    assert done.returncode == 0, done.stdout


def test_gitlab_and_azure_keep_their_schemas(tmp_path: Path) -> None:
    gitlab = PIPELINES / "gitlab" / ".gitlab-ci.yml"
    done = against_schema("gitlab-ci", gitlab)
    assert done.returncode == 0, done.stdout
    azure = azure_as_json((PIPELINES / "azure-pipelines" / "azure-pipelines.yml").read_text(), tmp_path)
    done = against_schema("azure-pipelines", azure)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("good", "bad"), [("lockBehavior", "lockBehaviour"), ("condition:", "when:"), ("keepAzSession", "keepSession")]
)
def test_a_misspelt_key_of_azures_is_found(good: str, bad: str, tmp_path: Path) -> None:
    text = (PIPELINES / "azure-pipelines" / "azure-pipelines.yml").read_text()
    assert good in text
    assert against_schema("azure-pipelines", azure_as_json(text.replace(good, bad), tmp_path)).returncode == 1


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_actions_are_pinned_and_permissions_minimal(path: Path) -> None:
    text = path.read_text()
    for line in re.findall(r"uses: .*$", text, re.M):
        assert PINNED.fullmatch(line), line
    (workflow,) = loaded(path)
    assert workflow["permissions"] == {}
    assert "secrets." not in text
    for job in workflow["jobs"].values():
        granted = set(job["permissions"].items())
        assert granted <= {("contents", "read"), ("id-token", "write"), ("pull-requests", "write")}
        assert int(job["timeout-minutes"]) > 0


def test_an_up_of_github_is_never_cancelled_for_another_and_outlives_the_provider() -> None:
    (up,) = loaded(PIPELINES / "github" / "offers-up.yml")
    assert up["concurrency"] == {"group": "offers-production", "cancel-in-progress": "false"}
    assert int(up["jobs"]["up"]["timeout-minutes"]) * 60 > 5 * 3600
    assert {"push", "schedule"} <= set(up["on"])
    assert "exec pulumi up" in steps(up["jobs"]["up"])
    assert "report --format markdown" in steps(up["jobs"]["up"])


def test_a_drift_alarm_writes_nothing() -> None:
    (drift,) = loaded(PIPELINES / "github" / "offers-drift.yml")
    assert "pulumi preview --refresh --expect-no-changes" in steps(drift["jobs"]["drift"])
    assert "pulumi up" not in steps(drift["jobs"]["drift"])


def test_gitlab_and_azure_run_one_up_at_a_time() -> None:
    (gitlab,) = loaded(PIPELINES / "gitlab" / ".gitlab-ci.yml")
    assert gitlab["up"]["resource_group"]
    assert gitlab["up"]["interruptible"] == "false"
    (azure,) = loaded(PIPELINES / "azure-pipelines" / "azure-pipelines.yml")
    assert azure["lockBehavior"] == "sequential"
    assert int(azure["jobs"][0]["timeoutInMinutes"]) == 360


def test_the_operator_comes_back_although_nothing_changed() -> None:
    stack = next(each for each in loaded(PIPELINES / "kubernetes" / "stack.yaml") if each["kind"] == "Stack")
    assert stack["spec"]["continueResyncOnCommitMatch"] == "true"
    assert int(stack["spec"]["resyncFrequencySeconds"]) <= 3600
    assert stack["spec"]["destroyOnFinalize"] == "false"
