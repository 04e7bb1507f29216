"""The one request that changes something: sent once, and never again before it is known what became of it.

Accepted, or refused: the API says so. Not answered: the API is looked at until it shows what began, or for so long
that nothing can have. That it is to be sent at all was decided before, by `going_live.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from providers.azure_marketplace.clock import Clock
from providers.azure_marketplace.errors import (
    Conflict,
    Interrupted,
    LaunchLost,
    LaunchUnknown,
    NotSent,
    PublishingError,
    Refused,
    SignInFailed,
    Unanswered,
    Unreadable,
)
from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.looking import Lookout
from providers.azure_marketplace.polling import backoff
from providers.azure_marketplace.publishing import Kind, OfferKey, Operation, PublishingApi, Status
from providers.azure_marketplace.sight import Sight, covers, launch_of
from providers.azure_marketplace.watching import Limits, Observer

__all__ = ["RUN_AGAIN", "Submitter"]

RUN_AGAIN = "Run `pulumi up` again: it looks the offer up first and never submits what is already going live."

# What code answers a go-live while another operation runs is not known (portal-api section 6 [G]); words may tell.
_ABOUT_ONE = re.compile(r"already|in[ -]?progress|running|another (operation|submission)|conflict", re.IGNORECASE)


class Submitter:
    """Whoever sends go-lives to `api`, and looks through `lookout` what became of them."""

    def __init__(
        self, api: PublishingApi, clock: Clock, observer: Observer, *, lookout: Lookout, limits: Limits
    ) -> None:
        self._api = api
        self._clock = clock
        self._observer = observer
        self._lookout = lookout
        self._limits = limits

    def submit(self, offer: OfferKey, recorded: Launch | None, sight: Sight, deadline: float) -> tuple[Launch, bool]:
        """The launch that runs now, and whether it is a fresh one: of two who send at once, one adopts the other's.

        recorded: what the state knows. sight: what was seen last, and says that it is to be sent. deadline: on the
        clock's monotonic scale. Raises `LaunchUnknown`, with `unanswered_at` in its launch, where it cannot be told
        whether anything began, and what the API refused it with.
        """
        give_up_at = min(deadline, self._clock.monotonic() + self._limits.patience)
        sent = attempt = 0
        sent_at: datetime | None = None
        while True:
            self._clock.sleep(0)  # the last moment at which a cancelled run has submitted nothing
            began, began_at = self._clock.monotonic(), self._clock.now()
            try:
                accepted = self._api.submit(offer, sight.preview)
            except NotSent as error:
                attempt += 1
                if error.lasting or self._clock.monotonic() >= give_up_at:
                    error.next_step = error.next_step or "Nothing was submitted. Run `pulumi up` again."
                    raise
                left = max(0.0, give_up_at - self._clock.monotonic())
                self._clock.sleep(min(self._lookout.delay(attempt, error), left))
            except Interrupted:
                raise self._unknown(
                    f"The run was cancelled while {offer} was being submitted; it may be going live",
                    recorded,
                    sight,
                    sent_at or began_at,
                ) from None
            except (Unanswered, Unreadable) as error:
                sent, sent_at = sent + 1, sent_at or began_at
                self._observer.warn(f"{error} Looking whether the go-live has begun before anything is sent again.")
                found = self._settled(offer, recorded, sight, error, deadline, sent_at)
                if found:
                    return launch_of(found, recorded, sight, self._clock.now(), adopted=False), True
                if sent >= self._limits.sends:
                    raise LaunchUnknown(
                        f"{offer} could not be submitted: {sent} tries, and none began",
                        next_step=RUN_AGAIN,
                        cause=error,
                    ) from error
            except Refused as error:
                found = self._running_after_all(offer, recorded, sight, error, deadline)
                if found is None and isinstance(error, Conflict):
                    found = error.operation
                if found:
                    self._observer.note(f"{offer} is going live already: adopted.")
                    return launch_of(found, recorded, sight, self._clock.now(), adopted=True), False
                raise
            else:
                self._observer.note(f"{offer} was submitted to go live.")
                # An answer may take its time; what is listed is dated by when it was sent.
                underway = timedelta(seconds=self._clock.monotonic() - began)
                launch = Launch(
                    status=Status.RUNNING,
                    operation_id=accepted.operation_id,
                    live_version=sight.live_version,
                    preview_version=sight.preview_version,
                    submitted_at=(accepted.at or self._clock.now()) - underway,
                )
                if accepted.operation_id is None:
                    launch = self._named(offer, recorded, sight, launch, deadline, accepted.unnamed)
                return launch, True

    def _named(
        self, offer: OfferKey, recorded: Launch | None, before: Sight, launch: Launch, deadline: float, why: str
    ) -> Launch:
        """A launch that was accepted without a word about its operation: the list has to tell.

        Raises `LaunchLost` with the launch, accepted and without an operation, where that does not show it.
        """
        missing = PublishingError(why or f"{self._api.title} accepted the go-live of {offer}, but named no operation")
        self._observer.warn(f"{missing} Looking it up.")
        try:
            found = self._settled(offer, recorded, before, missing, deadline, self._clock.now())
        except LaunchUnknown:
            found = None
        if found is None:
            raise self.nameless(offer, launch, why=why)
        return replace(launch, operation_id=found.id).seen(found, self._clock.now())

    def nameless(self, offer: OfferKey, launch: Launch, *, why: str = "") -> LaunchLost:
        """What is to be said of a launch that was accepted, and that nothing is known to be."""
        what = why or f"{self._api.title} accepted the go-live of {offer}, but named no operation"
        return LaunchLost(
            f"{what}, and its list shows none (yet): it cannot be watched, and nothing is submitted in its place",
            next_step="Run `pulumi up` again in a few minutes: it looks for it. If the portal shows that nothing came "
            "of it, change the resource's triggers, and it is submitted again.",
            launch=launch,
        )

    def _settled(
        self,
        offer: OfferKey,
        recorded: Launch | None,
        before: Sight,
        error: PublishingError,
        deadline: float,
        sent_at: datetime,
    ) -> Operation | None:
        """Look until the answer settles: the go-live that began since `before`; None when none provably did."""
        started = self._clock.monotonic()
        give_up_at = min(deadline, started + 4 * self._limits.settle)
        attempt = quiet_looks = 0
        retry_after = error.retry_after
        while True:
            attempt += 1
            delay = backoff(attempt, chance=self._clock.chance(), retry_after=retry_after, longest=5.0)
            try:
                self._clock.sleep(min(delay, max(0.0, give_up_at - self._clock.monotonic())))
                retry_after = None
                new = _plausible(replace(before, operations=self._api.operations(offer)), before, recorded)
                found = next((operation for operation in new if operation.kind is not Kind.PREVIEW), None)
                if found:
                    return found
                # A publish to preview that somebody began meanwhile, or a go-live under another name: not settled.
                quiet_looks = 0 if new else quiet_looks + 1
                quiet = quiet_looks >= 3 and self._clock.monotonic() >= started + self._limits.settle
                if quiet and self._api.live(offer) == before.live:
                    return None
            except Interrupted:
                raise self._unknown(
                    f"The run was cancelled before it was known whether {offer} is going live",
                    recorded,
                    before,
                    sent_at,
                ) from None
            except (PublishingError, SignInFailed):
                quiet_looks = 0
            if self._clock.monotonic() >= give_up_at:
                raise self._unknown(
                    f"It cannot be told yet whether {offer} is going live: {error.what}",
                    recorded,
                    before,
                    sent_at,
                    error,
                ) from error

    def _unknown(
        self,
        what: str,
        recorded: Launch | None,
        sight: Sight,
        sent_at: datetime,
        cause: PublishingError | None = None,
    ) -> LaunchUnknown:
        """What is known of the last launch stays recorded, and that another was sent whose answer is not known."""
        known = recorded or Launch(
            Status.NOT_STARTED, live_version=sight.live_version, preview_version=sight.preview_version
        )
        launch = replace(known, unanswered_at=sent_at)
        return LaunchUnknown(what, next_step=RUN_AGAIN, launch=launch, cause=cause)

    def _running_after_all(
        self, offer: OfferKey, recorded: Launch | None, before: Sight, error: Refused, deadline: float
    ) -> Operation | None:
        """The go-live that a refusal is about, if it is about one: "already running" is no failure, but an adoption."""
        if error.status not in (400, 404, 409, 422):
            return None
        about_one = isinstance(error, Conflict) or _ABOUT_ONE.search(error.words)
        until = min(deadline, self._clock.monotonic() + (self._limits.settle if about_one else 0.0))
        attempt = 0
        while True:
            try:
                sight = self._lookout.look(offer, until)
            except (PublishingError, SignInFailed):
                sight = replace(before, operations=())
            begun = [item for item in _plausible(sight, before, recorded) if item.kind is Kind.GO_LIVE]
            spent_by = sight.spent_by if sight.preview_version == before.preview_version else None
            found = sight.running(recorded) or next(iter(begun), None) or spent_by
            if found:
                return found
            explained = any(item.kind is Kind.PREVIEW and not item.status.ended for item in sight.operations)
            if explained or self._clock.monotonic() >= until:
                return None
            attempt += 1
            self._clock.sleep(backoff(attempt, chance=self._clock.chance(), longest=5.0))


def _plausible(sight: Sight, before: Sight, recorded: Launch | None) -> list[Operation]:
    """What has begun since; without what ended with another version, which is an older one that is shown late."""
    new = sight.begun_since(before, recorded)
    return [item for item in new if not (item.status.ended and covers(item, before) is False)]
