"""The wait for one operation, for hours or days: asked by a schedule, ended by its end, a deadline, or a cancelled run.

It decides nothing: what an end means for a request is for `going_live.py` to say. What cannot be read is not failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from providers.azure_marketplace.clock import Clock
from providers.azure_marketplace.errors import (
    Forbidden,
    Interrupted,
    LaunchLost,
    NotFound,
    OfferGoLiveError,
    PublishingError,
    Refused,
    RefusedAfterwards,
    SignInFailed,
    StillRunning,
    Unauthorized,
)
from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.polling import Schedule, backoff
from providers.azure_marketplace.publishing import Kind, OfferKey, Operation, PublishingApi, Status, same
from providers.azure_marketplace.sight import since

__all__ = ["Limits", "Observer", "Watch", "as_listed", "not_earlier", "seconds_since"]

_A_MINUTE = timedelta(minutes=1)
"""By which this machine's clock and an API's may differ."""
RESUME = "Run `pulumi up` again to go on waiting for it; nothing is submitted twice."


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things that go wrong are borne, in seconds.

    patience: one read before anything was submitted. settle: how long an answer must stay the same before "nothing
    began" is believed. unreadable: after how long people hear (again) of an operation that cannot be read in mid-wait.
    lost: an operation that the API says does not exist, while it lists nothing that runs. earlier: after a submission,
    an end that may be that of an earlier operation by the same id. unwelcome: an identity that is refused in mid-wait.
    request: one answer, where that is to be less than is configured. sends: how often a go-live that provably did not
    begin is sent.
    """

    patience: float = 60.0
    settle: float = 30.0
    unreadable: float = 6 * 3600.0
    lost: float = 900.0
    earlier: float = 300.0
    unwelcome: float = 600.0
    request: float | None = None
    sends: int = 3


def not_earlier(operation: Operation, launch: Launch, elapsed: float, limits: Limits) -> Operation:
    """What was read of a launch's operation; as running, where it may be the end of an earlier one by the same id.

    elapsed: seconds since the launch was submitted.
    """
    if not (operation.may_be_earlier and operation.status.ended) or elapsed > limits.earlier:
        return operation
    ended, submitted = operation.changed_at, launch.submitted_at
    if ended and submitted and ended >= submitted - timedelta(seconds=1):
        return operation
    return replace(operation, id=launch.operation_id or operation.id, status=Status.RUNNING, messages=())


def as_listed(listed: Sequence[Operation], launch: Launch) -> Operation | None:
    """A launch's operation, as a list shows it.

    By an id that recurs it may be an earlier one, as far as no date tells; one that was over before is none of it.
    """
    for operation in listed:
        at, submitted = operation.changed_at, launch.submitted_at
        doubtful = operation.recurring and operation.status.ended
        was_over = doubtful and at is not None and submitted is not None and at < submitted - _A_MINUTE
        if same(operation.id, launch.operation_id) and not was_over:
            return replace(operation, may_be_earlier=doubtful)
    return None


class Observer(Protocol):
    """Whoever watches a launch. None of these may raise or block."""

    def progress(self, operation: Operation, elapsed: float) -> None:
        """The operation was read. elapsed: seconds since it was submitted."""

    def note(self, message: str) -> None:
        """Something a person will want to find in the log afterwards."""

    def warn(self, message: str) -> None:
        """Something that a person should look at."""


