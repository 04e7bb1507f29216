"""Faults: which requests they strike, what the client then sees, and what the portal has done by then."""

from __future__ import annotations

import socket
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests
from pydantic import ValidationError

from simulator import Fault, Simulator, SimulatorClock, World
from simulator.addresses import offer_of
from simulator.faults import FaultBook
from tests.simulator.publisher_client import NOW, Client

GOLIVE = "/api/publishers/contoso/offers/vm/golive"
LOST = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.fixture(autouse=True)
def _offer(simulator: Simulator) -> None:
    simulator.add_offer("contoso", "vm", preview=7, production=6, mode="held")


@pytest.fixture
def strike(simulator: Simulator) -> Any:
    """Set one fault."""

    def strike(kind: str, **more: Any) -> None:
        with simulator.simulation.lock:
            simulator.faults.replace([Fault.model_validate({"kind": kind, **more})])

    return strike


def accepted(simulator: Simulator) -> int:
    return simulator.world.accepted_golives("contoso", "vm")


class TestChoice:
    """Pure: no requests are made."""

    def struck(self, faults: list[dict[str, Any]], asked: list[tuple[str, str]], seed: int = 1) -> list[list[str]]:
        book = FaultBook()
        book.replace([Fault.model_validate(fault) for fault in faults], seed=seed)
        nowhere = World(SimulatorClock(frozen_at=NOW))
        return [
            [fault.id for fault, _ in book.choose(number, method, path, offer_of(nowhere, path))]
            for number, (method, path) in enumerate(asked, 1)
        ]

    def test_method_path_and_offer_must_all_fit(self) -> None:
        fault = {"kind": "reset", "id": "x", "method": "post", "path": "*/golive", "offer": "contoso/vm"}
        asked = [
            ("POST", GOLIVE),
            ("GET", GOLIVE),
            ("POST", GOLIVE.replace("vm", "vm2")),
            ("POST", "/api/golive"),
        ]
        assert self.struck([fault], asked) == [["x"], [], [], []]

    def test_an_offer_is_known_by_its_dollar_ids_too(self) -> None:
        fault = {"kind": "reset", "id": "x", "offer": "contoso/vm"}
        assert self.struck([fault], [("GET", "/api/operations/contoso$vm$7$preview")]) == [["x"]]

    @pytest.mark.parametrize(("nth", "expected"), [(2, "-x--"), ([1, 4], "x--x")])
    def test_nth_counts_fitting_requests_from_one(self, nth: Any, expected: str) -> None:
        found = self.struck([{"kind": "reset", "id": "x", "nth": nth}], [("GET", "/a")] * 4)
        assert "".join("x" if struck else "-" for struck in found) == expected

    def test_count_limits_the_strikes(self) -> None:
        found = self.struck([{"kind": "reset", "id": "x", "count": 2}], [("GET", "/a")] * 4)
        assert found == [["x"], ["x"], [], []]

    def test_the_same_list_strikes_the_same_requests_again(self) -> None:
        faults = [{"kind": "latency", "probability": 0.5}, {"kind": "reset", "probability": 0.3}]
        asked = [("GET", "/a"), ("POST", "/b")] * 50
        assert self.struck(faults, asked) == self.struck(faults, asked)
        assert self.struck(faults, asked) != self.struck(faults, asked, seed=2)

    def test_the_log_is_what_a_replay_needs(self) -> None:
        book = FaultBook()
        book.replace([Fault(kind="latency", probability=0.5, seconds=1, jitter=1)], seed=5)
        for number in range(30):
            book.choose(number, "GET", "/a")
        log = book.as_json()
        again = FaultBook()
        again.replace([Fault.model_validate(fault) for fault in log["faults"]], seed=log["seed"])
        for number in range(30):
            again.choose(number, "GET", "/a")
        assert again.as_json() == log
        assert len({fired["delay"] for fired in log["fired"]}) > 5

    @pytest.mark.parametrize(
        "bad", [{}, {"kind": "gremlins"}, {"kind": "reset", "nth": 0}, {"kind": "reset", "often": 1}]
    )
    def test_bad_faults_are_refused(self, bad: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            Fault.model_validate(bad)


class TestOtherAnswers:
    """portal-api section 9, point 8."""

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            ("internal_error", 500),
            ("service_error", 500),
            ("bad_gateway", 502),
            ("unavailable", 503),
            ("gateway_timeout", 504),
            ("too_many_requests", 429),
            ("not_found", 404),
        ],
    )
    @pytest.mark.parametrize(("when", "golives"), [("before", 0), ("after", 1)])
    def test_an_error_before_or_after_acting(
        self, client: Client, strike: Any, kind: str, status: int, when: str, golives: int
    ) -> None:
        strike(kind, path="*/golive", when=when)
        assert client.post("/golive").status_code == status
        assert accepted(client.simulator) == golives

    def test_the_envelope_is_the_observed_one(self, client: Client, strike: Any) -> None:
        """azure-docs#54002 [O]."""
        strike("internal_error")
        text = "We cannot complete the request now, please try again later."
        assert client.get().json() == {"error": {"code": "InternalServerError", "message": text}}

    def test_an_error_can_be_keyed_by_the_service(self, client: Client, strike: Any) -> None:
        """devigned/pub#28 [O]."""
        strike("service_error")
        assert client.get().json()["Variant"]["serviceName"] == "Variant"

    def test_gateways_answer_in_html_or_with_nothing(self, client: Client, strike: Any) -> None:
        strike("bad_gateway")
        assert client.get().text.startswith("<!DOCTYPE html>")
        strike("bad_gateway", body="empty")
        assert client.get().content == b""

    def test_retry_after_in_seconds_or_as_a_date(self, client: Client, strike: Any) -> None:
        strike("too_many_requests")
        assert "Retry-After" not in client.get().headers
        strike("too_many_requests", retry_after=7)
        assert client.get().headers["Retry-After"] == "7"
        strike("too_many_requests", retry_after=7, retry_after_date=True)
        date = parsedate_to_datetime(client.get().headers["Retry-After"])
        assert date == datetime.fromtimestamp(NOW + 7, timezone.utc)

    def test_a_redirect_to_another_host(self, client: Client, strike: Any) -> None:
        strike("redirect", path="*/golive")
        answer = client.post("/golive")
        assert (answer.status_code, accepted(client.simulator)) == (307, 0)
        assert answer.headers["Location"] == f"https://attacker.example{GOLIVE}?api-version=2017-10-31"

    def test_malformed_json(self, client: Client, strike: Any) -> None:
        strike("malformed")
        with pytest.raises(requests.exceptions.JSONDecodeError):
            client.get().json()

    def test_a_huge_answer_is_still_valid(self, client: Client, strike: Any) -> None:
        strike("huge", padding=1_000_000)
        answer = client.get()
        assert len(answer.content) > 1_000_000
        assert answer.json()["id"] == "vm"

    def test_a_deep_answer(self, client: Client, strike: Any) -> None:
        strike("deep", depth=100_000)
        assert client.get().content.count(b"[") == 100_000

    def test_a_truncated_answer(self, client: Client, strike: Any) -> None:
        strike("truncated")
        with pytest.raises(LOST):
            client.get()
        strike("truncated", path="*/golive")
        with pytest.raises(LOST):
            client.post("/golive")
        assert accepted(client.simulator) == 1


