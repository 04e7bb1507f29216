"""HTTP to a publishing API: the only module that speaks it, and the only place where a token is sent.

It keeps three promises. The token goes to the configured endpoint and to nobody else: redirects are not
followed, `.netrc` is not read, and what an answer names is reduced to a path on that endpoint. An error says
what is known of the request: `NotSent`, `Unanswered`, `Refused`. Nothing from outside is taken in unbounded.

Every call is one attempt; whether to try again is for callers who know what the request does.

Requests run on a few threads of their own (`Connections`), so that a hundred waits share a handful of
connections, and a caller who is cancelled leaves at once, even when the API does not answer.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWorking
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NoReturn
from urllib.parse import SplitResult, quote, unquote, urlsplit

import requests
import urllib3.exceptions

from providers.azure_marketplace.bounds import BoundedSession
from providers.azure_marketplace.errors import (
    Conflict,
    Forbidden,
    Interrupted,
    NotFound,
    NotSent,
    Overloaded,
    Refused,
    Unanswered,
    Unauthorized,
    Unreadable,
    UntrustedAddress,
)
from providers.azure_marketplace.obstacles import Obstacle, causes, obstacle
from providers.azure_marketplace.text import plain, spelt

__all__ = ["MOST_PARTS", "Answer", "Connections", "Token", "Transport", "path_on"]

WORKERS = 16
LARGEST_BODY = 4 * 1024 * 1024
MOST_PARTS = 100_000
"""Objects, lists and members of one answer: as Python's objects they take thirty times the room of their text."""
CONNECT_TIMEOUT = 15.0
GRACE = 0.7
"""Seconds that a cancelled caller still gives a request which changes something: its answer may just be coming."""

_LOOK_AGAIN = 0.1
_CORRELATION = (
    "X-Ms-Correlation-Request-Id",
    "MS-CorrelationId",
    "MS-RequestId",
    "request-id",
    "x-ms-request-id",
)
_REFUSALS: dict[int, type[Refused]] = {401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict}

Token = Callable[[str | None], str]
"""Gives a bearer token. Handed the token that the API has just rejected, it gives another one if it can."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. doing: what was asked for, as words that follow "to"; it leads every error about it.

    broken: why the body could not be taken in, though the status and the headers were; empty where it could.
    hide: takes the token out of a text: some servers quote what they were sent.
    """

    title: str
    doing: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    broken: str = ""
    hide: Callable[[str], str] = field(default=str, repr=False)

    @property
    def correlation_id(self) -> str:
        return _correlation_id(self.headers)

    @property
    def retry_after(self) -> float | None:
        return _retry_after(self.headers)

    @property
    def date(self) -> datetime | None:
        """The API's own clock, UTC."""
        return _http_date(self.headers.get("Date"))

    @property
    def parts(self) -> int:
        """How many values the body holds, about: each costs memory once it is read."""
        return _parts(self.body)

    def json(self) -> Any:
        """The body; raises `Unreadable` when it is not JSON."""
        if self.broken:
            self.unreadable(self.broken)
        if self.parts > MOST_PARTS:
            self.unreadable("its answer has too many parts")
        try:
            # UTF-8 alone, as JSON is sent: in another encoding the token was not seen.
            body = json.loads(self.body.decode("utf-8-sig"), parse_constant=_no_such_constant)
            # Where characters are escaped, the token could stand in another spelling, and in full once that is read.
            return _less(body, self.hide) if b"\\" in self.body else body
        except (ValueError, RecursionError):
            self.unreadable("its answer is not JSON" if self.body else "its answer is empty")

    def unreadable(self, why: str) -> NoReturn:
        raise Unreadable(
            f"{self.title} was asked to {self.doing}, and {why}",
            status=self.status,
            words=plain(self.body[:2000].decode("utf-8", "replace"), longest=200),
            correlation_id=self.correlation_id,
        )


