"""The simulated portal and a clock in memory: a client waits for days within milliseconds.

Both waits are the real ones: the provider's rule with its client, and azure-core's poller in its pipeline. Only what
lies below them, the sockets and the clock, is replaced.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.core import PipelineClient
from azure.core.pipeline.policies import HeadersPolicy, RequestIdPolicy
from azure.core.pipeline.transport import HttpRequest, HttpResponse, HttpTransport
from azure.core.polling import LROPoller
from azure.core.polling.base_polling import LROBasePolling

from benchmarks.report import CannotMeasure
from providers.azure_marketplace.apis.cloud_partner_portal import CloudPartnerPortal
from providers.azure_marketplace.going_live import GoingLive
from providers.azure_marketplace.publishing import OfferKey, Operation, Status
from providers.azure_marketplace.request import Request
from providers.azure_marketplace.transport import Answer
from simulator.behaviour import Behaviour
from simulator.in_memory import InMemory
from simulator.simulation import Simulation
from tests.unit.worlds import FakeClock, Told, WorldClock

OFFER = OfferKey("contoso", "vm")
HOST = "http://127.0.0.1"


@dataclass(frozen=True)
class Waited:
    """polls: of the operation. calls: with all others. lateness: seconds from the operation's end to its being seen."""

    polls: int
    calls: int
    lateness: float


class SeededClock(FakeClock):
    """Jitter that can be told again."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)

    def chance(self) -> float:
        return self._random.random()


class Portal:
    """One offer whose go-live takes `seconds`, behind a wire that counts."""

    endpoint = HOST

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        simulation = Simulation()
        simulation.world.clock = WorldClock(clock)
        words = {"location_header": "Operation-Location", "location_form": "absolute", "word_succeeded": "succeeded"}
        behaviour = Behaviour.model_validate({"seconds": seconds, **words})
        simulation.world.add_offer(*_names(), preview=7, production=6, behaviour=behaviour)
        self._world = simulation.world
        self._portal = InMemory(simulation)
        self.asked: list[str] = []

    def ask(self, method: str, url: str) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(url)
        answer = self._portal.ask(method, url, token="t")
        if answer.status >= 400:
            raise CannotMeasure(f"the portal refused {url}: {answer.status}")
        content = b"" if answer.body is None else json.dumps(answer.body).encode()
        return answer.status, dict(answer.headers), content

    # As `transport.Transport`.

    def get(self, path: str, *, doing: str) -> Answer:
        status, headers, body = self.ask("GET", HOST + path)
        return Answer("The portal", doing, status, headers, body)

    def post(self, path: str, *, doing: str, body: Any = None) -> Answer:  # noqa: ARG002 - a go-live has none
        status, headers, answer = self.ask("POST", HOST + path)
        return Answer("The portal", doing, status, headers, answer)

    @property
    def polls(self) -> int:
        return sum("/operations/" in url for url in self.asked)

    def ended_at(self) -> float:
        operation = self._world.offer(*_names()).operations[-1]
        if operation.ended_at is None:
            raise CannotMeasure("the wait is over before the operation is")
        return operation.accepted_at + operation.total_seconds


class _Watcher(Told):
    """last: when the operation was read for the last time."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self.last = 0.0

    def progress(self, operation: Operation, elapsed: float) -> None:
        super().progress(operation, elapsed)
        self.last = _now(self._clock)


def wait_ours(seconds: float, seed: int) -> Waited:
    clock = SeededClock(seed)
    portal, watcher = Portal(clock, seconds), _Watcher(clock)
    rule = GoingLive(CloudPartnerPortal(portal), clock, watcher)  # type: ignore[arg-type]
    launch = rule.bring_about(Request(OFFER), None, deadline=clock.monotonic() + 30 * 86400)
    if launch.status is not Status.SUCCEEDED:
        raise CannotMeasure(f"the launch ended as {launch.status.value}")
    return Waited(portal.polls, len(portal.asked), watcher.last - portal.ended_at())


def wait_azure_core(seconds: float, interval: float) -> Waited:
    clock = FakeClock()
    portal = Portal(clock, seconds)
    policies = [RequestIdPolicy(), HeadersPolicy({"Authorization": "Bearer t"})]
    client: Any = PipelineClient(HOST, transport=_Wire(portal, clock), policies=policies)
    url = f"{HOST}/api/publishers/{OFFER.publisher_id}/offers/{OFFER.offer_id}/golive?api-version=2017-10-31"
    accepted = client._pipeline.run(client.post(url))
    polling: Any = LROBasePolling(timeout=interval)
    poller: Any = LROPoller(client, accepted, lambda answer: answer, polling)
    poller.result()
    return Waited(portal.polls, len(portal.asked), _now(clock) - portal.ended_at())


def _names() -> tuple[str, str]:
    return OFFER.publisher_id, OFFER.offer_id


def _now(clock: FakeClock) -> float:
    now: datetime = clock.now()
    return now.timestamp()


class _Wire(HttpTransport[HttpRequest, HttpResponse]):
    def __init__(self, portal: Portal, clock: FakeClock) -> None:
        self._portal = portal
        self._clock = clock

    def send(self, request: HttpRequest, **_: Any) -> HttpResponse:
        return _Response(request, *self._portal.ask(request.method, request.url))

    def sleep(self, duration: float) -> None:
        self._clock.sleep(duration)

    def open(self) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Nothing is open."""

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""


class _Response(HttpResponse):
    def __init__(self, request: HttpRequest, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(request, None)
        self.status_code = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.content_type = self.headers.get("content-type", "application/json")
        self._body = body

    def body(self) -> bytes:
        return self._body