class Watch:
    """Whoever asks `api` for operations, at the times of `schedule`."""

    def __init__(
        self, api: PublishingApi, clock: Clock, observer: Observer, *, schedule: Schedule, limits: Limits
    ) -> None:
        self._api = api
        self._clock = clock
        self._observer = observer
        self._schedule = schedule
        self._limits = limits

    def until_it_ends(
        self, offer: OfferKey, launch: Launch, deadline: float, *, wait: bool = True
    ) -> tuple[Launch, bool]:
        """The launch with what became of its operation, and whether it was found running. wait=False: one reading.

        deadline: on the clock's monotonic scale. Raises `StillRunning`, with the operation to record, when the time is
        up or the run is cancelled, `LaunchLost` when the API knows nothing of the operation any more, and
        `RefusedAfterwards` when it turns out that the API said no.
        """
        first: list[Status] = []
        launch = self._watch(offer, launch, deadline, wait=wait, seen=first.append)
        return launch, not first or not first[0].ended

    def _watch(
        self, offer: OfferKey, launch: Launch, deadline: float, *, wait: bool, seen: Callable[[Status], None]
    ) -> Launch:
        clock = self._clock
        started = clock.monotonic() - seconds_since(launch.submitted_at, clock)
        weather = _Weather(self._limits, seconds_since(launch.missing_since, clock))
        words: set[str] = set()
        ran = False
        try:
            while True:
                retry_after: float | None = None
                try:
                    operation = self._operation(offer, launch, weather)
                    retry_after = operation.retry_after
                    weather.clear()
                    if operation.refused:
                        raise self._refused(offer, operation)
                    seen(operation.status)
                    ran = ran or not operation.status.ended
                    if not ran:
                        operation = not_earlier(operation, launch, clock.monotonic() - started, self._limits)
                    launch = replace(launch, operation_id=operation.id).seen(operation, clock.now())
                    elapsed = clock.monotonic() - started
                    self._observer.progress(operation, elapsed)
                    if not operation.recognised and operation.word not in words:
                        words.add(operation.word)
                        self._observer.warn(
                            f"{self._api.title} gives {offer} the status {operation.word!r}, which nobody knows; "
                            "it counts as running."
                        )
                except (PublishingError, SignInFailed) as error:
                    why = weather.bear(error, clock.monotonic())
                    if weather.is_nowhere and launch.missing_since is None:
                        launch = replace(launch, missing_since=clock.now())
                    if why:
                        raise self._unreadable(offer, launch, error, why) from error
                    retry_after = getattr(error, "retry_after", None)
                    if weather.worth_telling(clock.monotonic()):
                        mendable = isinstance(error, Refused) and not isinstance(error, NotFound)
                        tell = self._observer.warn if mendable or weather.count > 1 else self._observer.note
                        tell(f"{error} The operation goes on; asking again.")
                if launch.status.ended or (not wait and weather.count == 0):
                    return launch
                left = deadline - clock.monotonic()
                if left <= 0:
                    state = weather.in_words or "is still running"
                    raise StillRunning(
                        f"The time for {offer} is up, and its go-live {state} (operation {launch.operation_id})",
                        next_step=f"{RESUME} A longer custom timeout for create and update waits longer.",
                        launch=launch,
                    )
                if not wait and weather.count > 2 and not weather.was_nowhere:
                    # Some seconds tell nothing of an operation that is not found, unless it was not found long ago.
                    self._observer.warn(
                        f"The go-live of {offer} {weather.in_words} (operation {launch.operation_id}); the next "
                        "`pulumi up` asks again."
                    )
                    return launch
                delay = self._schedule.delay(
                    clock.monotonic() - started, chance=clock.chance(), retry_after=retry_after
                )
                if weather.refused or (not wait and weather.count):
                    delay = backoff(weather.count, chance=clock.chance(), retry_after=retry_after)
                clock.sleep(min(delay, left))
        except Interrupted:
            raise StillRunning(
                f"The run was cancelled; the go-live of {offer} goes on (operation {launch.operation_id})",
                next_step=RESUME,
                launch=launch,
            ) from None

    def _operation(self, offer: OfferKey, launch: Launch, weather: _Weather) -> Operation:
        """One reading of the launch's operation; where its own address knows nothing, the list may."""
        operation_id = launch.operation_id or ""
        try:
            return self._api.operation(offer, operation_id)
        except NotFound:
            go_lives = [item for item in self._api.operations(offer) if item.kind is Kind.GO_LIVE]
            listed = as_listed(go_lives, launch)
            if listed:
                return listed
            held = launch.preview_version
            go_lives = [item for item in go_lives if None in (item.version, held) or item.version == held]
            # Only one runs at a time: the first that changed since this one was submitted is this one. A list that
            # lags behind may show an older one as running still.
            first = since(launch.submitted_at, go_lives)[-1:]
            if first:
                return first[0]
            weather.nowhere(self._clock.monotonic())
            raise

    def _refused(self, offer: OfferKey, operation: Operation) -> RefusedAfterwards:
        said = " | ".join(dict.fromkeys(message.text for message in operation.messages if message.text))
        return RefusedAfterwards(
            f"{self._api.title} refused to take {offer} live (operation {operation.id}){': ' if said else ''}{said}. "
            "Nothing of it began",
            next_step="See in the portal what runs for the offer, and whether its preview is the latest, and run "
            "`pulumi up` again.",
        )

    def _unreadable(
        self, offer: OfferKey, launch: Launch, error: OfferGoLiveError, why: str
    ) -> LaunchLost | StillRunning:
        cause = error if isinstance(error, PublishingError) else None
        if why == "lost":
            return self._lost(offer, launch)
        return StillRunning(
            f"The go-live of {offer} was submitted, but its state could not be read {why} (operation "
            f"{launch.operation_id}): {error.what}",
            next_step=" ".join(part for part in (error.next_step, RESUME) if part),
            launch=launch,
            cause=cause,
        )

    def _lost(self, offer: OfferKey, launch: Launch) -> LaunchLost:
        return LaunchLost(
            f"{self._api.title} does not know the go-live of {offer} any more (operation {launch.operation_id}) "
            "and lists none that runs: whether it went live cannot be told, and nothing is submitted in its place",
            next_step="See in the portal what became of it. If it is to be submitted again, change the resource's "
            "triggers and run `pulumi up`.",
            launch=launch,
        )