class Connections:
    """The threads and the pooled connections that every client of this process shares.

    timeout: seconds until an unanswered request is given up. cancelled: the event of whoever is calling. hurried:
    fewer seconds, for a caller who has less time.
    """

    def __init__(
        self,
        *,
        timeout: float,
        cancelled: Callable[[], threading.Event],
        user_agent: str,
        hurried: Callable[[], float | None] = lambda: None,
        workers: int = WORKERS,
    ) -> None:
        self._timeout = timeout
        self._hurried = hurried
        self._cancelled = cancelled
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="publishing-api")
        self._session = BoundedSession(connections=workers)
        self._session.headers.update({"User-Agent": user_agent, "Accept": "application/json"})

    @property
    def timeout(self) -> float:
        """For whoever is calling, on their own thread."""
        return min(self._timeout, self._hurried() or self._timeout)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    def run(self, request: Callable[[BoundedSession], Answer], *, reads: bool) -> Answer:
        """Run `request` on one of the threads; raises `Interrupted` when the caller is cancelled first."""
        cancelled = self._cancelled()
        if cancelled.is_set():
            raise Interrupted
        future: Future[Answer] = self._threads.submit(request, self._session)
        leave_at: float | None = None
        while True:
            try:
                return future.result(timeout=_LOOK_AGAIN)
            except StillWorking:
                if future.done() or not cancelled.is_set():
                    continue
                # A request that has not started yet never will.
                leave_at = leave_at or time.monotonic() + (0.0 if reads else GRACE)
                if future.cancel() or time.monotonic() >= leave_at:
                    raise Interrupted from None


