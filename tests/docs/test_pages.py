"""The test of the pages bites: a command that fails, or that should and does not, ends it with its line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import script

FENCE = "```"


def run(tmp_path: Path, page: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "page.md"
    path.write_text(page.replace("~~~", FENCE))
    command = ["bash", "-c", f"wait_for_the_portal() {{ true; }}\n{script(path)}"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=20)


def test_files_are_written_and_commands_run_in_their_order(tmp_path: Path) -> None:
    page = (
        "# Page\n\n<!-- file: a/b.txt -->\n~~~text\nit's $HOME\n~~~\n\n~~~sh\ncat a/b.txt\ncd a\n~~~\n\n"
        "<!-- background -->\n~~~sh\ncd .. && sleep 0\n~~~\n\n~~~python\nnot a command\n~~~\n\n"
        "<!-- not run: why -->\n~~~sh\nfalse\n~~~\n\n<!-- fails -->\n~~~sh\ntest -e missing\n~~~\n\n"
        "~~~sh\ncat b.txt\n~~~\n"
    )
    done = run(tmp_path, page)
    assert (done.returncode, done.stdout) == (0, "it's $HOME\n" * 2), done.stderr


@pytest.mark.parametrize(
    ("page", "line"),
    [
        ("~~~sh\ntrue\n~~~\n\n~~~sh\nfalse\ntrue\n~~~\n", 5),
        ("~~~sh\nfalse | true\n~~~\n", 1),
        ("<!-- fails -->\n~~~sh\ntrue\n~~~\n", 1),
    ],
)
def test_what_goes_wrong_ends_it(tmp_path: Path, page: str, line: int) -> None:
    done = run(tmp_path, page)
    assert done.returncode != 0
    assert f"failed at line {line} of the page" in done.stderr or "it did not fail" in done.stderr
