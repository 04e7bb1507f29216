"""What is said of a launch that does not come about: why, in the API's own words too, and what to do next.

It is told here, and decided in `going_live.py`. For its reasons, an operation that has ended is read once more.
"""

from __future__ import annotations

from collections.abc import Callable

from providers.azure_marketplace.clock import Clock
from providers.azure_marketplace.errors import (
    Interrupted,
    LaunchCanceled,
    LaunchError,
    LaunchFailed,
    LaunchRefused,
    PublishingError,
    SignInFailed,
    UnknownOffer,
)
from providers.azure_marketplace.launch import Launch, iso
from providers.azure_marketplace.looking import Lookout
from providers.azure_marketplace.publishing import Kind, OfferKey, Operation, PublishingApi, Status
from providers.azure_marketplace.request import Request
from providers.azure_marketplace.sight import Sight

__all__ = ["Verdicts", "nowhere_else"]

PATIENCE = 10.0
"""Seconds for which the reasons of a failure are asked for: the failure is told without them, too."""


def nowhere_else(_: OfferKey) -> str | None:
    return None


class Verdicts:
    """Whoever says why. elsewhere: which other API knows an offer, as the input `api` names it, if any does."""

    def __init__(
        self, api: PublishingApi, clock: Clock, lookout: Lookout, elsewhere: Callable[[OfferKey], str | None]
    ) -> None:
        self._api = api
        self._clock = clock
        self._lookout = lookout
        self._elsewhere = elsewhere

    @property
    def here(self) -> str:
        """The API's title within a sentence."""
        return f"{self._api.title[:1].lower()}{self._api.title[1:]}"

    def overtaken(self, offer: OfferKey, sight: Sight, later: Operation) -> LaunchRefused:
        """Of a preview that is not the latest any more, or may not be."""
        known = later.kind is not Kind.UNKNOWN
        if known and sight.preview and sight.preview.spent:
            return LaunchRefused(
                f"{offer} has nothing in preview that could go live (version {sight.preview_version} is live): "
                f"{self.became_of(offer, later)}. Nothing was submitted",
                next_step="Publish to preview, and wait until the preview is ready; or set offer_version to "
                f"{sight.preview_version} if what is live is what is wanted.",
                about="offer_version",
            )
        mend = (
            "Publish it to preview, and wait until the preview is ready" if known else "See in the portal what that is"
        )
        return LaunchRefused(
            f"The preview of {offer}, version {sight.preview_version}, {'is not' if known else 'may not be'} its "
            f"latest any more: {self.became_of(offer, later)}. Nothing was submitted",
            next_step=f"{mend}; or set offer_version to {sight.preview_version} if this very version is to go live.",
            about="offer_version",
        )

    def without_preview(self, offer: OfferKey, sight: Sight) -> LaunchRefused:
        live = f" (version {sight.live_version} is live)" if sight.live_version else ""
        latest = next((item for item in sight.operations if item.kind is not Kind.UNKNOWN or not item.recognised), None)
        why = f"; {self.became_of(offer, latest)}" if latest and latest.status is not Status.SUCCEEDED else ""
        return LaunchRefused(
            f"{offer} has nothing in preview that could go live{live}{why}: nothing was submitted",
            next_step="Publish it to preview first, and wait until the preview is ready.",
        )

    def unknown(self, offer: OfferKey) -> UnknownOffer:
        other = self._elsewhere(offer)
        return UnknownOffer(
            f"There is no offer {offer.offer_id!r} of publisher {offer.publisher_id!r} in {self.here}, or this "
            "identity may not see it: nothing was submitted",
            next_step=f"It is published through another API: set api to {other}."
            if other
            else "Check publisher_id and offer_id (they are the ids in the offer's address, not its title), "
            "and api: not every offer is published through this one.",
            about="api" if other else "offer_id",
        )

    def became_of(self, offer: OfferKey, published: Operation) -> str:
        """What has become of a publish, in words."""
        kind = "a go-live" if published.kind is Kind.GO_LIVE else "a publish to preview"
        if published.kind is Kind.UNKNOWN and published.recognised:
            return f"version {published.version or 'unknown'} was withdrawn ({published.word})"
        if published.kind is Kind.UNKNOWN:
            return f"nobody knows what the state {published.word!r} of version {published.version or 'unknown'} means"
        what = f"{kind} of version {published.version or 'unknown'}"
        if not published.status.ended:
            return f"{what} is running"
        return f"{what} {published.status.value}{self._reasons(offer, published.id)}"

    def left_behind(self, offer: OfferKey, launch: Launch) -> LaunchRefused:
        """Of a launch that may be running through another API."""
        named = f"operation {launch.operation_id}" if launch.operation_id else "which named no operation"
        what = f"was submitted through another API ({named}) was not seen to end"
        again = "Set api back, and run `pulumi up` until it has ended; then change api."
        if launch.unanswered_at:
            what = f"was sent through another API at {iso(launch.unanswered_at)} was not answered"
            again = (
                "Set api back, and run `pulumi up`, which finds out whether it began; then change api. Where "
                "the portal shows that nothing came of it, change the triggers as well, and run `pulumi up` a "
                "quarter of an hour after it was sent."
            )
        elif launch.missing_since or not launch.operation_id:
            again = (
                "See in the portal what became of it. If it is to be submitted again, change the triggers as well, and "
                "run `pulumi up` a quarter of an hour after it was lost."
            )
        return LaunchRefused(
            f"The go-live of {offer} that {what}, and {self.here} shows none that runs: nothing was submitted "
            "through this one",
            next_step=again,
            about="api",
        )

    def ended_badly(self, request: Request, launch: Launch) -> LaunchError:
        """Of a launch that has failed, or was cancelled; it is what is to be recorded."""
        offer, reasons = request.offer, self._reasons(request.offer, launch.operation_id or "")
        again = (
            "the next `pulumi up` submits it again"
            if request.resubmit
            else "run `pulumi up` without resubmitFailed set to false to submit it again"
        )
        if launch.status is Status.CANCELED:
            return LaunchCanceled(
                f"The go-live of {offer} was cancelled (operation {launch.operation_id}){reasons}",
                next_step=f"{again[:1].upper()}{again[1:]}; publish it first where nothing is in preview any more.",
                launch=launch,
            )
        mend = (
            "Mend what it names" if reasons else "No reason could be read: see in Partner Center what is wrong, mend it"
        )
        return LaunchFailed(
            f"The go-live of {offer} failed (operation {launch.operation_id}){reasons}",
            next_step=f"{mend} and publish to preview; {again}.",
            launch=launch,
        )

    def _reasons(self, offer: OfferKey, operation_id: str) -> str:
        """The API's own reasons for the end of an operation: its errors, else whatever it said last."""
        try:
            operation = self._lookout.patiently(
                lambda: self._api.operation(offer, operation_id), self._clock.monotonic() + PATIENCE
            )
        except (PublishingError, SignInFailed, Interrupted):
            return ""
        of_steps = [(step, message) for step in operation.steps for message in step.messages]
        whole = [("", message) for message in operation.messages]
        said = [*((f"{step.name}: ", message) for step, message in of_steps), *whole]
        errors = [(where, message) for where, message in said if message.level == "error"]
        # Steps that are over, or were never reached, say just that ("has not started yet"): no reason for the end.
        stopped = [
            (f"{step.name}: ", message)
            for step, message in of_steps
            if step.active or step.percent not in (None, 0, 100)
        ]
        # What a step says is often said of the whole as well: it is told once, with the step's name.
        texts = {message.text: where for where, message in reversed(errors or [*stopped, *whole][-3:]) if message.text}
        told = [f"{where}{text}" for text, where in reversed(texts.items())]
        return f": {' | '.join(told[:8])}" if told else ""