class Transport:
    """One publishing API behind one endpoint.

    title: what people call the API ("The Cloud Partner Portal"). endpoint: its base address, already validated.
    token: where the bearer token comes from. extra_headers: sent with every request. advice: by status, what a
    person can do about a refusal; a text as key stands for refusals whose words contain it, and goes first.
    """

    def __init__(
        self,
        connections: Connections,
        *,
        title: str,
        endpoint: str,
        token: Token,
        extra_headers: Mapping[str, str] | None = None,
        advice: Mapping[int | str, str] | None = None,
    ) -> None:
        self._connections = connections
        self._title = title
        self._endpoint = endpoint.rstrip("/")
        self._token = token
        self._extra_headers = dict(extra_headers or {})
        self._advice = dict(advice or {})

    @property
    def endpoint(self) -> str:
        return self._endpoint

    def get(self, path: str, *, doing: str) -> Answer:
        """Ask for `path` (with its query, as it stands) below the endpoint."""
        return self._ask("GET", path, doing, None)

    def post(self, path: str, *, doing: str, body: Any = None) -> Answer:
        """Send `body` as JSON, or nothing at all; never tried twice, but for one 401 (which did nothing)."""
        return self._ask("POST", path, doing, body)

    def _ask(self, method: str, path: str, doing: str, body: Any) -> Answer:
        if not _goes_down(path):
            raise UntrustedAddress(
                f"{self._title} was not asked to {doing}: {plain(path, longest=160)!r} leads to another place"
            )
        bearer = _Bearer(self._token(None))
        try:
            return self._attempt(method, path, doing, body, bearer)
        except Unauthorized:
            renewed = bearer.renewed(self._token)
            if renewed is None:
                raise
        return self._attempt(method, path, doing, body, renewed)

    def _attempt(self, method: str, path: str, doing: str, body: Any, bearer: _Bearer) -> Answer:
        timeout = self._connections.timeout

        def request(session: BoundedSession) -> Answer:
            return self._send(session, method, path, doing, body, bearer, timeout)

        return self._connections.run(request, reads=method == "GET")

    def _send(
        self,
        session: BoundedSession,
        method: str,
        path: str,
        doing: str,
        body: Any,
        bearer: _Bearer,
        timeout: float,
    ) -> Answer:
        content = b"" if body is None else json.dumps(body).encode()
        failure: NotSent | Unanswered
        try:
            with session.request(
                method,
                self._endpoint + path,
                data=content if method == "POST" else None,
                headers={**self._extra_headers, "Content-Type": "application/json"},
                auth=bearer,
                allow_redirects=False,
                stream=True,
                timeout=(min(CONNECT_TIMEOUT, timeout), timeout),
            ) as response:
                taken, broken = _bounded(response)
                headers = requests.structures.CaseInsensitiveDict(
                    {name: bearer.without(value) for name, value in response.headers.items()}
                )
                body = bearer.without(taken.decode("latin-1")).encode("latin-1")
                answer = Answer(self._title, doing, response.status_code, headers, body, broken, bearer.without)
                reason = bearer.without(response.reason or "")
        except _TRANSPORT_ERRORS as error:
            failure = self._unanswered(error, doing, timeout, sent=session.sent, hindered=session.obstacle)
        else:
            if 200 <= answer.status < 300:
                return answer
            raise self._refusal(answer, reason)
        raise failure  # outside `except`: its context would hold the request, token and all

    def _unanswered(
        self, error: Exception, doing: str, timeout: float, *, sent: bool, hindered: Obstacle | None
    ) -> NotSent | Unanswered:
        host = urlsplit(self._endpoint).netloc
        if not sent:
            hindered = hindered or obstacle(error, self._endpoint)
            failure = NotSent(
                f"{self._title} could not be reached at {host} to {doing}: {hindered.why}",
                next_step=hindered.next_step,
            )
            failure.lasting = hindered.of_settings
            return failure
        why = f"no answer within {timeout:g} s" if isinstance(error, requests.Timeout) else obstacle(error, host).why
        return Unanswered(f"{self._title} at {host} was asked to {doing} and did not answer: {why}")

    def _refusal(self, answer: Answer, reason: str) -> Refused | Unanswered | UntrustedAddress:
        status = answer.status
        said = f"{status} {plain(reason, longest=40)}".strip()
        details: dict[str, Any] = {
            "status": status,
            "words": answer.hide(_words(answer)),
            "correlation_id": answer.correlation_id,
            "retry_after": answer.retry_after,
        }
        if 300 <= status < 400:
            target = plain(answer.hide(unquote(answer.headers.get("Location", "nowhere"))), longest=120)
            return UntrustedAddress(
                f"{self._title} was asked to {answer.doing} and answered {said}, a redirect to {target}, which is "
                "not followed: the token goes to the configured endpoint only",
                next_step="If the API has moved, configure its new endpoint.",
                **details,
            )
        if status in (408, 429) or not 200 <= status < 500:
            return Overloaded(f"{self._title} was asked to {answer.doing} and answered {said}", **details)
        kind = _REFUSALS.get(status, Refused)
        return kind(
            f"{self._title} refused to {answer.doing} ({said})",
            next_step=self._next_step(status, details["words"]),
            **details,
        )

    def _next_step(self, status: int, words: str) -> str:
        about = (advice for key, advice in self._advice.items() if isinstance(key, str) and key in words)
        return next(about, self._advice.get(status, ""))


