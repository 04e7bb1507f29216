"""The three APIs without sockets: a caller's thread asks the handlers directly, thousands of times a second.

For tests that drive a client through a transport of their own, under a clock of their own. Nothing is
recorded and no fault strikes here; such tests bring their own weather.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from starlette.routing import compile_path

from simulator.apis import publishing_apis
from simulator.http_terms import Answer, Call, Handler
from simulator.simulation import Simulation
from simulator.wire import error


class InMemory:
    """
    >>> portal = InMemory(Simulation(scenario))
    >>> portal.ask("GET", "/api/publishers?api-version=2017-10-31", token="t").status
    200
    """

    def __init__(self, simulation: Simulation, table: Mapping[str, Mapping[str, Handler]] | None = None) -> None:
        self.simulation = simulation
        routes = publishing_apis(simulation) if table is None else table
        self._routes = [(compile_path(path)[0], methods) for path, methods in routes.items()]

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        token: str | None = None,
    ) -> Answer:
        """`url` absolute, or a path with its query. The answer's body is JSON as Python has it, or None; its `content`
        is what would be sent, also where that is no JSON."""
        parts = urlsplit(url)
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        sent.setdefault("content-length", str(len(body)))
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        path = unquote(parts.path)
        base = f"{parts.scheme}://{parts.netloc}" if parts.netloc else Call.base_url
        for pattern, methods in self._routes:
            match = pattern.match(path)
            if match is None:
                continue
            if method not in methods:
                return Answer(405, error("MethodNotAllowed", f"No such method here: {method}"))
            query = parse_qs(parts.query, keep_blank_values=True)
            return methods[method](Call(method, path, query, sent, body, match.groupdict(), base))
        return Answer(404, error("NotFound", f"No such resource: {path}"))
