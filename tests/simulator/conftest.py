"""One simulator for the whole run, put back to its beginning before each test; and a client that signs in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator import Simulator
from tests.simulator.publisher_client import NOW, Client


@pytest.fixture(scope="session")
def _server() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(_server: Simulator) -> Simulator:
    """With time standing still at NOW, and no offers."""
    with _server.simulation.lock:
        _server.simulation.reset()
        _server.clock.freeze(NOW)
    return _server


@pytest.fixture
def client(simulator: Simulator) -> Iterator[Client]:
    client = Client(simulator)
    yield client
    client.session.close()
