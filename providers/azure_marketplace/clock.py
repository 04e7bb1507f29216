"""Time, as the rule of going live sees it: handed in, so that tests pass days in milliseconds."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import Protocol

from providers.azure_marketplace.errors import Interrupted

__all__ = ["Clock", "SystemClock", "is_out_of_patience", "patience"]

_is_over: ContextVar[Callable[[], bool] | None] = ContextVar("_is_over", default=None)


@contextmanager
def patience(is_over: Callable[[], bool]) -> Iterator[None]:
    """What is read in here is waited for until `is_over`: one read may be of many requests."""
    before = _is_over.set(is_over)
    try:
        yield
    finally:
        _is_over.reset(before)


def is_out_of_patience() -> bool:
    """Whether nobody waits any more for what this thread reads."""
    is_over = _is_over.get()
    return is_over is not None and is_over()


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds that never run backwards."""

    def now(self) -> datetime:
        """The wall clock, UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait; raises `Interrupted` at once when the run is cancelled, also when it was before the call."""

    def chance(self) -> float:
        """A random number from 0 to 1, for jitter."""


class SystemClock:
    """The real one. cancelled: set by whoever ends the run, from any thread."""

    def __init__(self, cancelled: threading.Event) -> None:
        self._cancelled = cancelled

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def sleep(self, seconds: float) -> None:
        if self._cancelled.wait(max(seconds, 0.0)):
            raise Interrupted

    def chance(self) -> float:
        return random.random()  # noqa: S311 - jitter, not a secret  # nosec B311
