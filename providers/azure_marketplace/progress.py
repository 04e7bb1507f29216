"""How a wait is told: a live line on the resource's own row, and in a log one line for each change of step.

Pure but for the ways of telling that are handed in. A log never gets one line for each poll.
"""

from __future__ import annotations

from collections.abc import Callable

from providers.azure_marketplace.publishing import Operation, Step

__all__ = ["Narrator", "duration", "line"]

HEARTBEAT = 1800.0
"""Seconds after which a log hears again of a step that goes on."""


class Narrator:
    """`watching.Observer` for one resource.

    show: a line that replaces the one before it. tell: a line that stays, and is repeated when all is done.
    live: whether somebody watches a screen; a log gets a new line from every `show`, so it is shown less.
    """

    def __init__(
        self,
        *,
        show: Callable[[str], None],
        tell: Callable[[str], None],
        warn: Callable[[str], None],
        live: bool = True,
    ) -> None:
        self._live = live
        self._show = show
        self._tell = tell
        self._warn = warn
        self._told: tuple[object, ...] | None = None
        self._told_at = 0.0
        self._messages: set[str] = set()

    def progress(self, operation: Operation, elapsed: float) -> None:
        step = _current(operation)
        state = (operation.status, step.name if step else None, step.status_word if step else None)
        if self._live or state != self._told or elapsed - self._told_at >= HEARTBEAT:
            self._told, self._told_at = state, elapsed
            self._show(line(operation, elapsed))
        for each in operation.steps:
            for message in each.messages:
                # A blocked step inside a running operation (portal-api 3.2 [D]): worth a look, and not a failure yet.
                if message.level == "error" and message.text not in self._messages and len(self._messages) < 50:
                    self._messages.add(message.text)
                    self._warn(f"{each.name}: {message.text}")

    def note(self, message: str) -> None:
        self._tell(message)

    def warn(self, message: str) -> None:
        self._warn(message)


def line(operation: Operation, elapsed: float) -> str:
    """`2/6, 40 %, 3 h 12 min so far: Certification, usually ~2-3 days`.

    What changes comes first: Pulumi cuts a row at the terminal's right edge, where step names are often out of sight.
    """
    step = _current(operation)
    if operation.status.ended or step is None:
        return (
            f"Go-live {operation.status.value}, {duration(elapsed)} {'in all' if operation.status.ended else 'so far'}"
        )
    numbers = [f"{operation.steps.index(step) + 1}/{len(operation.steps)}"]
    if step.percent is not None:
        numbers.append(f"{step.percent} %")
    numbers.append(f"{duration(elapsed)} so far")
    usually = f", usually {step.estimate}" if step.estimate else ""
    return f"{', '.join(numbers)}: {step.name}{usually}"


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 12 min`, `2 d 4 h`."""
    seconds = max(0, int(seconds))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours = seconds // 60 % 60, seconds // 3600
    if hours < 1:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def _current(operation: Operation) -> Step | None:
    """The step that is under way: the last active one, else the first that has not been reached."""
    active = [step for step in operation.steps if step.active]
    if active:
        return active[-1]
    waiting = [step for step in operation.steps if step.status_word.lower().replace(" ", "") in ("notstarted", "")]
    return waiting[0] if waiting else (operation.steps[-1] if operation.steps else None)
