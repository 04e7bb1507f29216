"""The simulator as a process of its own, for every test that meets it over real HTTP."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.simulator_process import Running, Simulator

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture
def new_simulator(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts simulators of the portal: `new_simulator(scenario="...YAML...")`; ended with the test."""
    made: list[Simulator] = []

    def start(scenario: str | None = None) -> Running:
        folder = tmp_path / f"simulator-{len(made) + 1}"
        folder.mkdir()
        path = None
        if scenario is not None:
            path = folder / "scenario.yaml"
            path.write_text(scenario)
        made.append(Simulator(CHECKOUT, folder, Path(sys.executable), path))
        return made[-1].start()

    yield start
    for simulator in made:
        simulator.stop()
