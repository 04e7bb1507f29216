"""The simulator's time: real, moved ahead, or standing still until somebody advances it.

The model of the portal reads the time here and nowhere else, so that days of waiting cost a test nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Whatever knows the time, in seconds since 1970 UTC."""

    def now(self) -> float: ...


class SimulatorClock:
    """Real time plus an offset; `freeze` makes it stand still, `advance` moves it in either state."""

    def __init__(self, *, frozen_at: float | None = None, real: Callable[[], float] = time.time) -> None:
        self._real = real
        self._offset = 0.0
        self._frozen_at = frozen_at

    def now(self) -> float:
        return self._real() + self._offset if self._frozen_at is None else self._frozen_at

    @property
    def frozen(self) -> bool:
        return self._frozen_at is not None

    @property
    def offset(self) -> float:
        """Seconds by which the running clock is ahead of real time."""
        return self._offset

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("time goes forward only: give zero or more seconds")
        if self._frozen_at is None:
            self._offset += seconds
        else:
            self._frozen_at += seconds

    def freeze(self, at: float | None = None) -> None:
        """Stand still, at the present moment or at `at`."""
        self._frozen_at = self.now() if at is None else at

    def run_on(self) -> None:
        """Go on from the moment at which the clock stood."""
        if self._frozen_at is not None:
            self._offset = self._frozen_at - self._real()
            self._frozen_at = None

    def reset(self, at: float | None = None) -> None:
        """Run from `at` on; from the real present if None."""
        self._frozen_at = None
        self._offset = 0.0 if at is None else at - self._real()

    def set(self, at: float) -> None:
        """Jump to `at`, and stand still or run on from there as before."""
        if self._frozen_at is not None:
            self._frozen_at = at
        else:
            self._offset = at - self._real()