class TestConnection:
    """The eight of toxiproxy, by request."""

    @pytest.mark.parametrize(("when", "golives"), [("before", 0), ("after", 1)])
    def test_reset_peer_loses_the_request_or_the_202(
        self, client: Client, strike: Any, when: str, golives: int
    ) -> None:
        strike("reset_peer", path="*/golive", when=when)
        with pytest.raises(requests.ConnectionError, match="reset by peer"):
            client.post("/golive")
        assert accepted(client.simulator) == golives
        assert client.get().status_code == 200
        (recorded,) = client.simulator.requests.find(path="*/golive")
        assert (recorded.status, recorded.faults) == (0, ["reset_peer-1"])

    @pytest.mark.parametrize(("when", "golives"), [("before", 0), ("after", 1)])
    def test_timeout_never_answers(self, client: Client, strike: Any, when: str, golives: int) -> None:
        strike("timeout", path="*/golive", when=when)
        with pytest.raises(requests.ReadTimeout):
            client.post("/golive", timeout=0.1)
        assert accepted(client.simulator) == golives

    def test_timeout_with_an_end_closes_the_connection(self, client: Client, strike: Any) -> None:
        strike("timeout", seconds=0.02)
        with pytest.raises(LOST):
            client.get()

    @pytest.mark.parametrize(("when", "golives"), [("before", 0), ("after", 1)])
    def test_latency(self, client: Client, strike: Any, when: str, golives: int) -> None:
        """Late enough for the client, the request is lost before the portal acts, or its answer is."""
        strike("latency", seconds=0.3, jitter=0.01, path="*/golive", when=when)
        with pytest.raises(requests.ReadTimeout):
            client.post("/golive", timeout=0.1)
        assert accepted(client.simulator) == golives

    def test_down_for_a_request(self, client: Client, strike: Any) -> None:
        strike("down", path="*/golive")
        with pytest.raises(requests.ConnectionError):
            client.post("/golive")
        assert accepted(client.simulator) == 0
        assert client.get().status_code == 200

    def test_down_for_a_while_refuses_connections(self, client: Client, strike: Any) -> None:
        strike("down", seconds=0.1, count=1)
        with pytest.raises(requests.ConnectionError):
            client.get()
        with pytest.raises(requests.ConnectionError, match="refused"):
            client.get()
        deadline = time.monotonic() + 5
        while True:
            try:
                assert client.get().status_code == 200
                break
            except requests.ConnectionError:
                assert time.monotonic() < deadline

    def test_bandwidth(self, client: Client, strike: Any) -> None:
        strike("bandwidth", rate=10_000)
        started = time.monotonic()
        size = len(client.get().content)
        assert time.monotonic() - started >= size / 10_000

    def test_slicer(self, client: Client, strike: Any) -> None:
        strike("slicer", size=50, size_variation=20, seconds=0.001)
        assert client.get().json()["id"] == "vm"

    def test_limit_data(self, client: Client, strike: Any) -> None:
        strike("limit_data", bytes=10, path="*/golive")
        with pytest.raises(LOST):
            client.post("/golive")
        assert accepted(client.simulator) == 1
        strike("limit_data", bytes=600)
        with pytest.raises(LOST):
            client.get()

    def test_slow_close(self, client: Client, strike: Any) -> None:
        """The answer arrives whole; the end of the connection is late."""
        strike("slow_close", seconds=0.1)
        url = client.simulator.url.removeprefix("http://")
        host, _, port = url.partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as sock:
            sock.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"Connection: close" in sock.recv(10_000).replace(b"connection", b"Connection")
            started = time.monotonic()
            while sock.recv(10_000):
                pass
            assert 0.05 < time.monotonic() - started < 2

    def test_one_connection_stays_usable_after_a_paced_answer(self, client: Client, strike: Any) -> None:
        strike("slicer", size=100, nth=1)
        assert [client.get().status_code for _ in range(3)] == [200, 200, 200]


def test_several_faults_strike_together(client: Client, simulator: Simulator) -> None:
    with simulator.simulation.lock:
        simulator.faults.replace(
            [
                Fault(kind="latency", seconds=0.02),
                Fault(kind="unavailable", when="after"),
                Fault(kind="slicer"),
            ]
        )
    assert client.post("/golive").status_code == 503
    assert accepted(simulator) == 1


def test_the_control_address_meets_no_fault(client: Client, strike: Any) -> None:
    strike("internal_error")
    assert client.control("GET", "/faults").status_code == 200
