"""What every request to a portal passes through: it is recorded, and meets the faults that were set for it.

An ASGI middleware that knows no portal, so that it serves the siblings too. Requests to the control address
pass untouched and unrecorded.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulator.addresses import offer_of
from simulator.connections import Connections, Pacing
from simulator.faults import ERRORS, Fault, Fired
from simulator.recorder import Recorded
from simulator.simulation import Simulation

CONTROL = "/_control"
_HTML = (
    "<!DOCTYPE html><html><head><title>{status}</title></head>"
    "<body><center><h1>{status}</h1></center><hr><center>Microsoft-Azure-Application-Gateway/v2</center>"
    "</body></html>"
)
# azure-docs#54002 and devigned/pub#28 [O]
_INTERNAL = "We cannot complete the request now, please try again later."
_VARIANT = {
    "Variant": {
        "serviceName": "Variant",
        "httpStatusCode": "InternalServerError",
        "error": "snapshot() resulted in an internal conflict! Retry is OK.\r\n[]",
    }
}
_CODES = {404: "NotFound", 429: "TooManyRequests", 500: "InternalServerError", 503: "ServiceUnavailable"}
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Headers
    body: bytes


class _Gone(Exception):
    pass


class Weather:
    def __init__(self, app: ASGIApp, simulation: Simulation, connections: Connections) -> None:
        self._app = app
        self._simulation = simulation
        self._connections = connections
        self.refuse_for: Callable[[float], None] = lambda _seconds: None  # set by the server that can stop listening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].partition(CONTROL)[0] == "":
            await self._app(scope, receive, send)
            return
        s = self._simulation
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]]
        method, path = scope["method"], scope["path"]
        query = scope["query_string"].decode("latin-1")
        started = time.monotonic()
        body = b""
        if s.faults.by_offer and (method, path.rpartition("/")[2]) == ("POST", "configure"):  # names no offer
            body, receive = await _read(receive)
        with s.lock:
            recorded = s.recorder.begin(s.clock.now(), method, path, query, headers)
            offer = offer_of(s.world, path, query, body) if s.faults.by_offer else None
            struck = s.faults.choose(recorded.number, method, path, offer)
        recorded.faults = [fault.id for fault, _ in struck]
        try:
            await self._pass(scope, _counting(receive, recorded), send, struck, recorded)
        except _Gone:
            recorded.status = 0
        finally:
            recorded.seconds = time.monotonic() - started

    async def _pass(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        struck: list[tuple[Fault, Fired]],
        recorded: Recorded,
    ) -> None:
        transport = self._connections.of(scope["client"])
        if transport is not None:
            transport.pace(None)
        answer = await self._strike_all("before", scope, receive, struck)
        if answer is None:
            answer = await _asked(self._app, scope, receive)
            lost = await self._strike_all("after", scope, receive, struck)
            answer = lost or answer
        cut = None
        for fault, _ in struck:
            if fault.kind == "truncated":
                cut = answer.body[: len(answer.body) // 2]
            else:
                answer = _damaged(answer, fault)
        if transport is not None:
            transport.pace(_pacing(struck))
        if any(fault.kind == "slow_close" for fault, _ in struck):
            answer = replace(answer, headers=[*answer.headers, (b"connection", b"close")])
        recorded.status = answer.status
        if cut is None:
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await send({"type": "http.response.body", "body": answer.body})
            return
        whole = _with_length(answer.headers, max(len(answer.body), 64))
        await send({"type": "http.response.start", "status": answer.status, "headers": whole})
        await send({"type": "http.response.body", "body": cut, "more_body": True})
        if transport is not None:
            transport.close()
        await _until_gone(receive)

    async def _strike_all(
        self,
        when: str,
        scope: Scope,
        receive: Receive,
        struck: list[tuple[Fault, Fired]],
    ) -> _Answer | None:
        """Delays, lost connections and other answers, in the order in which they were set."""
        transport = self._connections.of(scope["client"])
        other = None
        for fault, fired in struck:
            # A portal that is down does not act.
            if (fault.when if fault.kind not in ("down", "redirect") else "before") != when:
                continue
            if fault.kind == "latency":
                await asyncio.sleep(fired.delay)
            elif fault.kind == "timeout":
                await _until_gone(receive, fired.delay or None)
                if transport is not None:
                    transport.close()
                await _until_gone(receive)
                raise _Gone
            elif fault.kind in ("reset_peer", "down"):
                if fault.kind == "down":
                    self.refuse_for(fired.delay)
                else:
                    await asyncio.sleep(fired.delay)
                if transport is not None:
                    transport.reset()
                await _until_gone(receive)
                raise _Gone
            elif fault.kind == "redirect" and other is None:
                target = fault.location.rstrip("/") + scope["path"]
                if scope["query_string"]:
                    target += "?" + scope["query_string"].decode("latin-1")
                other = _Answer(fault.status or 307, [(b"location", target.encode()), (b"content-length", b"0")], b"")
            elif fault.kind in ERRORS and other is None:
                other = _error(fault, self._simulation.clock.now())
        return other


def _error(fault: Fault, now: float) -> _Answer:
    default_status, default_body = ERRORS[fault.kind]
    status, kind = fault.status or default_status, fault.body or default_body
    media, text = b"application/json; charset=utf-8", ""
    if kind == "html":
        media, text = b"text/html", _HTML.format(status=status)
    elif kind == "service":
        text = json.dumps(_VARIANT)
    elif kind == "envelope":
        code = _CODES.get(status, "InternalServerError")
        text = json.dumps({"error": {"code": code, "message": _INTERNAL}})
    headers: Headers = [(b"content-type", media), (b"server", b"Microsoft-IIS/10.0")]
    if fault.retry_after is not None:
        seconds = fault.retry_after
        date = email.utils.formatdate(now + seconds, usegmt=True)
        headers.append((b"retry-after", (date if fault.retry_after_date else f"{seconds:g}").encode()))
    return _Answer(status, _with_length(headers, len(text.encode())), text.encode())


def _damaged(answer: _Answer, fault: Fault) -> _Answer:
    if fault.kind == "malformed":
        body = answer.body[: max(1, len(answer.body) * 2 // 3)] or b'{"status": "running", '
    elif fault.kind == "huge":
        body = _padded(answer.body, b"a" * fault.padding)
    elif fault.kind == "deep":
        body = b'{"status": ' + b"[" * fault.depth + b"]" * fault.depth + b"}"
    else:
        return answer
    headers = [(k, v) for k, v in answer.headers if k.lower() != b"content-type"]
    headers.append((b"content-type", b"application/json; charset=utf-8"))
    return _Answer(answer.status, _with_length(headers, len(body)), body)


def _padded(body: bytes, padding: bytes) -> bytes:
    """Valid JSON of the same meaning, only very long."""
    member = b'"padding": "' + padding + b'"'
    text = body.strip()
    if text.startswith(b"{") and text != b"{}":
        return b"{" + member + b", " + text[1:]
    if text.startswith(b"[") and text != b"[]":
        return text[:-1] + b", {" + member + b"}]"
    return b"{" + member + b"}"


def _pacing(struck: list[tuple[Fault, Fired]]) -> Pacing | None:
    pacing = Pacing()
    paced = False
    for fault, fired in struck:
        if fault.kind == "bandwidth":
            pacing.rate = fault.rate
        elif fault.kind == "slicer":
            pacing.slice_size, pacing.slice_variation = fault.size, fault.size_variation
            pacing.slice_delay = fired.delay
            pacing.random = random.Random(fired.slice_seed)  # noqa: S311 - replayable, not secret
        elif fault.kind == "limit_data":
            pacing.limit = fault.bytes
        elif fault.kind == "slow_close":
            pacing.close_delay = fired.delay
        else:
            continue
        paced = True
    return pacing if paced else None


def _with_length(headers: Headers, length: int) -> Headers:
    kept = [(k, v) for k, v in headers if k.lower() not in (b"content-length", b"transfer-encoding")]
    return [*kept, (b"content-length", str(length).encode())]


async def _asked(app: ASGIApp, scope: Scope, receive: Receive) -> _Answer:
    """The portal's whole answer, before any of it leaves."""
    status, headers, body = 500, Headers(), bytearray()

    async def keep(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message["headers"])
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, keep)
    return _Answer(status, headers, bytes(body))


async def _until_gone(receive: Receive, seconds: float | None = None) -> None:
    """Until the client is gone, or for so many seconds."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(watch(), seconds)
    except asyncio.TimeoutError:
        return


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """The request's body, and a `receive` that gives it once more."""
    messages, body = [await receive()], bytearray()
    while messages[-1].get("more_body"):
        messages.append(await receive())
    for message in messages:
        body.extend(message.get("body", b""))

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return bytes(body), again


def _counting(receive: Receive, recorded: Recorded) -> Receive:
    async def counted() -> Message:
        message = await receive()
        recorded.body_size += len(message.get("body", b""))
        return message

    return counted
