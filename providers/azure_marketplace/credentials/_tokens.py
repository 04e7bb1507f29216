"""Tokens for a hundred waiting offers: one fetch for them all, renewed before the old token runs out.

A fetch runs on a thread of its own, so that whoever waits for it can be cancelled. A token that still holds is used
while the next one is fetched, also when that takes long because the sign-in service is down.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillFetching
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from providers.azure_marketplace.clock import Clock, SystemClock
from providers.azure_marketplace.credentials._choice import Method, SignIn, Sources, choose
from providers.azure_marketplace.errors import Interrupted, SignInFailed

__all__ = ["THREAD", "Fetch", "Token", "TokenSource", "sendable"]

THREAD = "sign-in"
"""The name of the threads that fetch."""

_log = logging.getLogger(__name__)

# Seconds.
_RENEW_BEFORE = 300.0  # the end of a token; in its last quarter if it lives shorter
_MARGIN = 30.0  # closer to its end a token is not used; in the last tenth if it lives shorter
_FIRST_REST, _LONGEST_REST = 2.0, 60.0  # between a failed fetch and the next, doubling
_TRUSTED = 30.0  # a token that was renewed because of a 401 is not renewed again because of another
_LOOK = 0.1  # between looks at the cancellation


@dataclass(frozen=True, slots=True)
class Token:
    """expires_on, refresh_on: seconds since 1970 UTC; refresh_on None where the service does not say."""

    value: str = field(repr=False)
    expires_on: float
    refresh_on: float | None = None


class Fetch(Protocol):
    def __call__(self, sign_in: SignIn, scope: str, *, worked_before: bool) -> Token:
        """A new token. worked_before: this sign-in has given one, so that a fault without a name may pass.

        Raises `SignInFailed`, without a secret anywhere in it.
        """


@dataclass(slots=True)
class _Slot:
    """What is known of one audience; guarded by the source's lock. Moments are seconds of the monotonic clock."""

    token: Token | None = None
    usable_until: float = 0.0
    renew_at: float = 0.0
    worked: bool = False
    rejected: bool = False  # the next token replaces one that the API rejected
    trusted_until: float = 0.0
    fetch: Future[str] | None = None
    failure: SignInFailed | None = None
    failures: int = 0
    rest_until: float = 0.0


