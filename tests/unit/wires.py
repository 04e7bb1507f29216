"""The real clients and the real transport over a wire without sockets: the simulator's handlers, under the fake clock.

Only `requests` is stood in for. As with `WorldApi`, every request is one step before which a run can be killed, and
goes wrong in every way that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from providers.azure_marketplace.apis import cloud_partner_portal, partner_center, product_ingestion
from providers.azure_marketplace.apis.cloud_partner_portal import CloudPartnerPortal
from providers.azure_marketplace.apis.partner_center import PartnerCenter
from providers.azure_marketplace.apis.product_ingestion import ProductIngestion
from providers.azure_marketplace.publishing import OfferKey, PublishingApi
from providers.azure_marketplace.settings import DEFAULT_ENDPOINTS
from providers.azure_marketplace.transport import Transport
from simulator import InMemory, Simulation
from simulator.behaviour import Behaviour
from simulator.world import Operation as WorldOperation
from simulator.world import World
from tests.unit.worlds import FakeClock, Faults, WorldClock

APIS = ("cloudPartnerPortal", "productIngestion", "partnerCenter")


@dataclass(frozen=True)
class _Response:
    status_code: int
    content: bytes
    headers: Mapping[str, str]
    reason: str = ""

    def __enter__(self) -> _Response:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def iter_content(self, _: int) -> Iterator[bytes]:
        yield self.content


@dataclass
class Wire:
    """What stands in for a `BoundedSession`, and for the threads that the transport runs its requests on."""

    portal: InMemory
    clock: FakeClock
    faults: Faults = field(default_factory=Faults)
    asked: list[tuple[str, str]] = field(default_factory=list)
    timeout: float = 20.0
    sent: bool = False  # as a `BoundedSession` knows it: the last request began to leave
    obstacle: None = None  # what kept it from leaving

    def run(self, request: Callable[[Any], Any], *, reads: bool) -> Any:
        return request(self)

    def request(self, method: str, url: str, *, data: bytes | None, headers: Mapping[str, str], **_: Any) -> _Response:
        self.clock.before_step()
        self.clock.pass_by(0.01)
        self.asked.append((method, urlsplit(url).path))
        self.sent = True
        if method == "POST":
            return self._submit(url, data or b"", headers)
        fault = self.faults.reads.pop(0) if self.faults.reads else ""
        if fault == "lost":
            raise requests.ConnectionError("connection reset")
        if fault == "not sent":
            self.sent = False
            raise requests.ConnectTimeout("no connection")
        if fault == "unreadable":
            return self._response(200, b"<html>Hello.</html>")
        # A next page that is not found is taken for the end of the list, as it has to be: no weather hides one here.
        if fault and not (fault == "404" and "skipToken" in url):
            return self._response(int(fault), b"")
        return self._answer(method, url, b"", headers)

    def _submit(self, url: str, body: bytes, headers: Mapping[str, str]) -> _Response:
        fault = self.faults.submits.pop(0) if self.faults.submits else ""
        if fault == "not sent":
            self.sent = False
            raise requests.ConnectTimeout("no connection")
        if fault == "before":
            raise requests.ConnectionError("connection reset")
        if fault in ("500 before", "429 before"):
            return self._response(int(fault[:3]), b"")
        answer = self._answer("POST", url, body, headers)
        if fault == "after":
            raise requests.ConnectionError("connection reset")
        if fault in ("500 after", "429 after"):
            return self._response(int(fault[:3]), b"")
        if fault == "nameless" and answer.status_code < 300:
            return self._response(answer.status_code, b"")
        # Killed here, the portal has acted and nobody knows.
        self.clock.before_step()
        return answer

    def _answer(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> _Response:
        answer = self.portal.ask(method, url, headers=headers, body=body, token="t")
        return self._response(answer.status, answer.content, dict(answer.headers))

    def _response(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> _Response:
        date = {"Date": format_datetime(self.clock.now(), usegmt=True)}
        return _Response(status, content, requests.structures.CaseInsensitiveDict({**date, **(headers or {})}))


def wire_with(clock: FakeClock, *apis: str, **behaviour: object) -> Wire:
    """One offer, `contoso/vm`: version 7 in preview and 6 live for an hour; its go-lives take 60 s by default.

    apis: those that it is published through.
    """
    ids: Iterator[int] = iter(range(1, 10**9))
    simulation = Simulation(new_id=lambda: f"op-{next(ids)}")
    simulation.world.clock = WorldClock(clock)
    settings = {"seconds": 60.0, **behaviour}
    clock.pass_by(-3600.0)
    simulation.world.add_offer(
        "contoso",
        "vm",
        preview=7,
        production=6,
        behaviour=Behaviour.model_validate(settings),
        offer_type_id="softwareAsAService" if len(apis) > 1 else None,  # no other belongs to all three
        apis=apis,  # type: ignore[arg-type]
    )
    clock.pass_by(3600.0)
    return Wire(InMemory(simulation), clock)


def client_of(api: str, wire: Wire, *, careless: bool = False) -> PublishingApi:
    """A client as a new process has it: it remembers nothing. careless: one that does not look before it submits."""
    module: Any = {
        "cloudPartnerPortal": cloud_partner_portal,
        "productIngestion": product_ingestion,
        "partnerCenter": partner_center,
    }[api]
    transport = Transport(
        wire,  # type: ignore[arg-type]
        title=module.TITLE,
        endpoint=DEFAULT_ENDPOINTS[api],
        token=lambda _: "t",
        advice=module.ADVICE,
    )
    if api == "productIngestion":
        ingestion = _CarelessIngestion if careless else ProductIngestion
        return ingestion(transport, monotonic=wire.clock.monotonic)
    if api == "partnerCenter":
        center = _CarelessPartnerCenter if careless else PartnerCenter
        return center(transport, monotonic=wire.clock.monotonic)
    return CloudPartnerPortal(transport)


class _CarelessIngestion(ProductIngestion):
    def _refuse_begun(self, offer: OfferKey, submission: str) -> None:
        pass


class _CarelessPartnerCenter(PartnerCenter):
    def _check_ready(self, offer: OfferKey, path: str) -> bool:
        return False


def meant_by(world: World, operation_id: str) -> list[WorldOperation]:
    """The operations of the world that an operation's id may stand for, in the words of any of the APIs."""
    submission, _, watched_by = operation_id.partition("#")
    job = watched_by.partition("#")[0].removesuffix("again")
    offer = world.offer("contoso", "vm")
    if "$" in submission:
        version = int(submission.split("$")[2])
        return [each for each in offer.operations if each.kind == "golive" and each.content.version == version]
    if "/" not in submission:
        return [world.find_operation(submission)[1]]
    if job:
        return [each for each in (*offer.operations, *offer.jobs) if each.id == job]
    number = int(submission.removesuffix("/failed").rpartition("/")[2])
    return [
        each for each in offer.operations if each.kind == "golive" and number in (each.number, each.content.version)
    ]
