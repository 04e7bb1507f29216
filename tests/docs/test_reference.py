"""docs/reference.md is what the code says."""

from __future__ import annotations

from providers.azure_marketplace.inputs import INPUT_NAMES
from providers.azure_marketplace.launch import OUTPUT_NAMES
from providers.azure_marketplace.settings import KEYS
from tools import reference


def test_it_is_current() -> None:
    assert reference.main(["--check"]) == 0


def test_it_has_every_input_output_and_setting_with_words() -> None:
    rows = [line.split(" | ") for line in reference.page().splitlines() if line.startswith("| `")]
    described = {cells[0].strip("| `"): cells[-1].strip(" |") for cells in rows}
    assert set(described) == {*INPUT_NAMES, *OUTPUT_NAMES, *KEYS}
    assert all(described.values()), [name for name, words in described.items() if not words]