class TokenSource:
    """Tokens by audience, for many threads.

    configured: the value of a key of the configuration's namespace, or None. environment: the process's. cancelled:
    the event of whoever is calling. clock, fetch: for tests.
    """

    def __init__(
        self,
        configured: Callable[[str], str | None],
        environment: Mapping[str, str],
        *,
        cancelled: Callable[[], threading.Event] = threading.Event,
        clock: Clock | None = None,
        fetch: Fetch | None = None,
    ) -> None:
        self._sources = Sources(configured, environment)
        self._cancelled = cancelled
        self._clock = clock or SystemClock(threading.Event())
        self._fetch = fetch or _fetch_for_real
        self._lock = threading.Lock()
        self._sign_in: SignIn | None = None
        self._slots: dict[str, _Slot] = {}

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token source is not pickled: its secrets would end up in the state")

    def token(self, audience: str, *, rejected: str | None = None) -> str:
        """A bearer token for `audience`, such as https://cloudpartner.azure.com.

        rejected: the token to which the API has just answered 401. One fetch follows for all who say so; where that
        cannot help, the same token is returned again.

        Raises `SignInFailed`, `transient` while the service is down; and `Interrupted` when the caller is cancelled.
        """
        cancelled = self._cancelled()
        if cancelled.is_set():
            raise Interrupted
        with self._lock:
            sign_in = self._chosen()
            if sign_in.method is Method.ACCESS_TOKEN:
                found = self._sources.find("accessToken") or sign_in.found["accessToken"]  # anew: it may be another now
                return sendable(found.value, found.source)
            slot = self._slots.setdefault(audience, _Slot())
            now = self._clock.monotonic()
            if slot.token is not None and rejected == slot.token.value and now >= slot.trusted_until:
                slot.token, slot.rejected = None, True
            usable = slot.token.value if slot.token is not None and now < slot.usable_until else None
            if slot.fetch is None and now >= slot.rest_until and (usable is None or now >= slot.renew_at):
                slot.fetch = self._begin(sign_in, audience, slot)
            fetch, failure = slot.fetch, slot.failure
        if usable is not None:
            return usable
        if fetch is None:
            assert failure is not None  # nothing else keeps a fetch from beginning  # nosec B101
            raise copy.copy(failure)
        return _result_of(fetch, cancelled)

    def is_fixed(self) -> bool:
        """Whether one ready-made token stands for every audience. Raises `SignInFailed` where none can be had."""
        with self._lock:
            return self._chosen().method is Method.ACCESS_TOKEN

    def _chosen(self) -> SignIn:
        if self._sign_in is None:
            self._sign_in = choose(self._sources)
            _log.info("Signing in by %s", self._sign_in)
        return self._sign_in

    def _begin(self, sign_in: SignIn, audience: str, slot: _Slot) -> Future[str]:
        fetch: Future[str] = Future()

        def run() -> None:
            try:
                token = self._fetch(sign_in, f"{audience}/.default", worked_before=slot.worked)
                self._succeeded(slot, token)
            except SignInFailed as error:
                self._failed(slot, error)
                fetch.set_exception(copy.copy(error))
            except BaseException as error:  # a mistake, here or in a library; its text may hold anything
                unexpected = SignInFailed(f"Signing in by {sign_in} failed unexpectedly ({type(error).__name__})")
                self._failed(slot, unexpected)
                fetch.set_exception(unexpected)
            else:
                fetch.set_result(token.value)

        # It ends only when the caller has let go of the lock. A daemon: nobody waits for it when the process ends.
        threading.Thread(target=run, name=THREAD, daemon=True).start()
        return fetch

    def _succeeded(self, slot: _Slot, token: Token) -> None:
        with self._lock:
            now, wall = self._clock.monotonic(), self._clock.now().timestamp()
            life = token.expires_on - wall
            if life <= 0:  # by this machine's clock, which must then be wrong
                life = 2 * _MARGIN
            due = life - min(_RENEW_BEFORE, life / 4)
            slot.token, slot.worked, slot.fetch = token, True, None
            slot.usable_until = now + life - min(_MARGIN, life / 10)
            # Some sources (a command line's cache, a machine's endpoint) give an old token again for a while.
            due = max(due if token.refresh_on is None else min(due, token.refresh_on - wall), min(_MARGIN, life / 10))
            slot.renew_at = now + due
            slot.trusted_until = now + _TRUSTED if slot.rejected else now
            slot.rejected = False
            slot.failure, slot.failures, slot.rest_until = None, 0, now

    def _failed(self, slot: _Slot, error: SignInFailed) -> None:
        with self._lock:
            slot.fetch, slot.failure = None, copy.copy(error)  # without the traceback, whose frames hold secrets
            slot.rest_until = self._clock.monotonic() + min(_FIRST_REST * 2**slot.failures, _LONGEST_REST)
            slot.failures = min(slot.failures + 1, 10)  # so that the power stays a number after days
            if slot.token is not None:
                _log.warning("%s The present token is used on.", error)


def sendable(token: str, source: str) -> str:
    """`token`, if it can stand in an HTTP header; else `SignInFailed`, which does not show it.

    A line break would add headers to the request, and libraries quote a header that they refuse. MSAL hands on whatever
    JSON stands in the token's place.
    """
    if token and isinstance(token, str) and all("!" <= character <= "~" for character in token):
        return token
    raise SignInFailed(
        f"The token from {source} is {'not one word of plain characters' if token else 'empty'}",
        next_step="Set the bare token, without quotes and without the word Bearer.",
    )


def _result_of(fetch: Future[str], cancelled: threading.Event) -> str:
    while True:
        try:
            return fetch.result(timeout=_LOOK)
        except StillFetching:
            if cancelled.is_set():
                raise Interrupted from None
        except SignInFailed as error:
            failure = copy.copy(error)  # each caller raises its own: tracebacks would pile up on a shared one
            break
    raise failure


def _fetch_for_real(sign_in: SignIn, scope: str, *, worked_before: bool) -> Token:
    from providers.azure_marketplace.credentials._azure import fetch

    return fetch(sign_in, scope, worked_before=worked_before)
