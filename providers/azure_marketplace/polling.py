"""When to ask again, and what a status word means. Pure: no I/O, no clock, no Pulumi.

Two clocks are kept apart: `Schedule` spaces the polls of an operation that runs for hours or days; `backoff`
spaces the tries of one read that failed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from providers.azure_marketplace.publishing import Status

__all__ = ["JITTER", "Schedule", "backoff", "status_of_word"]

JITTER = 0.05
"""The part of a delay that jitter may take off, so that a hundred waits do not poll in step.

It only ever shortens a delay: a longer one would be noticed later than promised."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Poll after a tenth of the time already gone, within bounds: a result is at most 10 % late.

    minimum, maximum: seconds between two polls.
    """

    minimum: float = 5.0
    maximum: float = 300.0

    def delay(self, elapsed: float, *, chance: float, retry_after: float | None = None) -> float:
        """Seconds until the next poll.

        elapsed: seconds since the operation was submitted. chance: a random number from 0 to 1.
        retry_after: what the API asked for, in seconds; a lower bound, and never taken beyond an hour.
        """
        delay = min(max(elapsed / 10, self.minimum), self.maximum) * (1 - JITTER * chance)
        return max(delay, min(retry_after or 0.0, 3600.0))


def backoff(attempt: int, *, chance: float, retry_after: float | None = None, longest: float = 60.0) -> float:
    """Seconds to wait after failed try `attempt` (1, 2, ...) of one read: 0.5, 1, 2, ... up to `longest`."""
    delay = min(0.5 * 2.0 ** min(attempt - 1, 20), longest) * (1 - 0.5 * chance)
    return max(delay, min(retry_after or 0.0, 3600.0))


# portal-api section 4: documented, sampled and observed words clash in case, spaces and choice of word.
_WORDS = {
    "completed": Status.SUCCEEDED,
    "complete": Status.SUCCEEDED,
    "succeeded": Status.SUCCEEDED,
    "success": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "failure": Status.FAILED,
    "rejected": Status.FAILED,
    "canceled": Status.CANCELED,
    "cancelled": Status.CANCELED,
    "notstarted": Status.NOT_STARTED,
    "running": Status.RUNNING,
    "inprogress": Status.RUNNING,
    "pending": Status.RUNNING,
    "waitingforapproval": Status.RUNNING,
    # At the top level of a go-live: still before the sign-off, so neither done nor failed.
    "waitingforpublisherreview": Status.RUNNING,
}


def status_of_word(word: str) -> tuple[Status, bool]:
    """The status that a top-level word stands for, in any case and spelling, and whether the word is known.

    An unknown word counts as running: a launch is never reported as done, nor as failed, on a guess.
    """
    status = _WORDS.get(re.sub(r"[\s_-]", "", word).lower())
    return (Status.RUNNING, False) if status is None else (status, True)
