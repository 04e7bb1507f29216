"""The Pythons that hosts run on: the one of these tests, and one with the oldest supported packages."""

from __future__ import annotations

import os
import sys

import pytest

OLDEST = "OFFERGOLIVE_OLDEST_PYTHON"


@pytest.fixture(params=["newest", "oldest"])
def python(request: pytest.FixtureRequest) -> str:
    """An interpreter; `make test` makes the second and names it."""
    if request.param == "newest":
        return sys.executable
    named = os.environ.get(OLDEST)
    if named is None:
        pytest.skip("there is no environment with the oldest supported packages: `make test` makes one")
    return named
