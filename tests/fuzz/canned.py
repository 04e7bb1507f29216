"""Answers without sockets: the whole client, down to http.client's parser, over bytes that a test makes up."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import requests
import urllib3
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from providers.azure_marketplace.bounds import BoundedSession, _Response
from providers.azure_marketplace.transport import Answer, Connections, Transport

SEARCHED = os.environ.get("OFFERGOLIVE_SEQUENCES")
HOST = "https://portal.example"
F = TypeVar("F", bound=Callable[..., None])


def examples(count: int) -> Callable[[F], F]:
    """So many inputs, the same ones each time; OFFERGOLIVE_SEQUENCES makes up new ones, that many."""
    bounded = settings(
        max_examples=int(SEARCHED) if SEARCHED else count,
        derandomize=SEARCHED is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    return cast(Callable[[F], F], bounded)


class _Heard:
    """What http.client takes for a socket."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._said))

    def gettimeout(self) -> float:
        return 60.0

    def settimeout(self, _seconds: float) -> None: ...


class CannedAdapter(requests.adapters.HTTPAdapter):
    """Says `answer(method, address)`, bytes, in place of whoever is asked."""

    def __init__(self, answer: Callable[[str, str], bytes], session: BoundedSession) -> None:
        super().__init__()
        self._answer = answer
        self._session = session

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        method = request.method or ""
        self._session._leaves()
        heard = _Response(_Heard(self._answer(method, request.url or "")), method=method)  # type: ignore[arg-type]
        heard.begin()
        raw = urllib3.HTTPResponse(
            body=heard,
            headers=urllib3.HTTPHeaderDict(heard.headers.items()),
            status=heard.status,
            version=heard.version,
            reason=heard.reason,
            preload_content=False,
            original_response=heard,
            request_method=method,
        )
        return self.build_response(request, raw)


class CannedConnections(Connections):
    """Runs each request where it is asked for."""

    def __init__(self, answer: Callable[[str, str], bytes]) -> None:
        super().__init__(timeout=60.0, cancelled=threading.Event, user_agent="test", workers=1)
        self._session.mount("https://", CannedAdapter(answer, self._session))

    def run(self, request: Callable[[BoundedSession], Answer], *, reads: bool) -> Answer:
        return request(self._session)


def transport(answer: Callable[[str, str], bytes]) -> Transport:
    return Transport(CannedConnections(answer), title="The portal", endpoint=HOST, token=lambda _: "canary-token")


# What is said


def texts() -> st.SearchStrategy[str]:
    """With a liking for what terminals, browsers and Pulumi take for more than text."""
    marks = [
        "\x1b[31m",
        "\x1b]8;;x\x07",
        "\x9b",
        "\u202e",
        "\u200b",
        "<{%fg 1%}>",
        "<![",
        "<b>",
        "&#27;",
        "\ud800",
        "\r\n",
    ]
    return st.one_of(
        st.text(max_size=40),
        st.lists(st.one_of(st.sampled_from(marks), st.text(max_size=8)), max_size=6).map("".join),
        st.sampled_from(["w" * 5000, "\x00", "..", "/", "/../x", "%2e%2e", "2026-01-01T00:00:00Z", "9" * 300]),
    )


def said(words: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """JSON: objects with the members that an API knows, of the kinds that it knows, and of all others."""
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        texts(),
        st.sampled_from([10**400, -(10**4000), 1e308, 10**99, 10**100, 2**53 + 1]),
    )
    things = st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(st.one_of(st.sampled_from(list(words)), texts()), inner, max_size=6),
        ),
        max_leaves=25,
    )
    known = st.fixed_dictionaries({}, optional={name: st.one_of(kind, things) for name, kind in words.items()})
    return st.one_of(known, st.lists(known, max_size=3), things)


def answers(bodies: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Whole HTTP answers around JSON bodies, with headers that are sometimes what they should be."""
    lines = st.one_of(
        st.sampled_from(
            [
                b"Location: /api/publishers/contoso/offers/vm/operations/1?api-version=2017-10-31",
                b"Operation-Location: https://portal.example/api/operations/contoso$vm$1$preview",
                b"Location: https://attacker.example/x",
                b"Retry-After: 5",
                b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT",
                b"Date: Thu, 26 Nov 2026 10:00:00 GMT",
                b"Date: Mon, 00 Jan 0000 00:00:00 -9999",
                b"X-Ms-Correlation-Request-Id: 6a1d",
                b"Content-Encoding: gzip",
            ]
        ),
        st.builds(
            lambda name, value: name + b": " + value,
            st.sampled_from(
                [b"Location", b"Operation-Location", b"Retry-After", b"Date", b"MS-CorrelationId", b"Content-Type"]
            ),
            st.binary(max_size=60),
        ),
    )
    statuses = st.one_of(
        st.sampled_from([200, 200, 200, 202, 302, 400, 401, 403, 404, 409, 429, 500, 503]), st.integers(100, 999)
    )
    return st.builds(_answer, statuses, st.binary(max_size=20), st.lists(lines, max_size=4), bodies)


def _answer(status: int, reason: bytes, lines: list[bytes], body: Any) -> bytes:
    try:
        content = json.dumps(body).encode()
    except ValueError:
        content = b"null"
    head = [b"HTTP/1.1 %d " % status + reason.replace(b"\n", b" "), *lines, b"Content-Length: %d" % len(content)]
    return b"\r\n".join([*(line.replace(b"\r", b" ") for line in head), b"", content])


def harmless(text: str, longest: int = 5000) -> bool:
    """Whether it can be shown and stored: one line of characters that print, no colours of Pulumi's."""
    return text.isprintable() and "<{%" not in text and len(text) <= longest and bool(text.encode() or True)
