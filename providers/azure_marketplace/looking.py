"""How an offer is looked at: its reads, side by side where they are several, and again while the weather is bad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from providers.azure_marketplace.clock import Clock, patience
from providers.azure_marketplace.errors import (
    NotFound,
    NotSent,
    OfferGoLiveError,
    PublishingError,
    SignInFailed,
    Unanswered,
    Unreadable,
)
from providers.azure_marketplace.polling import backoff
from providers.azure_marketplace.publishing import OfferKey, Operation, PublishingApi, Slot
from providers.azure_marketplace.sight import Sight
from providers.azure_marketplace.watching import Limits

__all__ = ["Lookout", "SideBySide", "one_after_another"]

T = TypeVar("T")
SideBySide = Callable[[Sequence[Callable[[], object]]], list[object]]

LEAST = 4.0
"""Seconds that one read of many requests is given, however little time is left."""


def one_after_another(reads: Sequence[Callable[[], object]]) -> list[object]:
    return [read() for read in reads]


class Lookout:
    """Whoever looks at offers through one API, and bears its weather for as long as `limits.patience`."""

    def __init__(self, api: PublishingApi, clock: Clock, limits: Limits, side_by_side: SideBySide) -> None:
        self._api = api
        self._clock = clock
        self._limits = limits
        self._side_by_side = side_by_side

    def look(self, offer: OfferKey, deadline: float) -> Sight:
        """What the API shows of an offer now. deadline: on the clock's monotonic scale, and never beyond patience."""

        def operations() -> Sequence[Operation]:
            try:
                return self._api.operations(offer)
            except NotFound:
                # Either the offer is gone, which the slots tell, or nothing was ever submitted for it.
                return ()

        overview = self.patiently(lambda: self._api.overview(offer), deadline)
        if overview is not None:
            whole = (overview.preview, overview.live, overview.operations)
            return Sight(*whole, from_one_answer=True, cut_short=overview.cut_short)
        reads: Sequence[Callable[[], object]] = (
            lambda: self._slot(lambda: self._api.preview(offer), deadline),
            lambda: self._slot(lambda: self._api.live(offer), deadline),
            lambda: self.patiently(operations, deadline),
        )
        preview, live, listed = self._side_by_side(reads)
        return Sight(preview, live, listed)  # type: ignore[arg-type]

    def _slot(self, read: Callable[[], Slot | None], deadline: float) -> Slot | None:
        """An empty slot is not found, and so is a full one in bad weather: it is asked for twice."""
        return self.patiently(read, deadline) or self.patiently(read, deadline)

    def patiently(self, read: Callable[[], T], deadline: float) -> T:
        """Try a read again while the weather is bad: within the limits' patience, and before the deadline."""
        began = self._clock.monotonic()
        until = min(deadline, began + self._limits.patience)
        given_up_at = max(until, began + LEAST)
        attempt = 0
        while True:
            try:
                with patience(lambda: self._clock.monotonic() >= given_up_at):
                    return read()
            except (Unanswered, NotSent, Unreadable, SignInFailed) as error:
                attempt += 1
                delay = self.delay(attempt, error)
                no_weather = isinstance(error, SignInFailed) and not error.transient
                lasting = no_weather or (isinstance(error, NotSent) and error.lasting)
                if lasting or self._clock.monotonic() + delay > until:
                    raise
                self._clock.sleep(delay)

    def delay(self, attempt: int, error: OfferGoLiveError) -> float:
        """Seconds until what failed is tried again."""
        retry_after = error.retry_after if isinstance(error, PublishingError) else None
        return backoff(attempt, chance=self._clock.chance(), retry_after=retry_after, longest=10.0)
