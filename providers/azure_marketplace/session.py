"""What all resources of one engine run share, assembled once: settings, sign-in, connections, clients, turns.

Nothing of Pulumi: the run's configuration and environment are handed in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from providers.azure_marketplace.apis import cloud_partner_portal
from providers.azure_marketplace.apis.cloud_partner_portal import CloudPartnerPortal
from providers.azure_marketplace.clock import Clock, SystemClock
from providers.azure_marketplace.credentials import TokenSource
from providers.azure_marketplace.going_live import GoingLive, Limits, Observer, Turns
from providers.azure_marketplace.polling import Schedule
from providers.azure_marketplace.publishing import PublishingApi
from providers.azure_marketplace.settings import Settings, read_settings
from providers.azure_marketplace.transport import Connections, Transport

__all__ = ["Session"]

SIDE_BY_SIDE = 12
"""Reads of one offer that may be under way at once beside each other, over all offers."""


class Session:
    """configured: the value of a key of the namespace, or None. Raises `InvalidInput` for settings that are none."""

    def __init__(self, configured: Callable[[str], str | None], environment: Mapping[str, str]) -> None:
        self.settings: Settings = read_settings(configured, environment)
        self._turns = Turns()
        # Whose cancellation a request obeys: the caller's, also on the threads that work side by side for it.
        self._cancelled: ContextVar[threading.Event] = ContextVar("cancelled", default=threading.Event())  # noqa: B039
        self._readers = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="side-by-side")
        self._connections = Connections(
            timeout=self.settings.request_timeout, cancelled=self._cancelled.get, user_agent=_user_agent()
        )
        self._tokens = TokenSource(configured, environment, cancelled=self._cancelled.get)
        self._schedule = Schedule(self.settings.min_poll_interval, self.settings.max_poll_interval)
        self._apis: dict[str, PublishingApi] = {
            "cloudPartnerPortal": CloudPartnerPortal(self._transport("cloudPartnerPortal", cloud_partner_portal)),
        }

    def rule(
        self, api: str | None, observer: Observer, cancelled: threading.Event, *, limits: Limits | None = None
    ) -> tuple[GoingLive, Clock]:
        """The rule of going live for one call, and the clock that it goes by."""
        self._cancelled.set(cancelled)
        clock = SystemClock(cancelled)
        return GoingLive(
            self._apis[api or self.settings.api],
            clock,
            observer,
            schedule=self._schedule,
            limits=limits,
            turns=self._turns,
            side_by_side=self._side_by_side,
        ), clock

    def close(self) -> None:
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._connections.close()

    def _transport(self, api: str, client: ModuleType) -> Transport:
        audience: str = client.AUDIENCE
        return Transport(
            self._connections,
            title=client.TITLE,
            endpoint=self.settings.endpoints[api],
            token=lambda rejected: self._tokens.token(audience, rejected=rejected),
            extra_headers=self.settings.extra_headers,
            advice=client.ADVICE,
        )

    def _side_by_side(self, reads: Sequence[Callable[[], object]]) -> list[object]:
        """All but the first on other threads; the first error of them all, in their order, is raised."""
        others = [self._readers.submit(copy_context().run, read) for read in reads[1:]]
        return [reads[0](), *(other.result() for other in others)]


def _user_agent() -> str:
    try:
        return f"OfferGoLive/{version('offergolive')}"
    except PackageNotFoundError:  # run from a checkout
        return "OfferGoLive"
