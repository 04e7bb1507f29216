"""SIGKILL, tens of times, on the real host over real HTTP: one go-live is accepted, whenever the host dies.

The engine records nothing of a create that it never saw end, so each host begins with nothing, as the next `up` does.
The simulator holds the chosen request, before or after it has acted on it, and the host dies while it is held.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from pulumi.dynamic import ResourceProvider

from providers.azure_marketplace.provider import OfferGoLiveProvider
from tests.engine.portal import control, golives
from tests.host.driver import Engine, Host, pickled, until
from tests.host.provider_without_lookup import ProviderWithoutLookup
from tools.simulator_process import Running

INPUTS = {"publisher_id": "contoso", "offer_id": "vm", "wait": True}
SCENARIO = {"defaults": {"mode": "held"}, "offers": [{"offer": "contoso/vm", "preview": 7, "production": 6}]}
REQUESTS = {
    "preview": {"method": "GET", "path": "*/slot/?review"},
    "live": {"method": "GET", "path": "*/slot/?roduction"},
    "list": {"method": "GET", "path": "*/submissions*"},
    "post": {"method": "POST", "path": "*/golive"},
    "poll": {"method": "GET", "path": "*/operations/*"},
}
KILLS = 3
HISTORIES = 12


class History:
    """One request for a go-live, and the hosts that die over it."""

    def __init__(self, portal: Running, provider: ResourceProvider) -> None:
        self._portal = portal
        self._provider = pickled(provider)
        self._environment = {
            "AZUREMARKETPLACE_ENDPOINT": portal.endpoint,
            "AZUREMARKETPLACE_ACCESS_TOKEN": "token",
            "AZUREMARKETPLACE_MIN_POLL_INTERVAL": "0.2",
        }

    def up(self) -> dict[str, Any]:
        """A run that nobody kills; the outputs."""
        with self._host() as host:
            return dict(host.create_with(INPUTS, provider=self._provider).properties.items())

    def up_and_kill(self, request: str, when: str, moment: float) -> bool:
        """A run that is killed while `request` is held; or in the wait, where it never gets to send that (False)."""
        fault = {"kind": "timeout", "when": when, "count": 1, **REQUESTS[request]}
        control(self._portal, "PUT", "/faults", {"faults": [fault]})
        before = self._polls()
        with self._host() as host, ThreadPoolExecutor(1) as engines:
            creating = engines.submit(host.create_with, INPUTS, provider=self._provider)
            until(lambda: creating.done() or self._struck() or self._polls() > before + 3)
            time.sleep(moment)
            host.process.kill()
            _ended(creating)
        held = self._struck()
        control(self._portal, "PUT", "/faults", {"faults": []})
        return held

    def end_what_runs(self) -> None:
        """The go-lives that were accepted succeed, and later ones at once."""
        control(self._portal, "PATCH", "/offers/contoso/vm/behaviour", {"mode": "at once"})
        for operation in golives(self._portal):
            control(self._portal, "POST", f"/operations/{operation['id']}/finish")

    def _host(self) -> _Running:
        return _Running(self._environment)

    def _struck(self) -> bool:
        return bool(control(self._portal, "GET", "/faults/log")["fired"])

    def _polls(self) -> int:
        return int(control(self._portal, "GET", "/requests/count?path=*/operations/*")["count"])


class _Running:
    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def __enter__(self) -> Host:
        self._engine = Engine()
        self._host = Host(self._engine, **self._environment)
        return self._host

    def __exit__(self, *_: object) -> None:
        self._host.stop()
        self._engine.stop()


def _ended(creating: Future[Any]) -> None:
    error = creating.exception(timeout=20)
    assert error is None or isinstance(error, grpc.RpcError)


def histories() -> Iterator[list[tuple[str, str, float]]]:
    """Every request, before and after the portal acts on it, is some run's last; the rest is drawn, replayably."""
    points = [(request, when) for request in REQUESTS for when in ("before", "after")]
    for number in range(HISTORIES):
        draw = random.Random(number)
        first = points[number % len(points)]
        drawn = [first, *draw.choices(points, k=KILLS - 1)]
        yield [(request, when, draw.choice([0.0, 0.0, 0.05, 0.3])) for request, when in drawn]


@pytest.fixture
def portal(new_simulator: Callable[..., Running]) -> Running:
    return new_simulator(scenario=json.dumps(SCENARIO))


def outcome(portal: Running, provider: ResourceProvider, kills: list[tuple[str, str, float]]) -> dict[str, Any]:
    history = History(portal, provider)
    held = [history.up_and_kill(request, when, moment) for request, when, moment in kills]
    assert held[0], "the first run meets every request"
    history.end_what_runs()
    return history.up()


@pytest.mark.parametrize("kills", list(histories()), ids=lambda kills: ",".join(f"{one[0]}-{one[1]}" for one in kills))
def test_one_go_live_whenever_the_host_is_killed(portal: Running, kills: list[tuple[str, str, float]]) -> None:
    outputs = outcome(portal, OfferGoLiveProvider(), kills)
    accepted = golives(portal)
    assert len(accepted) == 1
    assert (outputs["status"], outputs["operation_id"]) == ("succeeded", accepted[0]["id"])


def test_the_proof_bites(portal: Running) -> None:
    outcome(portal, ProviderWithoutLookup(), [("post", "after", 0.0)])
    assert len(golives(portal)) == 2
