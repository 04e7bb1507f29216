"""Signing in on the real engine: wrong and half configurations as a user meets them; waits that outlive an outage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from simulator import Fault, Simulator
from simulator.entra import TENANT
from tests.engine.conftest import Project
from tests.engine.portal import declare, offer

CLIENT = "aaaaaaaa-0000-0000-0000-000000000001"
APPLICATION = {"ARM_CLIENT_ID": CLIENT, "ARM_TENANT_ID": TENANT}
NOWHERE = {"azuremarketplace:endpoint": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("configuration", "variables", "said"),
    [
        ({}, {"ARM_CLIENT_SECRET": "canary"}, "(ARM_CLIENT_SECRET is set) clientId and tenantId are missing"),
        ({}, {**APPLICATION, "ARM_USE_OIDC": "true"}, "permissions: id-token: write"),
        (
            {"azuremarketplace:clientScret": "canary"},
            {},
            "clientScret is no key of OfferGoLive: azuremarketplace:clientSecret",
        ),
        (
            {"azuremarketplace:endpoint": "http://127.0.0.1.attacker.example"},
            {"AZUREMARKETPLACE_ACCESS_TOKEN": "canary"},
            "must begin with https://",
        ),
    ],
    ids=["half a secret", "OIDC outside a pipeline", "a misspelt key", "a host that looks like loopback"],
)
def test_a_wrong_configuration_is_told_before_anything_is_sent(
    project: Project, configuration: dict[str, str], variables: dict[str, str], said: str
) -> None:
    project.environment |= variables
    declare(project, vm=offer()).configure({**NOWHERE, **configuration})
    previewed = project.preview()
    told = [message for message in previewed.messages() if said in message]
    assert len(told) == 1, previewed.text
    assert "canary" not in previewed.text
    assert "Traceback" not in previewed.text
    done = project.up()
    assert done.code != 0
    assert sum(said in message for message in done.messages(severity="error")) == 1, done.text
    assert "Traceback" not in done.text


@pytest.fixture
def portal(project: Project, tmp_path: Path) -> Iterator[Simulator]:
    """The portal and Entra over TLS; the project signs in there by a secret."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    with Simulator(tls=(tmp_path / "server.pem", tmp_path / "server.pem")) as simulator:
        simulator.entra.add(CLIENT, secrets={"canary": None})
        project.environment |= {
            **APPLICATION,
            "ARM_CLIENT_SECRET": "canary",
            "REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem"),
            "AZUREMARKETPLACE_ENDPOINT": simulator.url,
            "AZUREMARKETPLACE_AUTHORITY_HOST": simulator.url,
            "AZUREMARKETPLACE_DISABLE_INSTANCE_DISCOVERY": "true",
            "AZUREMARKETPLACE_MIN_POLL_INTERVAL": "0.2",
            "AZUREMARKETPLACE_MAX_POLL_INTERVAL": "0.5",
        }
        yield simulator


def test_a_hundred_waits_outlive_a_sign_in_that_is_down_and_a_token_that_is_revoked(
    project: Project, portal: Simulator
) -> None:
    names = [f"vm{number}" for number in range(100)]
    for name in names:
        portal.add_offer("contoso", name, preview=7, mode="held")
    declare(project, **{name: offer(name) for name in names})
    run = project.start("up", "--yes", "--skip-preview")
    run.wait_until(lambda: all(portal.world.accepted_golives("contoso", name) for name in names), patience=90)
    asked = portal.requests.count(method="POST", path="*/oauth2/v2.0/token")
    assert asked == 1, "one token for a hundred offers"

    with portal.simulation.lock:
        portal.faults.replace([Fault(kind="unavailable", path="*/oauth2/*")])
        portal.entra.revoke(CLIENT)
    run.wait_until(lambda: portal.requests.count(path="*/oauth2/*", status=503) >= 3)
    reached = portal.requests.count(path="/api/*", status=401)
    with portal.simulation.lock:
        portal.faults.replace([])
    run.wait_until(lambda: len(portal.entra.issued) == 2)
    before = portal.requests.total
    run.wait_until(lambda: portal.requests.count(path="/api/*", status=200, after=before) > 100)
    with portal.simulation.lock:
        for offer_ in portal.world.offers.values():
            for operation in offer_.operations:
                portal.world.end(operation.id, "succeeded")
    done = run.wait()
    assert done.code == 0, done.text
    assert len(portal.entra.issued) == 2, "one renewal for all"
    assert reached <= 200, "who was refused once does not ask on without a token"
    assert all(portal.world.accepted_golives("contoso", name) == 1 for name in names)
    assert any("The operation goes on; asking again" in said for said in done.messages())
    assert "canary" not in done.text + json.dumps(done.events)
