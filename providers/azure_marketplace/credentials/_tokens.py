"""Tokens for a hundred waiting threads: one fetch for all of them, renewed before the old one runs out.

A fetch runs in a thread of its own, so that whoever waits for it can be cancelled. A token that still holds
is used while its successor is fetched, also when that takes minutes because the sign-in service is down.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from providers.azure_marketplace.clock import Clock
from providers.azure_marketplace.credentials._choose import Method, SignIn
from providers.azure_marketplace.credentials._failures import Failure, hint_for
from providers.azure_marketplace.errors import Interrupted, InvalidInput, SignInFailed

__all__ = ["FetchedToken", "TokenSource"]

_log = logging.getLogger(__name__)

_RENEW_BEFORE = 300.0  # seconds before its end; a shorter-lived token is renewed in its last quarter
_MARGIN = 30.0  # seconds; closer to its end than this a token is not sent any more
_PAUSES = (1.0, 3.0)  # seconds between attempts of one fetch, so that a passing fault fails nobody
_LONGEST_FETCH = 15.0  # seconds, after which no further attempt begins
_FIRST_REST, _LONGEST_REST = 2.0, 60.0  # seconds without fetches after a failure, doubling
_RENEWED_REST = 30.0  # seconds without renewals after one
_LOOK = 0.25  # seconds between looks at the cancellation while waiting
_AUDIENCE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[A-Za-z0-9._:/-]{1,300}\Z")


class FetchedToken(NamedTuple):
    """expires_on, renew_on: seconds since 1970 UTC; renew_on None where the service does not say."""

    value: str
    expires_on: float
    renew_on: float | None = None

    def __repr__(self) -> str:
        return f"FetchedToken(***, expires_on={self.expires_on:.0f})"


@dataclass
class _Fetch:
    """One fetch under way, and how it ended."""

    done: threading.Event = field(default_factory=threading.Event)
    token: str = field(default="", repr=False)
    failure: Failure | None = None
    interrupted: bool = False


@dataclass
class _Slot:
    """What is known for one scope; guarded by `lock`."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: FetchedToken | None = None
    fetched_at: float = 0.0
    refused: str = field(default="", repr=False)
    fetch: _Fetch | None = None
    failure: Failure | None = None
    failures: int = 0
    rest_until: float = 0.0


