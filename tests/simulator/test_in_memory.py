"""The portal asked without sockets says what it says over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import InMemory, OfferSpec, Scenario, Simulation, Simulator
from tests.simulator.publisher_client import NOW, Client

OFFER = "/api/publishers/contoso/offers/vm"


@pytest.fixture
def portal() -> InMemory:
    behaviour = {"mode": "by polls", "polls": 2}
    simulation = Simulation(Scenario(offers=[OfferSpec(offer="contoso/vm", preview=7, behaviour=behaviour)]))
    simulation.clock.freeze(NOW)
    return InMemory(simulation)


def ask(portal: InMemory, method: str, path: str) -> Any:
    return portal.ask(method, f"{path}?api-version=2017-10-31", token="t")


def test_a_golive_from_acceptance_to_its_end(portal: InMemory) -> None:
    accepted = ask(portal, "POST", OFFER + "/golive")
    assert (accepted.status, accepted.body) == (202, None)
    location = dict(accepted.headers)["Location"]
    words = [portal.ask("GET", location, token="t").body for _ in range(2)]
    assert [word["status"] for word in words if isinstance(word, dict)] == ["running", "completed"]
    assert portal.simulation.world.accepted_golives("contoso", "vm") == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("DELETE", OFFER, 405), ("GET", OFFER + "/", 200)],
)
def test_routes_are_those_of_the_app(portal: InMemory, method: str, path: str, status: int) -> None:
    assert ask(portal, method, path).status == status


@pytest.mark.parametrize("path", ["", "/slot/preview", "/slot/production", "/status", "/submissions/", "/operations/x"])
def test_bodies_are_those_of_http(portal: InMemory, simulator: Simulator, client: Client, path: str) -> None:
    simulator.world.load_json(portal.simulation.world.to_json())
    answer = ask(portal, "GET", OFFER + path)
    over_http = client.get(path)
    assert (answer.status, answer.body) == (over_http.status_code, over_http.json())
