"""Every command of the pages, typed as a reader types it: real engine, simulator, a scratch folder.

What a reader fetches from an index is here already, so a new virtual environment gets it from this one; Pulumi is told
not to ask back (PULUMI_SKIP_CONFIRMATIONS), since nobody is there to answer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import CHECKOUT, blocks, script
from tests.engine.conftest import pulumi_folder  # noqa: F401
from tools import processes
from tools.local import NOT_INHERITED, backend
from tools.simulator_process import free_port

INSTALLATION = "docs/installation-configuration.md"
WHOLE = (
    INSTALLATION,
    "docs/how-to.md",
    "docs/interrupted-what-now.md",
    "docs/troubleshooting.md",
    "examples/README.md",
)
ELSEWHERE = {
    "docs/signing-in.md": "needs an Entra tenant; its keys and variables are checked by tests/credentials/test_docs.py",
    "README.md": "`make` is tested by tests/engine/test_make.py, installing by tests/engine/test_installed.py",
    "CONTRIBUTING.md": "these run the tests themselves",
    "simulator/README.md": "tests/simulator/test_command_line.py",
    "docs/portal-api.md": "what Microsoft's API is",
    "docs/benchmarks.md": "they take minutes, and are run by hand",
}
MARK = "OFFERGOLIVE_DOCS_TEST"

# Stands for `python3`. An official Pulumi finds the project's .venv by itself; where a workflow relies on that,
# it is found here for the old language host of a built one too (TAKE_VIRTUALENV).
PYTHON = """\
#!/bin/bash
if [ "${{1-}} ${{2-}}" = "-m venv" ]; then
  "{python}" "$@" || exit
  site=$("$3/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
  rm -rf "$site"/setuptools* "$site"/pkg_resources*
  echo "{packages}" > "$site/dependencies.pth"
elif [ -n "${{TAKE_VIRTUALENV-}}" ] && [ -x .venv/bin/python ]; then
  exec .venv/bin/python "$@"
else
  exec "{python}" "$@"
fi
"""
WAIT = """\
wait_for_the_portal() {
  for _ in $(seq 200); do curl --silent --output /dev/null "$PORTAL/_control" && return; sleep 0.1; done
  echo 'the portal did not start' >&2
  return 1
}
"""


@pytest.fixture
def shell(tmp_path: Path, pulumi_folder: Path) -> Iterator[dict[str, str]]:  # noqa: F811
    """The environment of a shell in which the pages are followed; ends what was left running."""
    shims = tmp_path / "shims"
    shims.mkdir()
    for name in ("python3", "python"):
        (shims / name).write_text(PYTHON.format(python=sys.executable, packages=sysconfig.get_path("purelib")))
        (shims / name).chmod(0o755)
    (tmp_path / "state").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith((*NOT_INHERITED, "PIP_"))}
    for name in ("PYTHONPATH", "CI", "TF_BUILD", "BUILD_NUMBER"):
        kept.pop(name, None)
    yield {
        **kept,
        "PATH": os.pathsep.join([str(shims), str(pulumi_folder), kept.get("PATH", os.defpath)]),
        "PORTAL": f"http://127.0.0.1:{free_port([])}",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # means: none
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": backend(tmp_path / "state"),
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_SKIP_CONFIRMATIONS": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "AZUREMARKETPLACE_MIN_POLL_INTERVAL": "0.2",
        MARK: str(tmp_path),
    }
    for pid in processes.with_environment(f"{MARK}={tmp_path}"):
        processes.end(pid)


def checkout_in(folder: Path) -> Path:
    """The files of this checkout, as `git clone` would bring them, with the environment that `make setup` makes."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for name in filter(lambda name: (CHECKOUT / name).is_file(), listed.splitlines()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    git(folder, "init", "--quiet")
    with (folder / ".git" / "info" / "exclude").open("a") as file:
        file.write("/.venv\n")  # a link here, and a folder, which .gitignore names, elsewhere
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return folder


def git(folder: Path, *command: str) -> str:
    settings = ("user.name=test", "user.email=test@localhost", "commit.gpgsign=false", "core.hooksPath=/dev/null")
    options = [part for setting in settings for part in ("-c", setting)]
    return subprocess.run(["git", *options, *command], cwd=folder, capture_output=True, text=True, check=True).stdout


def project_of_the_installation(folder: Path) -> Path:
    """The project that the installation's page makes; the package is the checkout's, not installed once more."""
    folder.mkdir()
    for block in blocks(CHECKOUT / INSTALLATION):
        if block.note.startswith("file: "):
            (folder / block.note.removeprefix("file: ")).write_text(block.body)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.mark.parametrize("page", WHOLE)
def test_the_commands_of_a_page_do_what_it_says(page: str, shell: dict[str, str], tmp_path: Path) -> None:
    if not (CHECKOUT / ".git").exists() or shutil.which("curl") is None:
        pytest.skip("needs curl and a git checkout")
    checkout = checkout_in(tmp_path / "offergolive")
    folder = checkout
    if page == INSTALLATION:
        folder = tmp_path
    elif page.startswith("docs/"):
        folder = project_of_the_installation(tmp_path / "infrastructure")
        shell["PYTHONPATH"] = str(checkout)
    text = script(CHECKOUT / page)
    port = shell["PORTAL"].rpartition(":")[2]
    text = text.replace("-m simulator", f"-m simulator --port {port}").replace("127.0.0.1:8088", f"127.0.0.1:{port}")
    text = text.replace("offergolive @ git+https://github.com/<owner>/<repository>", str(checkout))
    done = subprocess.run(
        ["bash", "-c", f"{WAIT}{text}"],
        cwd=folder,
        env=shell,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    assert git(checkout, "status", "--short") == "", "who follows the page has a clean checkout afterwards"


def test_every_page_with_commands_is_run_or_says_why_not() -> None:
    pages = [page for form in ("*.md", "docs/*.md", "examples/**/*.md") for page in CHECKOUT.glob(form)]
    ours = [page for page in pages if ".venv" not in page.parts]
    with_commands = {str(page.relative_to(CHECKOUT)) for page in ours if any(b.kind == "sh" for b in blocks(page))}
    assert with_commands - {*WHOLE, *ELSEWHERE} == set()


def test_what_is_not_run_says_why() -> None:
    notes = [block.note for page in WHOLE for block in blocks(CHECKOUT / page) if block.note]
    for note in notes:
        assert note in ("background", "fails") or note.startswith(("file: ", "not run: ")), note
    assert sum(note.startswith("not run: ") for note in notes) <= 8