class TokenSource:
    """Tokens by audience, for many threads.

    fetch: from a scope to a token, raising SignInFailed; by default the real one, for `sign_in`. cancelled:
    set by whoever ends the run. start: runs a fetch, by default in a daemon thread.
    """

    def __init__(
        self,
        sign_in: SignIn,
        *,
        clock: Clock,
        fetch: Callable[[str], FetchedToken] | None = None,
        cancelled: threading.Event | None = None,
        start: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._sign_in = sign_in
        self._clock = clock
        self._fetch = fetch or _azure_tokens(sign_in)
        self._cancelled = cancelled or threading.Event()
        self._start = start or _in_a_thread
        self._slots: dict[str, _Slot] = {}
        self._slots_lock = threading.Lock()
        self._given = threading.local()

    def __repr__(self) -> str:
        return f"TokenSource({self.description})"

    @property
    def description(self) -> str:
        """How tokens are had, for the log: no secret, ids shortened."""
        return self._sign_in.description

    def token(self, audience: str, *, renew: bool = False, rejected: str | None = None) -> str:
        """A token for `audience` (`https://cloudpartner.azure.com`), which holds for half a minute at least.

        After a 401 pass the token that was refused as `rejected`, or say `renew=True`, which means the one
        that this thread was given last. However many threads say so of one token, one fetch follows.

        Raises SignInFailed (`transient` when the service is down) and, at once when the run is cancelled,
        Interrupted.
        """
        scope = _scope(audience)
        if rejected is None and renew:
            rejected = self._given_before().get(scope)
        token = self._token(scope, rejected or "")
        self._given_before()[scope] = token
        return token

    def hint_for(self, status: int, audience: str) -> str:
        """What a 401 or 403 most likely means, for the token that this thread was given last."""
        last = self._given_before().get(_scope(audience), "")
        return hint_for(status, self.description, last, audience=audience, now=self._now())

    def _token(self, scope: str, rejected: str) -> str:
        if self._cancelled.is_set():
            raise Interrupted
        slot = self._slot(scope)
        with slot.lock:
            if slot.token is not None and rejected == slot.token.value:
                slot.token, slot.refused = None, rejected
                slot.failure, slot.rest_until = None, 0.0
            usable = slot.token.value if slot.token is not None and self._holds(slot) else ""
            begun = None
            if not usable and slot.fetch is None and not self._rests_after_failure(slot):
                begun = slot.fetch = _Fetch()
            elif usable and self._should_be_renewed(slot):
                begun = slot.fetch = _Fetch()
            fetch, failure = slot.fetch, slot.failure
        if begun is not None:
            self._begin(scope, slot, begun)
        if usable:
            return usable
        if fetch is None:
            assert failure is not None
            raise failure.error()
        return self._result_of(fetch)

    def _result_of(self, fetch: _Fetch) -> str:
        while not fetch.done.wait(_LOOK):
            if self._cancelled.is_set():
                raise Interrupted
        if fetch.interrupted:
            raise Interrupted
        if fetch.failure is not None:
            raise fetch.failure.error()
        return fetch.token

    def _slot(self, scope: str) -> _Slot:
        with self._slots_lock:
            return self._slots.setdefault(scope, _Slot())

    def _given_before(self) -> dict[str, str]:
        given: dict[str, str] = self._given.__dict__.setdefault("tokens", {})
        return given

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _holds(self, slot: _Slot) -> bool:
        assert slot.token is not None
        life = slot.token.expires_on - slot.fetched_at
        return self._now() < slot.token.expires_on - min(_MARGIN, life / 10)

    def _should_be_renewed(self, slot: _Slot) -> bool:
        assert slot.token is not None
        if slot.fetch is not None or self._clock.monotonic() < slot.rest_until:
            return False
        life = slot.token.expires_on - slot.fetched_at
        due = slot.token.expires_on - min(_RENEW_BEFORE, life / 4)
        return self._now() >= min(due, slot.token.renew_on or due)

    def _rests_after_failure(self, slot: _Slot) -> bool:
        return slot.failure is not None and self._clock.monotonic() < slot.rest_until

    def _begin(self, scope: str, slot: _Slot, fetch: _Fetch) -> None:
        try:
            self._start(lambda: self._run(scope, slot, fetch))
        except RuntimeError:  # no more threads
            self._end(slot, fetch, None, Failure("Signing in could not begin: no thread", transient=True))

    def _run(self, scope: str, slot: _Slot, fetch: _Fetch) -> None:
        token: FetchedToken | None = None
        failure: Failure | None = Failure("Signing in ended without an answer", transient=True)
        try:
            token, failure = self._attempts(scope)
        except Interrupted:
            fetch.interrupted = True
        finally:
            self._end(slot, fetch, token, failure)

    def _attempts(self, scope: str) -> tuple[FetchedToken | None, Failure | None]:
        began = self._clock.monotonic()
        for pause in (*_PAUSES, None):
            try:
                return self._fetch(scope), None
            except SignInFailed as error:
                failure = Failure.of(error)
            except Exception as error:  # a bug, here or in a library; its text may hold anything
                failure = Failure(f"Signing in failed unexpectedly ({type(error).__name__})")
            late = self._clock.monotonic() - began > _LONGEST_FETCH
            if pause is None or late or not failure.transient:
                break
            self._clock.sleep(pause)
        return None, failure

    def _end(self, slot: _Slot, fetch: _Fetch, token: FetchedToken | None, failure: Failure | None) -> None:
        with slot.lock:
            if token is not None and token.value == slot.refused:
                token, failure = None, self._same_again()
            if token is not None:
                slot.token, slot.fetched_at = token, self._now()
                slot.failure, slot.failures, slot.refused = None, 0, ""
                # Some sources (a CLI's cache, a machine's endpoint) give an old token again for a while.
                rest = min(_RENEWED_REST, (token.expires_on - slot.fetched_at) / 4)
                slot.rest_until = self._clock.monotonic() + rest
                fetch.token = token.value
            elif not fetch.interrupted:
                slot.failure = fetch.failure = failure
                slot.failures += 1
                rest = min(_FIRST_REST * 2 ** (slot.failures - 1), _LONGEST_REST)
                slot.rest_until = self._clock.monotonic() + rest
                if failure is not None and slot.token is not None:
                    _log.warning("%s The present token is used on.", failure.error())
            slot.fetch = None
        fetch.done.set()

    def _same_again(self) -> Failure:
        if self._sign_in.method is Method.ACCESS_TOKEN:
            return Failure(
                f"The access token from {self._sign_in.sources['accessToken']} was refused, and cannot be"
                " renewed",
                "It lives about an hour: set a new one, or sign in in a way that can renew it"
                " (docs/signing-in.md).",
            )
        return Failure(
            f"Signing in by {self._sign_in.method.value} gave the token again that had just been refused"
        )


def _scope(audience: str) -> str:
    """`https://graph.microsoft.com` is `https://graph.microsoft.com/.default`."""
    if not _AUDIENCE.match(audience):
        raise InvalidInput("The audience of the tokens is not an address", name="audience")
    return f"{audience.removesuffix('/.default').rstrip('/')}/.default"


def _azure_tokens(sign_in: SignIn) -> Callable[[str], FetchedToken]:
    from providers.azure_marketplace.credentials._azure import AzureTokens  # it needs FetchedToken from here

    return AzureTokens(sign_in)


def _in_a_thread(run: Callable[[], None]) -> None:
    threading.Thread(target=run, name="sign-in", daemon=True).start()
