"""What the simulator's tests share: a moment, and a publisher's client of one offer."""

from __future__ import annotations

from typing import Any

import requests

from simulator import Simulator

NOW = 1_600_000_000.0  # 2020-09-13T12:26:40Z


class Client:
    """A publisher's client of one offer, contoso/vm."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.session = requests.Session()
        self.offer = "/api/publishers/contoso/offers/vm"

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = "t",
        query: dict[str, str] | None = None,
        **more: Any,
    ) -> requests.Response:
        """With a token and the api-version, unless told otherwise; never following a redirect."""
        headers = {
            **({} if token is None else {"Authorization": f"Bearer {token}"}),
            **more.pop("headers", {}),
        }
        params = {"api-version": "2017-10-31"} if query is None else query
        if "api-version=" in path:
            params = {}
        return self.session.request(
            method,
            self.simulator.url + path,
            params=params,
            headers=headers,
            allow_redirects=False,
            timeout=more.pop("timeout", 5),
            **more,
        )

    def get(self, path: str = "", **more: Any) -> requests.Response:
        return self.ask("GET", self.offer + path, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        return self.ask("POST", self.offer + path, **more)

    def follow(self, accepted: requests.Response) -> Any:
        """The operation that an accepted call's Location names, as JSON."""
        return self.ask("GET", accepted.headers["Location"]).json()

    def control(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.session.request(method, self.simulator.control + path, json=body, timeout=5)