class _Bearer(requests.auth.AuthBase):
    """Sets the token. That a request has its own auth also keeps requests from reading `.netrc`.

    The token stands in here and in no variable, so that a traceback which shows variables does not show it.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._spelt = spelt(token) if len(token) >= 8 else None

    def renewed(self, source: Token) -> _Bearer | None:
        """One with another token than this one, which was rejected; None where there is none."""
        other = _Bearer(source(self._token))
        return None if other._token == self._token else other

    def without(self, said: str) -> str:
        """What came back, less the token: some servers and proxies quote what they were sent, above all in errors.

        Cut short too, and in the spellings of addresses and of pages: it would be shown, or kept in a state as part of
        an address.
        """
        return said if self._spelt is None else self._spelt.sub("***", said.replace(self._token, "***"))

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


# requests wraps most of what urllib3, http.client and the socket raise, but not all of it.
_TRANSPORT_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # a length or an address that is none
)


def _bounded(response: requests.Response) -> tuple[bytes, str]:
    """The body, and why it is not whole; never more than `LARGEST_BODY`.

    Status and headers are known by now, and they say what was done: a broken body takes nothing back.
    """
    if response.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
        return b"", "its answer is compressed, which was not asked for"
    taken = bytearray()
    try:
        for part in response.iter_content(64 * 1024):
            taken += part
            if len(taken) > LARGEST_BODY:
                return b"", f"its answer is larger than {LARGEST_BODY >> 20} MiB"
    except _TRANSPORT_ERRORS as error:
        endless = any(isinstance(cause, TimeoutError) for cause in causes(error))
        return b"", "its answer did not end" if endless else "its answer broke off"
    return bytes(taken), ""


def _words(answer: Answer) -> str:
    """The API's own words out of an error body, whatever its form (portal-api sections 1 and 3.5)."""
    text = answer.body.decode("utf-8", "replace")
    if answer.parts > MOST_PARTS:
        return plain(text, longest=400)
    try:
        body = json.loads(text)
        if isinstance(body, str):  # an error of the service behind it, handed on as text that holds JSON
            body = json.loads(body[body.index("{") : body.rindex("}") + 1])
    except (ValueError, RecursionError):
        return _wrapped(text) or plain(text, longest=400)
    return plain("; ".join(_said(body)), longest=600)


def _less(value: Any, hide: Callable[[str], str]) -> Any:
    """The same, with `hide` done to every text in it."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, list):
        return [_less(item, hide) for item in value]
    if isinstance(value, dict):
        return {hide(key): _less(item, hide) for key, item in value.items()}
    return value


def _parts(body: bytes) -> int:
    """At least how many objects, lists and members a JSON text has, without reading it."""
    return sum(map(body.count, (b"{", b"[", b",")))


def _wrapped(text: str) -> str:
    """The words of JSON within text, as one API hands on what another one said; empty where there are none."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        said = _said(json.loads(text[begin : end + 1].replace('\\"', '"') if begin >= 0 else ""))
    except (ValueError, RecursionError):
        return ""
    return plain("; ".join(said), longest=600)


def _by_field(errors: Any) -> list[str]:
    """`{"x-ms-publisherId": ["... is required"]}`, as ASP.NET tells what is wrong with a request."""
    if not isinstance(errors, Mapping):
        return []
    listed = [words for value in list(errors.values())[:5] if isinstance(value, list) for words in value[:3]]
    return [words for words in listed if isinstance(words, str)]


def _said(body: Any, depth: int = 0) -> list[str]:
    if isinstance(body, str):
        return [body] if body.strip() else []
    if isinstance(body, list):
        return [words for item in body[:5] for words in _said(item, depth + 1)] if depth < 4 else []
    if not isinstance(body, Mapping) or depth >= 4:
        return []
    folded = {str(key).lower(): value for key, value in list(body.items())[:50]}
    if isinstance(folded.get("message"), Mapping):
        folded["message"] = folded["message"].get("value")  # as OData's own errors have it
    message = next(
        (
            folded[key]
            for key in ("message", "error_description", "detail", "title")
            if isinstance(folded.get(key), str)
        ),
        None,
    )
    if message:
        code = folded.get("code")
        own = [f"{code}: {message}" if isinstance(code, str) and code else message]
        inner = _said(folded.get("innererror"), depth + 1)
        return inner + own + _said(folded.get("details"), depth + 1) + _by_field(folded.get("errors"))
    if isinstance(folded.get("errors"), list):
        return _said(folded["errors"], depth + 1)
    error = next((folded[key] for key in ("error", "odata.error") if key in folded), None)
    if error is not None:
        service = folded.get("servicename")
        said = _said(error, depth + 1)
        return [f"{service}: {words}" for words in said] if isinstance(service, str) else said
    # Keyed by the name of a back-end service, without an envelope (portal-api section 3.5 [O]).
    return [
        words for value in list(folded.values())[:5] if isinstance(value, Mapping) for words in _said(value, depth + 1)
    ]