def seconds_since(moment: datetime | None, clock: Clock) -> float:
    """0 for a moment that is not known, or that another clock has ahead of us."""
    return max((clock.now() - moment).total_seconds(), 0.0) if moment else 0.0


class _Weather:
    """How long the present run of unreadable answers lasts, and when it is too long.

    missing: for how many seconds the operation was missing when this wait began.
    """

    def __init__(self, limits: Limits, missing: float) -> None:
        self._limits = limits
        self._missing = missing
        self.count = 0
        self.refused = 0
        self._told_at: float | None = None
        self._refused_since: float | None = None
        self._nowhere_since: float | None = None

    def clear(self) -> None:
        self.count = self.refused = 0
        self._told_at = self._refused_since = self._nowhere_since = None
        self._missing = 0.0

    def nowhere(self, now: float) -> None:
        """The operation's address and the list both say, readably, that there is no such operation."""
        if self._nowhere_since is None:
            self._nowhere_since = now

    @property
    def is_nowhere(self) -> bool:
        return self._nowhere_since is not None

    @property
    def was_nowhere(self) -> bool:
        """Whether an earlier run, for too long a time ago, and this one have not found it: it may be lost."""
        return self.is_nowhere and self._missing > self._limits.lost

    @property
    def in_words(self) -> str:
        if not self.count:
            return ""
        return f"could not be {'found' if self.is_nowhere else 'read'} when it was last asked for"

    def bear(self, error: OfferGoLiveError, now: float) -> str:
        """Why the wait must end, in words; empty while it goes on. "Cannot be read" is not "failed"."""
        self.count += 1
        if isinstance(error, SignInFailed) and not error.transient:
            return "without a sign-in"
        if isinstance(error, (Unauthorized, Forbidden)):
            self.refused += 1
            self._refused_since = now if self._refused_since is None else self._refused_since
            return "with this identity" if now - self._refused_since > self._limits.unwelcome else ""
        self.refused = 0
        self._refused_since = None
        if not isinstance(error, NotFound):
            self._nowhere_since = None
        # Where an earlier run did not find it either, this one only has to outlast some bad weather.
        enough = 4 * self._limits.settle if self.was_nowhere else self._limits.lost
        if self._nowhere_since is not None and now - self._nowhere_since > enough:
            return "lost"
        return ""

    def worth_telling(self, now: float) -> bool:
        """Whether people should hear of it (again): at first, and then once in a long while."""
        told = self._told_at is not None and now - self._told_at < self._limits.unreadable
        self._told_at = self._told_at if told else now
        return not told
