"""A session of the provider's, whole but for Pulumi, against a simulator over real sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from providers.azure_marketplace.clock import Clock
from providers.azure_marketplace.going_live import GoingLive
from providers.azure_marketplace.session import Session
from providers.azure_marketplace.watching import Limits
from simulator import Simulator
from tests.unit.worlds import Told

TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="session")
def _server() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(_server: Simulator) -> Simulator:
    with _server.simulation.lock:
        _server.simulation.reset()
    return _server


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def rule(simulator: Simulator, told: Told) -> Iterator[Callable[..., tuple[GoingLive, Clock]]]:
    """The rule, for an environment: `rule(AZUREMARKETPLACE_API="partnerCenter")`."""
    sessions: list[Session] = []

    def made(limits: Limits | None = None, **environment: str) -> tuple[GoingLive, Clock]:
        given = {
            "AZUREMARKETPLACE_ENDPOINT": simulator.url,
            "AZUREMARKETPLACE_PRODUCT_INGESTION_ENDPOINT": f"{simulator.url}/rp/product-ingestion",
            "AZUREMARKETPLACE_PARTNER_CENTER_ENDPOINT": f"{simulator.url}/v1.0/ingestion",
            "AZUREMARKETPLACE_ACCESS_TOKEN": TOKEN,
            "AZUREMARKETPLACE_MIN_POLL_INTERVAL": "0.02",
            "AZUREMARKETPLACE_MAX_POLL_INTERVAL": "0.1",
            **environment,
        }
        sessions.append(Session(lambda _: None, given))
        return sessions[-1].rule(None, told, threading.Event(), limits=limits)

    yield made
    for session in sessions:
        session.close()