def _correlation_id(headers: Mapping[str, str]) -> str:
    for name in _CORRELATION:
        value = headers.get(name, "")
        if re.fullmatch(r"[A-Za-z0-9_.:/+=|-]{1,100}", value):
            return value
    return ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
        return float(value)
    until = _http_date(value)
    if until is None:
        return None
    return max(0.0, (until - (_http_date(headers.get("Date")) or datetime.now(timezone.utc))).total_seconds())


def _http_date(value: str | None) -> datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(value or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _no_such_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def path_on(endpoint: str, address: str, *, title: str, what: str = "an operation") -> str:
    """The path and query of `address`, which an answer named, as they are to be asked for on `endpoint`.

    Absolute or relative. Another host, a path that climbs, or anything that two readers could understand in two
    ways raises `UntrustedAddress`, which names it, and says `what` it is of. The scheme and the port of the address
    do not matter, since only the configured endpoint is ever asked.
    """
    base, target = urlsplit(endpoint), _split(address, longest=2048 if what == "an operation" else _LONGEST)
    shown = plain(address, longest=160)
    if target is None or (target.scheme and target.scheme not in ("http", "https")):
        raise UntrustedAddress(f"{title} named {what} by an address that is none: {shown!r}")
    if (target.scheme or target.netloc) and target.netloc.lower() != base.netloc.lower():
        same_host = (
            target.hostname is not None
            and target.hostname == base.hostname
            and "@" not in target.netloc
            and (_port(target) in (None, _port(base)))
        )
        if not same_host:
            raise UntrustedAddress(
                f"{title} named {what} on another host, {plain(target.netloc or shown, longest=100)}, "
                f"instead of {base.netloc}: it was not asked, and the token was not sent there",
                next_step="If that host is right, configure it as the endpoint."
                if what == "an operation"
                else "It is no matter of configuration: see what stands between this machine and the API, or tell the "
                "API's support.",
            )
    path = target.path if target.path.startswith("/") else f"/{target.path}"
    if path == "/" or not _goes_down(path):
        raise UntrustedAddress(f"{title} named {what} by an address that cannot be followed: {shown!r}")
    path = _below(base.path.rstrip("/"), path, part=what != "an operation")
    # What no address needs is encoded: it is shown, and kept in the state.
    path = quote(path, safe=_IN_ADDRESSES)
    return f"{path}?{quote(target.query, safe=_IN_ADDRESSES)}" if target.query else path


def _below(prefix: str, path: str, *, part: bool) -> str:
    """What follows the endpoint's own path.

    part: or the end of that, where an API names pages by the path that it knows, and a gateway puts something before.
    """
    while prefix:
        if path.startswith(prefix + "/"):
            return path[len(prefix) :]
        if not part:
            return path
        prefix = f"/{rest}" if (rest := prefix[1:].partition("/")[2]) else ""
    return path


_LONGEST = 16_384
"""Characters of a page's address: what tells where a list goes on may be long. An operation's is kept in the state."""
_IN_ADDRESSES = "/%:@!$&'()*+,;=~?"


def _split(address: str, *, longest: int) -> SplitResult | None:
    if not address or len(address) > longest or re.search(r"[^\x21-\x7e]|\\", address):
        return None
    try:
        target = urlsplit(address)
        _ = target.port
    except ValueError:
        return None
    return target


def _port(target: SplitResult) -> int | None:
    return target.port or {"https": 443, "http": 80}.get(target.scheme)


def _goes_down(path: str) -> bool:
    """Whether a path, with its query, can be sent as it stands and means the same to everybody.

    Dot segments would be resolved on the way, encoded ones too, and lead to another place than was asked for.
    """
    if not re.fullmatch(r"/[\x21-\x7e]*", path) or len(path) > 2 * _LONGEST or "\\" in path or "#" in path:
        return False
    bare = path.partition("?")[0]
    for _ in range(3):  # some servers decode twice
        bare = unquote(bare, errors="replace")
    parts = re.split(r"[/\\]", bare)
    # `..;` is `..` to servers that take path parameters off.
    return bare.isprintable() and not any(part.partition(";")[0].strip() in (".", "..") for part in parts)
