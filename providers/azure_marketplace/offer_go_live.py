"""The resource, as a program sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, Generic, TypeVar

import pulumi
from pulumi.dynamic import Resource

from providers.azure_marketplace.inputs import INPUT_NAMES
from providers.azure_marketplace.launch import OUTPUT_NAMES
from providers.azure_marketplace.provider import OfferGoLiveProvider

__all__ = ["OfferGoLive"]

T = TypeVar("T")


class OfferGoLive(Resource, module="azuremarketplace", name="OfferGoLive"):
    """What stands in an Azure Marketplace offer's preview is live.

    Creating it presses "Go live" and waits, for hours or days, until the offer is; whatever interrupts that, the next
    `pulumi up` goes on where it stopped and never submits twice. Deleting it leaves the offer live.
    """

    publisher_id: pulumi.Output[str]
    offer_id: pulumi.Output[str]
    offer_version: pulumi.Output[str | None]
    triggers: pulumi.Output[dict[str, Any] | None]
    wait: pulumi.Output[bool]
    api: pulumi.Output[str | None]
    operation_id: pulumi.Output[str | None]
    """What the API finds the go-live by; None where nothing had to be submitted."""
    adopted: pulumi.Output[bool]
    """Whether a go-live that is not over was begun for somebody else, or for an earlier request."""
    status: pulumi.Output[str]
    """notStarted, running, succeeded, failed or canceled."""
    live_version: pulumi.Output[str | None]
    """The version that is live."""
    preview_version: pulumi.Output[str | None]
    """The version that stands in preview."""
    confirmed_live_version: pulumi.Output[str | None]
    """The version that is live since the operation ended; a pinned offer that shows another has drifted."""
    submitted_at: pulumi.Output[str | None]
    """ISO 8601, UTC, as the API tells; of one that was found, and has no date, when that was."""
    finished_at: pulumi.Output[str | None]
    """ISO 8601, UTC, as the API tells; where it does not, when it was seen to have ended."""
    live_links: pulumi.Output[list[dict[str, str]]]
    """`{"text", "uri"}` each."""
    preview_links: pulumi.Output[list[dict[str, str]]]
    """`{"text", "uri"}` each."""
    published_through: pulumi.Output[str | None]
    """The publishing API that the versions and the operation are of: `api`, or the stack's default at that time."""
    unanswered_at: pulumi.Output[str | None]
    """When a go-live was sent whose answer is not known yet, ISO 8601, UTC; the next `up` looks what became of it."""
    superseded: pulumi.Output[bool]
    """Whether other inputs have asked for a go-live since, which waits for the end of this operation."""
    missing_since: pulumi.Output[str | None]
    """Since when the API says that it does not know the operation, ISO 8601, UTC; None while it knows it."""

    @property
    def report(self) -> dict[str, pulumi.Output[Any]]:
        """What `python -m providers.azure_marketplace.report` shows of it: `pulumi.export("vm", vm.report)`."""
        names = ("publisher_id", "offer_id", "status", "live_version", "preview_version", "operation_id")
        more = ("submitted_at", "finished_at", "live_links", "preview_links")
        return {name: getattr(self, name) for name in (*names, *more)}

    def __init__(
        self,
        resource_name: str,
        *,
        publisher_id: pulumi.Input[str],
        offer_id: pulumi.Input[str],
        offer_version: pulumi.Input[str | int | None] = None,
        triggers: pulumi.Input[Mapping[str, Any] | None] = None,
        wait: pulumi.Input[bool] = True,
        api: pulumi.Input[str | None] = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """
        publisher_id: the publisher's id; another one replaces the resource.
        offer_id: the offer's id, as in its address; another one replaces the resource.
        offer_version: a pin: this version, reviewed in preview, and no other, goes live.
        triggers: any values; when one changes, the offer goes live again.
        wait: False returns once the go-live is accepted; the next `pulumi up` picks up the result.
        api: the publishing API that the offer belongs to; else the stack's `azuremarketplace:api`.
        opts: `custom_timeouts` bound the wait (24 h without them).
        """
        if isinstance(triggers, Mapping) and not all(isinstance(key, str) for key in triggers):
            # Pulumi's serialiser would say so with a traceback, long before `check`.
            raise pulumi.RunError(f'triggers of {resource_name!r} must have texts as keys, as in {{"image": "1.2.3"}}')
        inputs = (publisher_id, offer_id, offer_version, triggers, wait, api)
        super().__init__(
            OfferGoLiveProvider(),
            resource_name,
            {**dict.fromkeys(OUTPUT_NAMES), **dict(zip(INPUT_NAMES, inputs, strict=True))},
            opts,
        )
        for name in (*INPUT_NAMES, *OUTPUT_NAMES) if pulumi.runtime.is_dry_run() else ():
            setattr(self, name, _known_with(self.status, getattr(self, name)))


def _known_with(status: pulumi.Output[str], output: pulumi.Output[T]) -> pulumi.Output[T]:
    """The output, known where the status is.

    In a preview Pulumi takes whatever has no value for unknown: a stack whose outputs are the same would be shown to
    change them, as an alarm for drift must not. Of a resource that is unchanged all is known, and `status` has a value.
    """

    async def known() -> bool:
        return await output.is_known() or await status.is_known()

    def value() -> Awaitable[Any]:
        return output.future(with_unknowns=True)

    return pulumi.Output(_Later(output.resources), _Later(value), _Later(known), _Later(output.is_secret))


class _Later(Generic[T]):
    """Begins when it is awaited: what never is, since another has failed before it, leaves no warning behind."""

    def __init__(self, begin: Callable[[], Awaitable[T]]) -> None:
        self._begin = begin

    def __await__(self) -> Generator[Any, Any, T]:
        return self._begin().__await__()
