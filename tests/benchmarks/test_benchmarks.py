"""Every benchmark runs, with a few offers, and tells something; what it tells is judged at full size only."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES, main
from benchmarks.machine import machine
from benchmarks.report import BEGIN, END, TINY, Report, into, number
from tests.engine.conftest import pulumi_folder as pulumi_folder


@pytest.fixture
def with_pulumi(pulumi_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFERGOLIVE_PULUMI_BIN", str(pulumi_folder))


@pytest.mark.usefixtures("with_pulumi")
@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_runs(name: str) -> None:
    report: Report = importlib.import_module(f"benchmarks.{name}").run(TINY)

    assert report.tables
    assert all(len(row) == len(table.columns) for table in report.tables for row in table.rows)
    assert report.targets
    assert not report.missed
    assert all(target.met is None for target in report.targets)


def test_a_missed_target_is_told() -> None:
    report = Report("Something", replace(TINY, judged=True))
    report.target("at most 1", "2", False)
    report.target("at most 3", "2", True)

    assert [target.wanted for target in report.missed] == ["at most 1"]
    assert "| at most 1 | 2 | **missed** |" in str(report)


def test_results_take_the_place_of_the_old_ones() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"

    once = into(page, r"new \1")

    assert once == f"before\n{BEGIN}\n\nnew \\1\n\n{END}\nafter\n"
    assert into(once, r"new \1") == once
    with pytest.raises(ValueError, match="no place"):
        into("nothing", "new")


def test_numbers_have_three_digits_at_most() -> None:
    assert [number(value) for value in (153.2, 15.32, 1.532, 0.1532, 0.0)] == ["153", "15.3", "1.53", "0.153", "0"]


@pytest.mark.usefixtures("with_pulumi")
def test_the_machine_is_told_without_its_name() -> None:
    told = machine()

    assert "cores" in told
    assert "/" not in told


def test_a_benchmark_that_is_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nothing"])

    assert "there is no benchmark 'nothing'" in capsys.readouterr().err


def test_the_page_has_a_place_for_the_results() -> None:
    page = Path(__file__).parents[2] / "docs" / "benchmarks.md"

    assert into(page.read_text(encoding="utf-8"), "x")
