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
from urllib.parse import urlsplit

from providers.azure_marketplace.clock import Clock, SystemClock
from providers.azure_marketplace.credentials import TokenSource
from providers.azure_marketplace.errors import Interrupted, OfferGoLiveError, WrongApi
from providers.azure_marketplace.going_live import GoingLive, Turns
from providers.azure_marketplace.inputs import APIS
from providers.azure_marketplace.polling import Schedule
from providers.azure_marketplace.publishing import OfferKey, PublishingApi
from providers.azure_marketplace.settings import DEFAULT_ENDPOINTS, Settings, read_settings
from providers.azure_marketplace.transport import Connections, Transport
from providers.azure_marketplace.watching import Limits, Observer

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
        self._hurried: ContextVar[float | None] = ContextVar("hurried", default=None)
        self._connections = Connections(
            timeout=self.settings.request_timeout,
            cancelled=self._cancelled.get,
            user_agent=_user_agent(),
            hurried=self._hurried.get,
        )
        self._tokens = TokenSource(configured, environment, cancelled=self._cancelled.get)
        self._clients: dict[str, tuple[PublishingApi, Schedule]] = {}
        self._making = threading.Lock()

    def rule(
        self, api: str | None, observer: Observer, cancelled: threading.Event, *, limits: Limits | None = None
    ) -> tuple[GoingLive, Clock]:
        """The rule of going live for one call, and the clock that it goes by."""
        self._cancelled.set(cancelled)
        self._hurried.set(limits.request if limits else None)
        clock = SystemClock(cancelled)
        chosen = api or self.settings.api
        client, schedule = self._client(chosen)
        return GoingLive(
            client,
            clock,
            observer,
            schedule=schedule,
            limits=limits,
            turns=self._turns,
            side_by_side=self._side_by_side,
            elsewhere=lambda offer: self._elsewhere(chosen, offer),
        ), clock

    def close(self) -> None:
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._connections.close()

    def _elsewhere(self, chosen: str, offer: OfferKey) -> str | None:
        """The other API that knows the offer, as far as that can be read.

        One is asked only as the chosen one is: both at Microsoft's own addresses, or both at configured ones; and a
        token that was handed over ready-made is shown to no other origin than the one it was meant for.
        """
        endpoints = self.settings.endpoints

        def is_default(api: str) -> bool:
            return endpoints[api] == DEFAULT_ENDPOINTS[api]

        for name in APIS:
            if name == chosen or is_default(name) is not is_default(chosen):
                continue
            if self._tokens.is_fixed() and _origin(endpoints[name]) != _origin(endpoints[chosen]):
                continue
            try:
                if self._client(name)[0].offer_exists(offer):
                    return name
            except WrongApi as error:
                if error.api != chosen:
                    return error.api
            except Interrupted:
                raise
            except OfferGoLiveError:
                continue
        return None

    def _client(self, api: str) -> tuple[PublishingApi, Schedule]:
        """Made when the API is first asked: its words are models, which cost memory and time in every run."""
        with self._making:
            if api not in self._clients:
                self._clients[api] = self._made(api)
            return self._clients[api]

    def _made(self, api: str) -> tuple[PublishingApi, Schedule]:
        if api == "productIngestion":
            from providers.azure_marketplace.apis import product_ingestion as ingestion

            interval = self.settings.interval(api, ingestion.JOB_INTERVAL)
            client = ingestion.ProductIngestion(self._transport(api, ingestion), job_interval=interval)
            return client, self._schedule(interval)
        if api == "partnerCenter":
            from providers.azure_marketplace.apis import partner_center as center

            return center.PartnerCenter(self._transport(api, center)), self._schedule()
        from providers.azure_marketplace.apis import cloud_partner_portal as portal

        return portal.CloudPartnerPortal(self._transport(api, portal)), self._schedule()

    def _schedule(self, shortest: float = 0.0) -> Schedule:
        minimum = max(self.settings.min_poll_interval, shortest)
        return Schedule(minimum, max(self.settings.max_poll_interval, minimum))

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


def _origin(endpoint: str) -> tuple[str, str]:
    parts = urlsplit(endpoint)
    return parts.scheme.lower(), parts.netloc.lower()


def _user_agent() -> str:
    try:
        return f"OfferGoLive/{version('offergolive')}"
    except PackageNotFoundError:  # run from a checkout
        return "OfferGoLive"
