"""The Starlette app: the APIs as lists of routes, the control address beside them, the weather over all.

An API is a table `path -> method -> handler` (see `http_terms`); `routes_of` turns it into routes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from simulator import wire
from simulator.apis import publishing_apis
from simulator.connections import Connections
from simulator.control import Control
from simulator.http_terms import Answer, Call, Handler
from simulator.simulation import Simulation
from simulator.weather import Weather

JSON = "application/json; charset=utf-8"


def create_app(
    simulation: Simulation, connections: Connections | None = None, more_routes: Sequence[BaseRoute] = ()
) -> Weather:
    """Everything under one address. `connections` is what lets faults reach below HTTP."""
    routes = [
        *routes_of(Control(simulation).routes()),
        *routes_of(publishing_apis(simulation)),
        *routes_of(simulation.entra.routes()),
        *more_routes,
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _unknown})
    app.router.redirect_slashes = False  # the portal never redirects
    return Weather(app, simulation, connections or Connections())


def routes_of(table: Mapping[str, Mapping[str, Handler]]) -> list[Route]:
    """Routes that answer with the table's handlers."""
    return [_route(path, methods) for path, methods in table.items()]


async def call_of(request: Request) -> Call:
    """The request as handlers see it."""
    query: dict[str, list[str]] = {}
    for key, value in request.query_params.multi_items():
        query.setdefault(key, []).append(value)
    return Call(
        request.method,
        request.url.path,
        query,
        dict(request.headers),
        await request.body(),
        request.path_params,
        f"{request.url.scheme}://{request.url.netloc}",
    )


def response_of(answer: Answer) -> Response:
    """JSON goes out chunked, as on the portal [O PUB readme]; an empty body with Content-Length 0 [I]."""
    if answer.text is not None:
        response = Response(answer.content, answer.status, media_type="text/plain; charset=utf-8")
    elif answer.body is None:
        response = Response(status_code=answer.status)
    else:
        response = Response(answer.content, answer.status, media_type=JSON)
        if answer.status < 400:
            del response.headers["content-length"]
    for name, value in answer.headers:
        response.headers.append(name, value)
    return response


def _route(path: str, methods: Mapping[str, Handler]) -> Route:
    async def endpoint(request: Request) -> Response:
        call = await call_of(request)
        handler = methods["GET" if request.method == "HEAD" else request.method]
        answer = handler(call)
        return response_of(replace(answer, body=None, text=None) if request.method == "HEAD" else answer)

    return Route(path, endpoint, methods=list(methods))


async def _unknown(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = {404: "NotFound", 405: "MethodNotAllowed"}.get(status, "InternalServerError")
    headers = tuple((error.headers or {}).items()) if isinstance(error, HTTPException) else ()
    return response_of(Answer(status, wire.error(code, f"No such resource: {request.url.path}"), headers))
