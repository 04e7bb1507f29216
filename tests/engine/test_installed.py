"""Installed with pip into somebody's own infrastructure repository, from a checkout and from a git address.

The new environment has what the package depends on from this one (by a .pth file), so nothing is fetched; pip itself
checks that the declared dependencies are met.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.conftest import CHECKOUT, Project
from tests.engine.portal import posts
from tools.simulator_process import Running

PROGRAM = """
import pulumi
from providers import own
from providers.azure_marketplace import OfferGoLive

offer = OfferGoLive("vm", publisher_id="contoso", offer_id="vm", offer_version=own.REVIEWED)
pulumi.export("vm", offer.report)
"""
GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with the files of this checkout, as they are now."""
    if not (CHECKOUT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("needs git and a git checkout")
    folder = tmp_path_factory.mktemp("repository")
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for name in filter(lambda name: (CHECKOUT / name).is_file(), listed.splitlines()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, folder / name)
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "all"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True, capture_output=True)
    return folder


def environment_with(package: str, folder: Path) -> Path:
    """A fresh virtual environment into which pip has installed `package`; its folder of programs."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    python = folder / "bin" / "python"
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    for old in (*site.glob("setuptools*"), *site.glob("pkg_resources*")):
        shutil.rmtree(old)  # older than what the build needs; this environment's is taken
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [str(python), "-m", "pip", "install", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHONPATH"))}
    done = subprocess.run([*install, package], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return python.parent


@pytest.mark.parametrize("form", ["checkout", "git"])
def test_installed_into_an_infrastructure_repository_it_lives_there(
    project: Project, new_simulator: Callable[..., Running], repository: Path, tmp_path: Path, form: str
) -> None:
    package = str(repository) if form == "checkout" else f"git+{repository.as_uri()}"
    programs = environment_with(package, tmp_path / "venv")
    where = [str(programs / "python"), "-c", "import providers.azure_marketplace as it; print(it.__file__)"]
    found = subprocess.run(where, cwd=project.folder, capture_output=True, text=True, check=True).stdout
    assert found.startswith(str(tmp_path / "venv"))
    assert Path(found.strip()).with_name("py.typed").exists()

    portal = new_simulator(scenario="offers: [{offer: contoso/vm, preview: 7, behaviour: {mode: at once}}]")
    described = (project.folder / "Pulumi.yaml").read_text()
    (project.folder / "Pulumi.yaml").write_text(described.replace(sys.prefix, str(tmp_path / "venv")))
    (project.folder / "providers").mkdir()
    (project.folder / "providers" / "own.py").write_text('REVIEWED = "7"\n')  # a folder of the same name, beside ours
    path = os.pathsep.join([str(programs), str(project.pulumi), os.environ.get("PATH", os.defpath)])
    project.environment.update(
        PYTHONPATH="",
        PATH=path,
        AZUREMARKETPLACE_ENDPOINT=portal.endpoint,
        AZUREMARKETPLACE_ACCESS_TOKEN="token",
    )
    project.program(PROGRAM)
    previewed = project.preview()
    assert previewed.code == 0, previewed.text
    assert any("is to be submitted" in said for said in previewed.messages("vm"))
    done = project.up()
    assert done.code == 0, done.text
    assert project.up("--expect-no-changes").code == 0
    shown = subprocess.run(
        [str(programs / "python"), "-m", "providers.azure_marketplace.report"],
        input=json.dumps(project.outputs()),
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "contoso/vm  succeeded  7" in shown.stdout

    project.program('raise SystemExit("from the state alone")')
    refreshed = project.refresh("--expect-no-changes")
    assert refreshed.code == 0, refreshed.text
    destroyed = project.destroy()
    assert destroyed.code == 0, destroyed.text
    assert any("stays live" in said for said in destroyed.messages("vm"))
    assert posts(portal) == 1
