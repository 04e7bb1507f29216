"""The control address: everything a test may do behind the portal's back, over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator import Simulator
from tests.simulator.publisher_client import NOW, Client

OFFER = "/offers/contoso/vm"


@pytest.fixture(autouse=True)
def _offer(simulator: Simulator) -> None:
    simulator.add_offer("contoso", "vm", preview=7, production=6, mode="held")


def running(client: Client) -> str:
    """Start a go-live; its operation's id."""
    location = client.post("/golive").headers["Location"]
    return location.partition("?")[0].rpartition("/")[2]


def test_the_index_explains_every_route(client: Client) -> None:
    index = client.control("GET", "").json()
    assert len(index) > 30
    assert all(route["does"].endswith(".") or "?" in route["does"] for route in index)


def test_an_offer_is_made_read_and_removed(client: Client) -> None:
    body = {"preview": 3, "production": 2, "behaviour": {"mode": "by polls", "polls": 1}}
    made = client.control("PUT", "/offers/fabrikam/app", body).json()
    assert (made["preview"]["version"], made["production"]["version"]) == (3, 2)
    assert made["behaviour"]["golive"]["mode"] == "by polls"
    assert [offer["offer"] for offer in client.control("GET", "/offers").json()] == ["vm", "app"]
    assert client.control("DELETE", "/offers/fabrikam/app").status_code == 204
    assert client.control("GET", "/offers/fabrikam/app").status_code == 404


