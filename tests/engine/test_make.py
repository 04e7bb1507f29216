"""`make up` and its kin, to the letter, in a copy of this checkout that has its environment and its Pulumi."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import CHECKOUT
from tools import local, processes

GIT = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]


@pytest.fixture
def copy(tmp_path: Path, pulumi_folder: Path) -> Iterator[Path]:
    """The files of this checkout, changes and all, without what is ignored."""
    if not (CHECKOUT / ".git").exists() or shutil.which("make") is None:
        pytest.skip("needs make and a git checkout")
    here = local.Checkout(CHECKOUT)
    if Path(sys.prefix).resolve() != here.venv.resolve() or not (here.venv / ".stamp").exists():
        pytest.skip("needs the environment that `make test` made")
    target = tmp_path / "copy"
    listed = subprocess.run(GIT, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for name in filter(lambda name: (CHECKOUT / name).is_file(), listed.splitlines()):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, target / name)
    (target / ".venv").symlink_to(here.venv.resolve())
    yield target
    make(target, pulumi_folder, "down")


def make(copy: Path, pulumi: Path, what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", what],
        cwd=copy,
        env=environment(pulumi),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def environment(pulumi: Path) -> dict[str, str]:
    return {**os.environ, "PULUMI": str(pulumi), "PYTHON": sys.executable, "ARGS": "", "MAKEFLAGS": ""}


def tracked_changes(copy: Path) -> list[str]:
    """Files of the copy that are not as in this checkout, or not there; ignored ones aside."""
    listed = subprocess.run(GIT, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.splitlines()
    here = (name for name in listed if (CHECKOUT / name).is_file())
    return [name for name in here if (copy / name).read_bytes() != (CHECKOUT / name).read_bytes()]


def test_up_again_preview_refresh_destroy_down(copy: Path, pulumi_folder: Path) -> None:
    first = make(copy, pulumi_folder, "up")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "+ 5 created" in first.stdout
    assert first.stdout.count('"succeeded"') == 4

    again = make(copy, pulumi_folder, "up")
    assert "5 unchanged" in again.stdout, again.stdout + again.stderr

    make(copy, pulumi_folder, "down")
    restarted = make(copy, pulumi_folder, "up")
    assert "Started the simulator" in restarted.stdout
    assert "5 unchanged" in restarted.stdout, "the simulator forgot the offers"

    for what in ("preview", "refresh"):
        shown = make(copy, pulumi_folder, what)
        assert shown.returncode == 0, shown.stdout + shown.stderr
        assert "5 unchanged" in shown.stdout
    assert "- 5 deleted" in make(copy, pulumi_folder, "destroy").stdout

    assert "Ended the simulator" in make(copy, pulumi_folder, "down").stdout
    assert "not running" in make(copy, pulumi_folder, "down").stdout
    assert processes.with_environment(local.Checkout(copy).mark) == []
    assert tracked_changes(copy) == []


def test_up_recovers_from_a_killed_up(copy: Path, pulumi_folder: Path) -> None:
    with subprocess.Popen(
        ["make", "up"],
        cwd=copy,
        env=environment(pulumi_folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as killed:
        assert killed.stdout is not None
        seen = ""
        for line in killed.stdout:
            seen += line
            if "OfferGoLive" in line and "creating" in line:
                break
        time.sleep(1)
        os.killpg(killed.pid, signal.SIGKILL)  # make, our tool and Pulumi; its hosts are in groups of their own
        assert "creating" in seen, seen
        killed.stdout.close()

    recovered = make(copy, pulumi_folder, "up")

    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    assert "An earlier run was killed" in recovered.stdout
    assert recovered.stdout.count('"succeeded"') == 4
    again = make(copy, pulumi_folder, "up")
    assert "5 unchanged" in again.stdout
    assert "pending" not in again.stdout + again.stderr


def test_up_in_a_pipeline(copy: Path, pulumi_folder: Path) -> None:
    """No terminal, no colours, no home to write to, and a checkout of which only the ignored folders can be written."""
    (copy / ".local").mkdir(exist_ok=True)
    ignored = {copy / ".local", copy / ".venv"}
    folders = [copy, *(path for path in copy.rglob("*") if path.is_dir() and not ignored & {path, *path.parents})]
    home = copy / ".local" / "home"
    home.mkdir()
    outside = {"HOME": str(home), "CI": "true", "TERM": "dumb", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    for folder in folders:
        folder.chmod(0o555)
    home.chmod(0o555)
    try:
        done = subprocess.run(
            [*unprivileged(), "make", "up"],
            cwd=copy,
            env={**environment(pulumi_folder), **outside},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    finally:
        for folder in (*folders, home):
            folder.chmod(0o755)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "+ 5 created" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert tracked_changes(copy) == []
    assert [path.name for path in copy.iterdir() if path.name not in {name.name for name in (CHECKOUT).iterdir()}] == []


def unprivileged() -> list[str]:
    """What goes before a command so that a read-only folder is one for root too; nothing where that cannot be had."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root writes everywhere, and there is no setpriv to take that away")
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--"]