def test_behaviour_is_replaced_or_changed(client: Client) -> None:
    client.control("PATCH", OFFER + "/behaviour", {"conflict": 422, "seconds": 9})
    patched = client.control("GET", OFFER + "/behaviour").json()
    assert (patched["conflict"], patched["golive"]["seconds"], patched["golive"]["mode"]) == (422, 9, "held")
    replaced = client.control("PUT", OFFER + "/behaviour", {"migrated": True}).json()
    assert (replaced["conflict"], replaced["golive"]["mode"]) == (409, "by time")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", OFFER + "/behaviour", {"mood": "bad"}),
        ("PATCH", OFFER + "/behaviour", {"conflict": 418}),
        ("PUT", "/offers/a/b", {"preview": "x"}),
        ("POST", "/faults", {"kind": "gremlins"}),
        ("POST", "/clock/advance", {"seconds": -1}),
        ("GET", "/requests?status=x", None),
    ],
)
def test_a_wrong_request_is_400_and_says_why(client: Client, method: str, path: str, body: Any) -> None:
    answer = client.control(method, path, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_a_new_version_in_preview(client: Client) -> None:
    assert client.control("POST", OFFER + "/preview", {}).json()["version"] == 8
    assert client.control("POST", OFFER + "/preview", {"version": 12}).json()["version"] == 12
    assert client.get("/slot/preview").json()["version"] == 12


def test_a_golive_by_hand_runs_but_was_not_asked_for_by_the_api(client: Client) -> None:
    operation = client.control("POST", OFFER + "/golive").json()
    assert (operation["by"], operation["status"]) == ("portal", "running")
    assert client.get(f"/operations/{operation['id']}").json()["status"] == "running"
    assert client.control("GET", OFFER).json()["accepted_golives"] == 0


def test_an_operation_is_advanced_step_by_step(client: Client) -> None:
    operation = running(client)
    client.control("POST", f"/operations/{operation}/advance")
    steps = client.get(f"/operations/{operation}").json()["steps"]
    assert [step["status"] for step in steps[:2]] == ["complete", "inProgress"]
    ended = client.control("POST", f"/operations/{operation}/advance", {"steps": 5}).json()
    assert ended["status"] == "succeeded"


@pytest.mark.parametrize(
    ("verb", "status", "version"),
    [("finish", "completed", 7), ("fail", "failed", 6), ("cancel", "canceled", 6)],
)
def test_an_operation_is_ended(client: Client, verb: str, status: str, version: int) -> None:
    operation = running(client)
    client.control("POST", f"/operations/{operation}/{verb}")
    assert client.get(f"/operations/{operation}").json()["status"] == status
    assert client.get("/slot/production").json()["version"] == version


def test_a_failure_in_the_testers_words(client: Client) -> None:
    operation = running(client)
    client.control("POST", f"/operations/{operation}/fail", {"message": "<p>Too blue</p>"})
    (message,) = client.get(f"/operations/{operation}").json()["messages"]
    assert message["messageHtml"] == "<p>Too blue</p>"


def test_requests_are_recorded_counted_and_forgotten(client: Client) -> None:
    client.post("/golive", data=b"{}")
    client.post("/golive")
    client.get("/status")
    count = client.control("GET", "/requests/count?method=POST&path=*/golive").json()["count"]
    refused = client.control("GET", "/requests/count?path=*/golive&status=409").json()["count"]
    assert (count, refused) == (2, 1)
    first, *_, last = client.control("GET", "/requests").json()
    assert (first["method"], first["body_size"], first["status"], first["at"]) == ("POST", 2, 202, NOW)
    assert client.control("GET", f"/requests?after={first['number']}&limit=1").json() == [last]
    client.control("DELETE", "/requests")
    assert client.control("GET", "/requests").json() == []


def test_no_token_is_ever_recorded(client: Client) -> None:
    client.get(token="very-secret-token")
    recorded = client.control("GET", "/requests").text
    assert "very-secret" not in recorded
    assert json.loads(recorded)[0]["headers"]["authorization"].startswith("Bearer sha256:")


def test_faults_are_set_listed_logged_and_cleared(client: Client) -> None:
    fault = client.control("POST", "/faults", {"kind": "unavailable", "path": "*/status", "count": 1}).json()
    assert [client.get("/status").status_code for _ in range(2)] == [503, 200]
    log = client.control("GET", "/faults/log").json()
    assert [fired["fault"] for fired in log["fired"]] == [fault["id"]]
    client.control("PUT", "/faults", log)
    assert [client.get("/status").status_code for _ in range(2)] == [503, 200]
    assert client.control("GET", "/faults/log").json()["faults"] == log["faults"]
    assert client.control("DELETE", f"/faults/{fault['id']}").status_code == 204
    assert client.control("DELETE", f"/faults/{fault['id']}").status_code == 404
    assert client.control("DELETE", "/faults").status_code == 204


def test_time_is_set_advanced_and_let_run(client: Client) -> None:
    client.control("PATCH", OFFER + "/behaviour", {"mode": "by time", "seconds": 86400})
    operation = running(client)
    assert client.control("POST", "/clock/advance", {"seconds": 86400}).json()["now"] == NOW + 86400
    assert client.get(f"/operations/{operation}").json()["status"] == "completed"
    assert client.control("PUT", "/clock", {"now": 1e9, "frozen": True}).json()["utc"].startswith("2001-09-09")
    assert client.control("PUT", "/clock", {"frozen": False}).json()["frozen"] is False


def test_tokens_are_restricted_revoked_and_expired(client: Client) -> None:
    client.control("POST", "/tokens", {"token": "a"})
    client.control("PUT", "/tokens", {"restricted": True})
    assert [client.get(token=token).status_code for token in ("a", "b")] == [200, 401]
    client.control("POST", "/tokens/expire", {"token": "a", "expires_in": 60})
    assert client.get(token="a").status_code == 200
    client.control("POST", "/clock/advance", {"seconds": 60})
    assert client.get(token="a").status_code == 401
    client.control("POST", "/tokens", {"token": "a"})
    client.control("POST", "/tokens/revoke", {"token": "a"})
    assert client.get(token="a").status_code == 401


def test_a_publisher_can_be_closed_to_everybody(client: Client) -> None:
    client.control("PUT", "/publishers/contoso", {"forbidden": True})
    assert client.get().status_code == 403


def test_reset_forgets_everything(client: Client) -> None:
    client.post("/golive")
    client.control("POST", "/reset")
    assert client.control("GET", "/offers").json() == []
    assert client.control("GET", "/state").json()["accepted_golives"] == {}
    assert client.control("GET", "/clock").json()["frozen"] is False
